//! One simulation at a time, and none for nobody.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_model::event::{Actor, EventType, Origin};
use provost_store::tables::agent_commands::{self, AgentCommandRow};
use provost_testkit::server::{Database, Server};
use serde_json::{Value, json};

use super::{BOTH, House, SIMULATIONS, STRICTER, house, status};

fn body() -> Value {
    json!({ "policies": [{ "policy": "Loose", "contents": STRICTER }] })
}

fn asked(server: &Server, query: &str) -> reqwest::RequestBuilder {
    let request = server.request(Method::POST, &format!("{SIMULATIONS}{query}"));
    request.bearer_auth(&server.api_key).json(&body())
}

async fn refused(server: &Server) {
    let answer = server.post(SIMULATIONS, body()).await;
    assert_eq!(status(&answer), "429 too_many_requests", "{}", answer.body);
    assert!(answer.headers.contains_key("retry-after"));
}

/// Until the next one may run: it is no longer turned away, be it that it waits for something else.
async fn until_it_is_over(server: &Server) {
    // The run gives up by itself when nobody has read for half a minute; it must not come to that.
    let latest = Instant::now() + Duration::from_secs(15);
    while Instant::now() < latest {
        let next = asked(server, "").timeout(Duration::from_millis(500)).send().await;
        if next.is_err() || next.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the simulation goes on for nobody");
}

/// So many that an export of them, unread, is held up.
async fn record_many(house: &House) {
    let server = &house.server;
    let store = &server.node.app.store;
    let ws = server.workspace_id.parse().unwrap();
    let at = store.clock().now() - SignedDuration::from_hours(2);
    let command = |n: usize| AgentCommandRow {
        thread_id: "many".to_owned(),
        call_id: format!("call_{n}"),
        member_id: house.members[2].parse().unwrap(),
        at,
        argv: vec!["git".to_owned(), "push".to_owned(), "x".repeat(600)],
        outcome: "ran".to_owned(),
    };
    let mut tx = store.write().await.unwrap();
    for page in 0..12 {
        let rows: Vec<_> = (page * 4_000..(page + 1) * 4_000).map(command).collect();
        agent_commands::insert(&mut tx, ws, store.sealer(), &rows).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn one_runs_at_a_time_and_an_export_ends_with_its_reader() {
    for database in BOTH {
        let house = house(database).await;
        let server = &house.server;
        record_many(&house).await;
        for query in ["?format=jsonl", "?format=csv&list=commands"] {
            let unread = asked(server, query).send().await.unwrap();
            assert_eq!(unread.status(), StatusCode::OK);
            // It stands still, for nobody takes what it finds.
            tokio::time::sleep(Duration::from_millis(500)).await;
            refused(server).await;
            drop(unread);
            until_it_is_over(server).await;
        }
        // Nothing is left out of one that is read.
        let answer = server.send(asked(server, "?format=jsonl")).await;
        let text = answer.body.as_str().unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("\"thread_id\":\"many\"")).count(), 48_000);
    }
}

/// In line behind another change: its caller leaves, and so does it.
#[tokio::test]
async fn one_that_waits_ends_with_whoever_asked() {
    for database in BOTH {
        let house = house(database).await;
        let server = &house.server;
        let ws = server.workspace_id.parse().unwrap();
        let mut change = server.node.app.store.change(ws, Actor::system(), Origin::default()).await.unwrap();
        let waiting = asked(server, "").timeout(Duration::from_millis(500));
        let meanwhile = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            refused(server).await;
        };
        let (gone, ()) = tokio::join!(waiting.send(), meanwhile);
        assert!(gone.is_err(), "it cannot be answered yet");
        until_it_is_over(server).await;
        change.record(EventType::SettingsUpdated, None, json!({}));
        change.commit().await.unwrap();
        assert_eq!(server.post(SIMULATIONS, body()).await.status, StatusCode::OK);
    }
}

/// In the middle of its reading, which PostgreSQL can be made to hold up (readers of SQLite wait for nobody): its caller
/// leaves before anything is found.
#[tokio::test]
async fn one_that_reads_ends_with_whoever_asked() {
    let house = house(Database::Postgres).await;
    let server = &house.server;
    for query in ["", "?format=jsonl"] {
        let mut lock = server.node.app.store.write().await.unwrap();
        lock.execute("LOCK TABLE agent_commands IN ACCESS EXCLUSIVE MODE", []).await.unwrap();
        let reading = async {
            // The head of an export comes at once.
            let answer = asked(server, query).timeout(Duration::from_millis(800)).send().await?;
            answer.bytes().await
        };
        let meanwhile = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            refused(server).await;
        };
        let (gone, ()) = tokio::join!(reading, meanwhile);
        assert!(gone.is_err(), "it cannot be answered yet");
        until_it_is_over(server).await;
        drop(lock);
        until_it_is_over(server).await;
        assert_eq!(server.post(SIMULATIONS, body()).await.status, StatusCode::OK);
    }
}
