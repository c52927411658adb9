use std::time::{Duration, Instant};

use provost_model::event::{Actor, EventType, Origin};
use provost_model::{LeaverApiKeys, MemberId, Settings};
use provost_store::ledger::{self, Filter};
use provost_store::tables::{members, upstreams, workspaces};
use provost_store::{Error, Touched};
use serde_json::json;

use crate::acts::{add_member, change, commit, eventually, member, upstream, workspace};
use crate::database::{Database, on_both};

#[test]
fn a_committed_change_is_seen_at_once() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let before = store.workspace(ws).expect("it is there");
        let added = add_member(&store, ws, "ada@example.com").await?;
        let after = store.workspace(ws).expect("it is there");
        assert_eq!(after.members[&added.id].email, added.email);
        assert!(after.version > before.version);
        // Whoever still holds the old snapshot reads on undisturbed.
        assert!(before.members.is_empty());
        Ok(())
    });
}

#[test]
fn another_node_sees_a_change_within_a_second() {
    on_both(async |database| {
        let (here, there) = (database.open().await?, database.open().await?);
        let ws = workspace(&here).await?;
        eventually(Duration::from_secs(1), "the workspace is there", || there.workspace(ws).is_some()).await;
        for n in 0..3 {
            let added = add_member(&here, ws, &format!("m{n}@example.com")).await?;
            let seen = || there.workspace(ws).is_some_and(|workspace| workspace.members.contains_key(&added.id));
            eventually(Duration::from_secs(1), "the member is there", seen).await;
        }
        Ok(())
    });
}

/// PostgreSQL calls out a change; without that, other nodes would wait for their next poll, 400 ms
/// apart: the mean of ten changes would be some 200 ms.
#[test]
fn a_change_is_called_out_to_other_nodes() {
    on_both(async |database| {
        let Database::Postgres(_) = database else { return Ok(()) };
        let (here, there) = (database.open().await?, database.open().await?);
        let ws = workspace(&here).await?;
        eventually(Duration::from_secs(1), "the workspace is there", || there.workspace(ws).is_some()).await;
        let start = Instant::now();
        for n in 0..10 {
            let added = add_member(&here, ws, &format!("m{n}@example.com")).await?;
            let seen = || there.workspace(ws).is_some_and(|workspace| workspace.members.contains_key(&added.id));
            eventually(Duration::from_secs(1), "the member is there", seen).await;
        }
        assert!(start.elapsed() < Duration::from_millis(1_500), "ten changes took {:?}", start.elapsed());
        Ok(())
    });
}

#[test]
fn a_change_without_an_event_is_refused_and_writes_nothing() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut unrecorded = change(&store, ws).await?;
        let row = member(unrecorded.at(), "ada@example.com");
        members::insert(&mut unrecorded, ws, &row, None).await?;
        unrecorded.touch(Touched::Member(row.id));
        assert!(matches!(unrecorded.commit().await, Err(Error::Unrecorded)));
        assert!(members::get(&mut store.read().await?, ws, row.id).await?.is_none());
        assert!(store.workspace(ws).expect("it is there").members.is_empty());
        Ok(())
    });
}

#[test]
fn a_dropped_change_never_happened() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut dropped = change(&store, ws).await?;
        let row = member(dropped.at(), "ada@example.com");
        members::insert(&mut dropped, ws, &row, None).await?;
        dropped.record(EventType::MemberCreated, None, json!({}));
        dropped.touch(Touched::Member(row.id));
        drop(dropped);
        // The next change is not kept waiting, and finds the address free.
        add_member(&store, ws, "ada@example.com").await?;
        let mut tx = store.read().await?;
        assert!(members::get(&mut tx, ws, row.id).await?.is_none());
        let everything = Filter { limit: 100, ..Filter::default() };
        let events = ledger::list(&mut tx, ws, &everything).await?;
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2]);
        assert!(events.iter().all(|event| event.kind != EventType::MemberCreated));
        Ok(())
    });
}

#[test]
fn changes_of_one_workspace_stand_in_line() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let first_id = add_member(&store, ws, "first@example.com").await?.id;
        let first = change(&store, ws).await?;
        let second = tokio::spawn({
            let store = store.clone();
            async move { change(&store, ws).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!second.is_finished(), "it must wait for the first");
        let mut first = first;
        members::delete(&mut first, ws, first_id).await?;
        first.touch(Touched::Member(first_id));
        commit(first).await?;
        let mut second = second.await.expect("no panic")?;
        // It sees what the first one did: what it checks stays true until it commits.
        assert!(members::get(&mut second, ws, first_id).await?.is_none());
        commit(second).await
    });
}

#[test]
fn a_change_of_an_unknown_workspace_is_refused() {
    on_both(async |database| {
        let store = database.open().await?;
        let unknown = provost_model::WorkspaceId::new(store.clock().now());
        let error = store.change(unknown, Actor::system(), Origin::default()).await.err().expect("it is refused");
        assert!(matches!(error, Error::Corrupt("workspace", _)), "{error}");
        Ok(())
    });
}

#[test]
fn a_workspace_that_cannot_be_read_holds_back_no_other() {
    on_both(async |database| {
        let store = database.open().await?;
        let (broken, whole) = (workspace(&store).await?, workspace(&store).await?);
        // A key that was sealed under another master key.
        let mut damaging = change(&store, broken).await?;
        let row = upstreams::UpstreamRow { api_key_sealed: Some(vec![1; 40]), ..upstream(damaging.at(), "Models") };
        upstreams::insert(&mut damaging, broken, &row).await?;
        damaging.touch(Touched::Upstream(row.id));
        // It is committed, so it is no failure for whoever asked for it.
        commit(damaging).await?;
        assert!(store.workspace(broken).expect("the last snapshot").upstreams.is_empty());

        let added = add_member(&store, whole, "ada@example.com").await?;
        assert!(store.workspace(whole).expect("it is there").members.contains_key(&added.id));
        // A start, though, says what is wrong.
        assert!(matches!(database.open().await.err(), Some(Error::Unsealable)));
        Ok(())
    });
}

#[test]
fn a_database_restored_from_a_backup_is_read_anew() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let added = add_member(&store, ws, "ada@example.com").await?;
        database.tamper("DELETE FROM members; DELETE FROM changes; UPDATE workspaces SET version = 1").await;
        store.refresh().await?;
        assert!(!store.workspace(ws).expect("it is there").members.contains_key(&added.id));
        Ok(())
    });
}

#[test]
fn settings_are_kept_whole() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let settings = Settings {
            name: "Ümläut & Söhne 🦀".to_owned(),
            codex_local: false,
            device_code_login: true,
            codex_access_tokens: true,
            access_token_max_days: Some(u32::MAX),
            codex_cloud: true,
            slack_post_answers: true,
            agent_internet_access: true,
            administer_codex: true,
            require_mfa: true,
            store_content: true,
            retention_days: 3_650,
            sso_required: true,
            break_glass_owner_ids: vec![MemberId::new(store.clock().now())],
            api_key_approval: true,
            leaver_api_keys: LeaverApiKeys::Revoke,
            session_idle_minutes: 5,
            session_max_hours: 1,
            policy_approval: true,
            telemetry: true,
            record_commands: true,
        };
        let mut changing = change(&store, ws).await?;
        workspaces::set_settings(&mut changing, ws, &settings).await?;
        changing.touch(Touched::Workspace);
        commit(changing).await?;
        assert_eq!(*store.workspace(ws).expect("it is there").settings, settings);
        let mut tx = database.open().await?.read().await?;
        assert_eq!(workspaces::settings(&mut tx, ws).await?, settings);
        assert_eq!(workspaces::count(&mut tx).await?, 1);
        Ok(())
    });
}
