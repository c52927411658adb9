//! Which version of which policy a device was sent, and what it did with it.

use std::time::Duration;

use provost_model::{PolicyId, WorkspaceId};
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_testkit::server::{Database, Server};
use provost_testkit::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

use super::stage::bearer;
use super::telemetry::{report, reporting, turn_event};
use super::{BOTH, PATIENT, status};

const STRICT: &str = "allowed_sandbox_modes = [\"read-only\"]\n";
const CLIENT: &str = "codex_cli_rs/0.169.0 (Debian 13; x86_64) xterm";

/// Fetches the bundle as a client of this version, and waits until that is written.
async fn fetch(server: &Server, token: &str, client: &str) {
    let request = bearer(server, Method::GET, "/backend-api/wham/config/bundle", token);
    server.send(request.header("user-agent", client)).await.ok();
    written(server).await;
}

async fn turn(server: &Server, token: &str, model: &str) {
    let request = bearer(server, Method::POST, "/backend-api/codex/responses", token);
    let body = json!({ "model": model, "input": "hi", "stream": true });
    server.send(request.header("user-agent", CLIENT).json(&body)).await;
    written(server).await;
}

async fn written(server: &Server) {
    let app = &server.node.app;
    assert!(app.deliveries.flush(&app.store, Duration::from_secs(10)).await, "the deliveries are written");
}

async fn of_version(server: &Server, policy: &str, version: u32) -> Vec<DeliveryRow> {
    let (ws, policy): (WorkspaceId, PolicyId) = (server.workspace_id.parse().unwrap(), policy.parse().unwrap());
    let Ok(mut tx) = server.node.app.store.read().await else { return Vec::new() };
    policy_deliveries::of_version(&mut tx, ws, policy, version).await.unwrap_or_default()
}

#[tokio::test]
async fn what_the_machines_of_an_enrolment_were_sent_is_counted_as_one_device_of_nobody() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = server.policy("Strict", STRICT).await;
        let group = server.group("CI", &[]).await;
        let rules = json!({ "rules": [{ "group_id": group, "policy_id": policy }], "fallback_policy_id": null });
        server.put("/api/v1/policy-rules", rules).await.ok();
        let made = server.post("/api/v1/device-enrolments", json!({ "name": "CI", "group_id": group })).await;
        let url = format!("{}/codex/config/bundle", made.text("base_url"));
        let path = url.strip_prefix(server.url()).unwrap();
        server.send(server.request(Method::GET, path).header("user-agent", CLIENT)).await.ok();
        written(&server).await;
        let devices = server.get("/api/v1/applied-policies").await.ok();
        let [device] = &devices["data"].as_array().unwrap()[..] else { panic!("one device: {devices}") };
        assert_eq!((&device["device"], &device["member_id"]), (&json!(made.text("id")), &Value::Null));
        assert_eq!(device["delivered"], json!({ "id": policy, "version": 1 }));
        // What such a client would make of a policy is asked before it is published, too.
        let lint = server.post("/api/v1/policies/lint", json!({ "contents": STRICT })).await.ok();
        assert_eq!(lint["client_versions"][0]["version"], "0.169.0");
        assert_eq!(lint["client_versions"][0]["members"], 0);
    }
}

#[tokio::test]
async fn what_a_device_was_sent_and_did_is_counted() {
    for database in BOTH {
        let (server, upstream) = (Server::start_with(database, PATIENT).await, Upstream::start().await);
        server.upstream(&upstream.url(), &["gpt-test"]).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let mia = server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        let policy = server.policy("Strict", STRICT).await;
        server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": policy })).await.ok();

        // A client that still has its policy, on a node that has just started.
        turn(&server, &token, "gpt-test").await;
        let [row] = &of_version(&server, &policy, 1).await[..] else { panic!("one device") };
        assert_eq!((row.fetches, row.turns, row.failed_turns), (0, 1, 0));

        fetch(&server, &token, CLIENT).await;
        let sent_at = of_version(&server, &policy, 1).await[0].last_at;
        // The same again within the second is the same.
        fetch(&server, &token, CLIENT).await;
        server.advance(jiff::SignedDuration::from_secs(60));
        turn(&server, &token, "gpt-test").await;
        turn(&server, &token, "gpt-other").await;
        let [row] = &of_version(&server, &policy, 1).await[..] else { panic!("one device") };
        assert_eq!((row.fetches, row.turns, row.failed_turns), (1, 3, 1));
        assert_eq!((row.member_id.as_str(), row.client_version.as_str()), (mia.as_str(), "0.169.0"));
        assert_eq!(row.last_at, sent_at, "a turn is no delivery");
        assert!(row.last_turn_at.is_some_and(|at| at > sent_at));

        // Until it fetches the next version, it runs under the one that it has.
        let next =
            json!({ "name": "Strict", "contents": "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]\n" });
        server.put(&format!("/api/v1/policies/{policy}"), next).await.ok();
        turn(&server, &token, "gpt-test").await;
        assert_eq!(of_version(&server, &policy, 1).await[0].turns, 4);
        assert_eq!(of_version(&server, &policy, 2).await, []);
        fetch(&server, &token, "codex_cli_rs/0.170.0").await;
        turn(&server, &token, "gpt-test").await;
        let [row] = &of_version(&server, &policy, 2).await[..] else { panic!("one device") };
        assert_eq!((row.fetches, row.turns, row.client_version.as_str()), (1, 1, "0.170.0"));
        assert_eq!(of_version(&server, &policy, 1).await[0].turns, 4);
    }
}

/// The state of the one device, and how many reasons there are for it.
async fn state(server: &Server) -> (String, Value) {
    let list = server.get("/api/v1/applied-policies").await.ok();
    let [device] = &list["data"].as_array().unwrap()[..] else { panic!("{list}") };
    (device["state"].as_str().unwrap().to_owned(), device.clone())
}

#[tokio::test]
async fn a_device_is_in_step_falls_behind_and_contradicts() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = reporting(&server).await;
        let mia = server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        assert_eq!(server.get("/api/v1/applied-policies").await.ok()["data"], json!([]));
        fetch(&server, &token, CLIENT).await;
        let (now_in, device) = state(&server).await;
        assert_eq!((now_in.as_str(), &device["last_session"]), ("unknown", &Value::Null));
        let version = |version: u32| json!({ "id": policy, "version": version });
        assert_eq!((&device["member_id"], &device["client_version"]), (&json!(mia), &json!("0.169.0")));
        assert_eq!((&device["delivered"], &device["current"]), (&version(1), &version(1)));

        report(&server, &token, turn_event("t-1", "on-request", "read_only", server.clock.now())).await.ok();
        let (now_in, device) = state(&server).await;
        assert_eq!((now_in.as_str(), &device["last_session"]["thread_id"]), ("in_step", &json!("t-1")));

        // A client that goes on for more than an hour without asking for what is new.
        let next = json!({ "name": "Strict", "contents": STRICT });
        server.put(&format!("/api/v1/policies/{policy}"), next).await.ok();
        assert_eq!(state(&server).await.0, "in_step", "it may not know better");
        server.advance(jiff::SignedDuration::from_mins(61));
        assert_eq!(state(&server).await.0, "in_step", "it does nothing");
        turn(&server, &token, "gpt-none").await;
        let (now_in, device) = state(&server).await;
        assert_eq!((now_in.as_str(), &device["delivered"], &device["current"]), ("behind", &version(1), &version(2)));
        assert_eq!(device["reasons"].as_array().unwrap().len(), 1);
        report(&server, &token, turn_event("t-2", "on-request", "read_only", server.clock.now())).await.ok();
        assert_eq!(server.get("/api/v1/agent-sessions?verdict=behind").await.ok()["data"][0]["thread_id"], "t-2");

        // It asks, and is in step again; then it runs looser than it was told.
        fetch(&server, &token, CLIENT).await;
        server.advance(jiff::SignedDuration::from_secs(5));
        report(&server, &token, turn_event("t-3", "on-request", "read_only", server.clock.now())).await.ok();
        assert_eq!(state(&server).await.0, "in_step");
        server.advance(jiff::SignedDuration::from_secs(5));
        report(&server, &token, turn_event("t-4", "never", "full_access", server.clock.now())).await.ok();
        let (now_in, device) = state(&server).await;
        assert_eq!((now_in.as_str(), &device["delivered"]), ("contradicting", &version(2)));

        let count = async |query: &str| {
            let list = server.get(&format!("/api/v1/applied-policies?{query}")).await.ok();
            list["data"].as_array().unwrap().len()
        };
        let other = server.owner_id.clone();
        let asked = [format!("member_id={mia}"), format!("policy_id={policy}"), "state=contradicting".to_owned()];
        for query in &asked {
            assert_eq!(count(query).await, 1, "{query}");
        }
        assert_eq!((count(&format!("member_id={other}")).await, count("state=in_step").await), (0, 0));
        assert_eq!(status(&server.get("/api/v1/applied-policies?state=x").await), "422 unknown_state state");
        assert_eq!(status(&server.get("/api/v1/applied-policies?policy_id=x").await), "422 invalid_id policy_id");
    }
}

#[tokio::test]
async fn deliveries_that_the_database_missed_are_written_when_it_is_back() {
    let server = Server::start_with(Database::Postgres, PATIENT).await;
    let policy = reporting(&server).await;
    server.member("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let postgres = server.postgres.as_ref().unwrap();
    postgres.shut().await;
    let request = bearer(&server, Method::GET, "/backend-api/wham/config/bundle", &token);
    server.send(request.header("user-agent", CLIENT)).await.ok();
    let app = &server.node.app;
    assert!(!app.deliveries.flush(&app.store, Duration::from_secs(10)).await, "they wait");
    postgres.reopen().await;
    // Nobody asks for it to be written.
    let appeared = async {
        while of_version(&server, &policy, 1).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), appeared).await.expect("they are written");
    assert_eq!(of_version(&server, &policy, 1).await[0].fetches, 1);
}
