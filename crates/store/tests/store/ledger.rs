use std::time::Duration;

use provost_model::WorkspaceId;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_store::ledger::{self, Filter};
use provost_store::{Result, Store};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::acts::{change, workspace};
use crate::database::on_both;

async fn record(store: &Store, ws: WorkspaceId, kind: EventType, actor: Actor, details: Value) -> Result<()> {
    let origin = Origin {
        request_id: Some("req_1".to_owned()),
        ip: Some("2001:db8::1".to_owned()),
        user_agent: Some("codex_cli_rs/0.169.0 \"x\"".to_owned()),
    };
    let mut change = store.change(ws, actor, origin).await?;
    change.record(kind, Target::new("member", "mem_1", "O'Brien 🦀"), details);
    change.commit().await
}

async fn verify(store: &Store, ws: WorkspaceId) -> Result<Result<i64, String>> {
    ledger::verify(&mut store.read().await?, ws).await
}

#[test]
fn an_event_is_read_as_it_was_written() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let before = store.clock().now();
        let details = json!({ "a": [1, null, "\u{0}\u{301}"], "b": { "before": 0.1, "after": true } });
        let actor = Actor::anonymous(Some("who@example.com".to_owned()));
        record(&store, ws, EventType::SignInFailed, actor.clone(), details.clone()).await?;
        let filter = Filter { after: 1, limit: 9, ..Filter::default() };
        let events = ledger::list(&mut store.read().await?, ws, &filter).await?;
        let [event] = events.as_slice() else { panic!("one event: {events:?}") };
        assert_eq!(
            (event.seq, event.kind, &event.actor, &event.details),
            (2, EventType::SignInFailed, &actor, &details)
        );
        assert_eq!(event.target, Some(Target::new("member", "mem_1", "O'Brien 🦀")));
        assert_eq!(event.origin.ip.as_deref(), Some("2001:db8::1"));
        assert!(before <= event.at && event.at <= store.clock().now());
        assert_eq!(event.hash.len(), 64);
        Ok(())
    });
}

#[test]
fn events_are_listed_by_type_actor_and_place() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mail = |text: &str| Actor::anonymous(Some(text.to_owned()));
        let key = provost_model::ApiKeyId::new(store.clock().now());
        for (kind, actor) in [
            (EventType::SignInFailed, mail("ada@example.com")),
            (EventType::SignInSucceeded, mail("ada@example.com")),
            (EventType::SignInFailed, mail("eve@example.com")),
            (EventType::MemberCreated, Actor::api_key(key)),
        ] {
            record(&store, ws, kind, actor, json!({})).await?;
        }
        let list = async |filter: Filter| -> Result<Vec<i64>> {
            let events = ledger::list(&mut store.read().await?, ws, &filter).await?;
            Ok(events.iter().map(|event| event.seq).collect())
        };
        let all = || Filter { limit: 100, ..Filter::default() };
        assert_eq!(list(all()).await?, [1, 2, 3, 4, 5]);
        assert_eq!(list(Filter { after: 2, limit: 2, ..all() }).await?, [3, 4]);
        assert_eq!(list(Filter { kind: Some(EventType::SignInFailed), ..all() }).await?, [2, 4]);
        assert_eq!(list(Filter { actor: Some("ada@example.com".to_owned()), ..all() }).await?, [2, 3]);
        assert_eq!(list(Filter { actor: Some(key.to_string()), ..all() }).await?, [5]);
        let both = Filter { kind: Some(EventType::SignInFailed), actor: Some("eve@example.com".to_owned()), ..all() };
        assert_eq!(list(both).await?, [4]);
        Ok(())
    });
}

/// Eight writers and the hot path write at once, on two nodes: the ledger is still one line.
#[test]
fn places_have_no_gaps_whoever_writes() {
    on_both(async |database| {
        let nodes = [database.open().await?, database.open().await?];
        let ws = workspace(&nodes[0]).await?;
        let mut writers: JoinSet<Result<()>> = JoinSet::new();
        for n in 0..8 {
            let store = nodes[n % 2].clone();
            writers.spawn(async move {
                for turn in 0..10 {
                    let mut change = change(&store, ws).await?;
                    change.record(EventType::SettingsUpdated, None, json!({ "writer": n, "turn": turn }));
                    change.record(EventType::SettingsUpdated, None, json!({ "writer": n, "turn": turn }));
                    change.commit().await?;
                    let details = json!({ "hot": n, "turn": turn });
                    store.record(ws, EventType::TurnCompleted, Actor::system(), Origin::default(), None, details);
                }
                Ok(())
            });
        }
        for written in writers.join_all().await {
            written?;
        }
        for node in &nodes {
            assert!(node.flush(Duration::from_secs(10)).await);
        }
        let all = Filter { limit: 1_000, ..Filter::default() };
        let events = ledger::list(&mut nodes[0].read().await?, ws, &all).await?;
        let places: Vec<i64> = events.iter().map(|event| event.seq).collect();
        assert_eq!(places, (1..=1 + 8 * 30).collect::<Vec<_>>());
        assert_eq!(verify(&nodes[1], ws).await?, Ok(241));
        // What one writer wrote is there in its order.
        for n in 0..8 {
            let turns = events.iter().filter(|event| event.details["writer"] == n).map(|event| &event.details["turn"]);
            assert!(turns.map(Value::as_i64).is_sorted());
            let hot = events.iter().filter(|event| event.details["hot"] == n).map(|event| &event.details["turn"]);
            assert_eq!(hot.filter_map(Value::as_i64).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
        }
        Ok(())
    });
}

#[test]
fn the_chain_tells_what_was_altered() {
    on_both(async |database| {
        let store = database.open().await?;
        let last = "(SELECT MAX(e.seq) FROM events e WHERE e.workspace_id = events.workspace_id)";
        let acts = [
            ("UPDATE events SET details = '{\"n\":9}' WHERE seq = 3", "event 3 was altered"),
            ("UPDATE events SET at = at + 1 WHERE seq = 2", "event 2 was altered"),
            ("UPDATE events SET type = 'member.deleted' WHERE seq = 2", "event 2 was altered"),
            ("UPDATE events SET id = id || '0' WHERE seq = 2", "event 2 was altered"),
            ("UPDATE events SET actor_kind = 'member' WHERE seq = 4", "event 4 was altered"),
            ("UPDATE events SET actor_id = 'mem_0' WHERE seq = 4", "event 4 was altered"),
            // Nobody and nothing are not the same.
            ("UPDATE events SET actor_id = '' WHERE seq = 4", "event 4 was altered"),
            ("UPDATE events SET actor_email = NULL WHERE seq = 4", "event 4 was altered"),
            ("UPDATE events SET target = NULL WHERE seq = 5", "event 5 was altered"),
            ("UPDATE events SET origin = '{}' WHERE seq = 5", "event 5 was altered"),
            ("UPDATE events SET hash = (SELECT hash FROM ledger_heads LIMIT 1) WHERE seq = 3", "event 3 was altered"),
            ("UPDATE events SET seq = 9 WHERE seq = 5", "event 5 is missing"),
            ("DELETE FROM events WHERE seq = 1", "event 1 is missing"),
            ("DELETE FROM events WHERE seq = 3", "event 3 is missing"),
            // A hole closed by moving up what follows.
            ("DELETE FROM events WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq = 5", "event 4 was altered"),
            (&*format!("DELETE FROM events WHERE seq = {last}"), "events after 4 are missing"),
            ("DELETE FROM events WHERE seq > 0", "events after 0 are missing"),
            ("UPDATE ledger_heads SET seq = seq + 1", "events after 5 are missing"),
        ];
        let mut ledgers = Vec::new();
        for _ in &acts {
            let ws = workspace(&store).await?;
            for n in 2..=5 {
                let actor = Actor::anonymous(Some("who@example.com".to_owned()));
                record(&store, ws, EventType::SignInFailed, actor, json!({ "n": n })).await?;
            }
            assert_eq!(verify(&store, ws).await?, Ok(5));
            ledgers.push(ws);
        }
        for (ws, (act, found)) in ledgers.into_iter().zip(acts) {
            let here = |statement: &str| match statement.contains(" WHERE ") {
                true => format!("{statement} AND workspace_id = '{ws}'"),
                false => format!("{statement} WHERE workspace_id = '{ws}'"),
            };
            let act: Vec<String> = act.split("; ").map(here).collect();
            database.tamper(act.join("; ")).await;
            assert_eq!(verify(&store, ws).await?, Err(found.to_owned()), "{act:?}");
        }
        Ok(())
    });
}

/// A ledger that grows while it is verified is not taken for a broken one.
#[test]
fn verifying_does_not_mind_who_writes_meanwhile() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let writing: tokio::task::JoinHandle<Result<()>> = tokio::spawn({
            let store = store.clone();
            async move {
                for _ in 0..30 {
                    record(&store, ws, EventType::SettingsUpdated, Actor::system(), json!({})).await?;
                }
                Ok(())
            }
        });
        while !writing.is_finished() {
            verify(&store, ws).await?.expect("the chain is whole");
        }
        writing.await.expect("no panic")
    });
}
