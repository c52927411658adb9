//! Events of the hot path.

use std::time::Duration;

use provost_model::WorkspaceId;
use provost_model::event::{Actor, Event, EventType, Origin};
use provost_store::ledger::{self, Filter};
use provost_store::{Result, Store};
use serde_json::json;

use crate::acts::workspace;
use crate::database::on_both;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn turn(store: &Store, ws: WorkspaceId, n: i64) {
    let details = json!({ "n": n });
    store.record(ws, EventType::TurnCompleted, Actor::system(), Origin::default(), None, details);
}

/// The turns in the ledger, by what they were given.
pub(crate) async fn turns(store: &Store, ws: WorkspaceId) -> Result<Vec<i64>> {
    let filter = Filter { kind: Some(EventType::TurnCompleted), limit: 10_000, ..Filter::default() };
    let events = ledger::list(&mut store.read().await?, ws, &filter).await?;
    Ok(events.iter().filter_map(|event: &Event| event.details["n"].as_i64()).collect())
}

#[test]
fn queued_events_are_written_in_order() {
    on_both(async |database| {
        let store = database.open().await?;
        let (a, b) = (workspace(&store).await?, workspace(&store).await?);
        for n in 0..1_500 {
            turn(&store, if n % 3 == 0 { b } else { a }, n);
        }
        assert_eq!(store.backlog(), 1_500);
        assert!(store.flush(PATIENCE).await);
        assert_eq!(store.backlog(), 0);
        assert_eq!(turns(&store, a).await?, (0..1_500).filter(|n| n % 3 != 0).collect::<Vec<_>>());
        assert_eq!(turns(&store, b).await?, (0..1_500).step_by(3).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn flushing_waits_for_the_database_but_recording_never_does() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let mut hog = store.write().await?;
        hog.execute("UPDATE ledger_heads SET seq = seq", []).await?;
        for n in 0..3 {
            turn(&store, ws, n);
        }
        assert!(!store.flush(Duration::from_millis(200)).await, "it cannot have been written");
        assert_eq!(store.backlog(), 3, "what the writer holds in its hands waits too");
        drop(hog);
        assert!(store.flush(PATIENCE).await);
        assert_eq!(turns(&store, ws).await?, [0, 1, 2]);
        Ok(())
    });
}

#[test]
fn closing_writes_what_is_queued() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        for n in 0..10 {
            turn(&store, ws, n);
        }
        store.close(PATIENCE).await;
        assert_eq!(turns(&database.open().await?, ws).await?, (0..10).collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn an_event_that_cannot_be_written_holds_back_no_other() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let nowhere = WorkspaceId::new(store.clock().now());
        for n in 0..3 {
            turn(&store, nowhere, n);
            turn(&store, ws, n);
        }
        assert!(store.flush(PATIENCE).await);
        turn(&store, ws, 3);
        assert!(store.flush(PATIENCE).await);
        assert_eq!(turns(&store, ws).await?, [0, 1, 2, 3]);
        assert_eq!(store.backlog(), 0);
        Ok(())
    });
}

/// PostgreSQL's text cannot hold a NUL. Whoever sends one must not stay out of the ledger by it.
#[test]
fn whatever_a_stranger_calls_themselves_is_recorded() {
    on_both(async |database| {
        let store = database.open().await?;
        let ws = workspace(&store).await?;
        let origin = Origin { user_agent: Some("a\0b".to_owned()), ..Origin::default() };
        let actor = Actor::anonymous(Some("eve\0@example.com".to_owned()));
        store.record(ws, EventType::SignInFailed, actor, origin.clone(), None, json!({ "why": "\0" }));
        assert!(store.flush(PATIENCE).await);
        let mut tx = store.read().await?;
        let events = ledger::list(&mut tx, ws, &Filter { after: 1, limit: 9, ..Filter::default() }).await?;
        let [event] = events.as_slice() else { panic!("one event: {events:?}") };
        assert_eq!(event.actor.email.as_deref(), Some("eve\u{fffd}@example.com"));
        assert_eq!((&event.origin, &event.details), (&origin, &json!({ "why": "\0" })));
        assert_eq!(ledger::verify(&mut tx, ws).await?, Ok(2));
        Ok(())
    });
}
