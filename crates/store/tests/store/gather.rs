//! Group commit: many writers, few commits, and a bad one fails alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use provost_model::WorkspaceId;
use provost_model::event::{Actor, ActorKind, EventType, Origin};
use provost_store::ledger::{Filter, list, verify};
use provost_store::tables::Offset;
use provost_store::tables::scim_users::{self, ScimUserRow};
use provost_store::{Error, Gather, Result, Store, Touched};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::acts::{member, workspace};
use crate::database::on_both;

/// Adds the named users in one change; counts the changes. A user of no name makes it panic.
fn adder(
    store: &Store,
    ws: WorkspaceId,
    room: usize,
    gate: Arc<Semaphore>,
) -> (Gather<String, String>, Arc<AtomicUsize>) {
    let (store, count) = (store.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    let work = move |names: Vec<Arc<String>>| {
        let (store, count, gate) = (store.clone(), counted.clone(), gate.clone());
        async move {
            let _open = gate.acquire().await.expect("it is never closed");
            assert!(names.iter().all(|name| !name.is_empty()), "a name");
            let mut change = store.change(ws, Actor::system(), Origin::default()).await?;
            let at = change.at();
            let user = |name: &Arc<String>| ScimUserRow {
                member: member(at, &format!("{name}@example.com")),
                user_name: name.to_string(),
                external_id: None,
                scim: None,
            };
            let users: Vec<_> = names.iter().map(user).collect();
            scim_users::insert_many(&mut change, ws, &users).await?;
            for user in &users {
                let actor = Actor { kind: ActorKind::ApiKey, id: Some(user.user_name.clone()), email: None };
                change.act_as(actor, Origin::default());
                change.record(EventType::MemberCreated, None, json!({ "of": user.user_name }));
                change.touch(Touched::Member(user.member.id));
            }
            change.commit().await?;
            count.fetch_add(1, Ordering::Relaxed);
            Ok(users.into_iter().map(|user| user.user_name).collect())
        }
    };
    (Gather::start(room, 64, work), count)
}

/// Everyone asks at once, while the gate holds back the first.
async fn all_ask(
    gather: &Gather<String, String>,
    gate: &Semaphore,
    names: Vec<String>,
) -> Vec<(String, Result<String>)> {
    let mut asking = JoinSet::new();
    for name in names {
        let gather = gather.clone();
        asking.spawn(async move {
            let answer = gather.ask(name.clone()).await;
            (name, answer)
        });
    }
    // All of them have been polled once when this task is next in line.
    tokio::task::yield_now().await;
    gate.add_permits(1);
    asking.join_all().await
}

#[test]
fn many_writers_share_a_commit_and_each_is_recorded() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let gate = Arc::new(Semaphore::new(0));
        let (gather, commits) = adder(&store, ws, 1_000, gate.clone());
        let names: Vec<_> = (0..100).map(|n| format!("user{n}")).collect();
        for (name, answer) in all_ask(&gather, &gate, names).await {
            assert_eq!(answer?, name, "each has its own answer");
        }
        let commits = commits.load(Ordering::Relaxed);
        assert!(commits <= 4, "a hundred operations in {commits} commits");
        // What was answered is in the snapshot, in the database, and in an unbroken ledger.
        assert_eq!(store.workspace(ws).expect("it is there").members.len(), 100);
        assert_eq!(database.open().await?.workspace(ws).expect("it is there").members.len(), 100);
        let mut tx = store.read().await?;
        let filter = Filter { kind: Some(EventType::MemberCreated), limit: 1_000, ..Filter::default() };
        let events = list(&mut tx, ws, &filter).await?;
        assert_eq!(events.len(), 100);
        assert!(events.iter().all(|event| event.actor.id.as_deref() == event.details["of"].as_str()));
        assert_eq!(verify(&mut tx, ws).await?, Ok(101));
        Ok(())
    });
}

#[test]
fn a_bad_one_fails_alone() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let gate = Arc::new(Semaphore::new(0));
        let (gather, _) = adder(&store, ws, 1_000, gate.clone());
        // One panics; of two that read the same, one is refused by the database.
        let names = ["ada", "", "eve", "EVE", "kim"].map(str::to_owned).to_vec();
        let mut refused = Vec::new();
        for (name, answer) in all_ask(&gather, &gate, names).await {
            match answer {
                Ok(answer) => assert_eq!(answer, name),
                Err(Error::Conflict(_)) => refused.push(name.to_lowercase()),
                Err(Error::Database(_)) => refused.push(name),
                Err(other) => panic!("{other}"),
            }
        }
        refused.sort();
        assert_eq!(refused, ["", "eve"]);
        assert_eq!(scim_users::count(&mut store.read().await?, ws).await?, 3);
        assert!(matches!(verify(&mut store.read().await?, ws).await?, Ok(4)), "one event each, and the workspace's");
        gather.ask("later".to_owned()).await?;
        Ok(())
    });
}

#[test]
fn who_finds_no_room_is_told_and_who_leaves_takes_its_operation_along() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let gate = Arc::new(Semaphore::new(0));
        let (gather, _) = adder(&store, ws, 3, gate.clone());
        let ask = |name: &str| {
            let (gather, name) = (gather.clone(), name.to_owned());
            tokio::spawn(async move { gather.ask(name).await })
        };
        let begun = ask("begun");
        // On one thread: the first is taken into work before the others ask.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let (left, waits, third) = (ask("left"), ask("waits"), ask("third"));
        tokio::task::yield_now().await;
        assert!(matches!(gather.ask("too many".to_owned()).await, Err(Error::Busy)));
        left.abort();
        begun.abort();
        gate.add_permits(1);
        waits.await.expect("it is not aborted")?;
        third.await.expect("it is not aborted")?;
        let mut names = Vec::new();
        for user in scim_users::list(&mut store.read().await?, ws, Offset { skip: 0, limit: 10 }).await? {
            names.push(user.user_name);
        }
        names.sort();
        assert_eq!(names, ["begun", "third", "waits"]);
        Ok(())
    });
}

#[test]
fn without_a_database_everyone_is_told() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let gate = Arc::new(Semaphore::new(0));
        let (gather, _) = adder(&store, ws, 1_000, gate.clone());
        store.close(std::time::Duration::from_secs(1)).await;
        for (_, answer) in all_ask(&gather, &gate, vec!["ada".to_owned(), "eve".to_owned()]).await {
            assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
        }
        Ok(())
    });
}
