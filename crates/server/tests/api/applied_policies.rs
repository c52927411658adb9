//! Which version of which policy a device was sent, and what it did with it.

use std::time::Duration;

use provost_model::{PolicyId, WorkspaceId};
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_testkit::server::Server;
use provost_testkit::upstream::Upstream;
use reqwest::Method;
use serde_json::json;

use super::stage::bearer;
use super::{BOTH, PATIENT};

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
    let mut tx = server.node.app.store.read().await.unwrap();
    policy_deliveries::of_version(&mut tx, ws, policy, version).await.unwrap()
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
