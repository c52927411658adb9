//! The database goes away and comes back.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use provost_testkit::server::{As, Database, Server};
use serde_json::json;

use super::issuer::{bundle_status, sign_in_client};
use super::{PATIENT, client, status};

#[tokio::test]
async fn delivery_goes_on_writes_fail_clearly_and_it_heals_by_itself() {
    let server = Server::start_with(Database::Postgres, PATIENT).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let signed_in = sign_in_client(&server, &mia).await;
    let strict = server.policy("Strict", "allowed_approval_policies = [\"on-request\"]\n").await;
    server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": strict })).await.ok();
    server.events("policy.fetched").await;
    let ready = async || server.call(&As::Nobody, Method::GET, "/readyz", None).await.ok();
    assert_eq!(ready().await, json!({ "status": "ok", "database": "ok", "event_backlog": 0 }));

    let postgres = server.postgres.as_ref().unwrap();
    postgres.shut().await;
    wait_until(async || ready().await["status"] == "degraded").await;
    assert_eq!(ready().await["database"], "unavailable");

    // Who holds a token goes on.
    for token in [&token, &signed_in.access] {
        assert_eq!(bundle_status(&server, token).await, StatusCode::OK);
        let answer = client(&server, token, "/backend-api/wham/accounts/check").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(bundle_status(&server, "at-unknown").await, StatusCode::UNAUTHORIZED);
    let whoami = client(&server, &token, "/api/accounts/v1/user-auth-credential/whoami").await;
    assert_eq!(whoami.status, StatusCode::OK);
    // Who writes hears that it cannot be, soon, and that nothing was written.
    let begin = Instant::now();
    let answer = server.post("/api/v1/groups", json!({ "name": "Ops" })).await;
    assert_eq!(status(&answer), "503 database_unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    for (who, path) in [(&server.admin(), "/api/v1/members"), (&mia, "/api/v1/session")] {
        assert_eq!(status(&server.call(who, Method::GET, path, None).await), "503 database_unavailable", "{path}");
    }
    let fields = std::collections::HashMap::from([
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", signed_in.refresh.clone()),
    ]);
    let renewal = super::issuer::form(&server, "/oauth/token", &fields).await;
    assert_eq!(renewal.status, StatusCode::SERVICE_UNAVAILABLE, "clients take it for transient: {}", renewal.body);
    let waiting = ready().await["event_backlog"].as_u64().unwrap();
    assert!(waiting > 0, "the fetches wait to be recorded");

    postgres.reopen().await;
    wait_until(async || ready().await["status"] == "ok").await;
    let fetched = server.events("policy.fetched").await;
    assert_eq!(fetched.len(), 1, "what happened meanwhile is on record: the fetches of one minute");
    assert_eq!(server.get("/api/v1/groups").await.ok()["data"], json!([]), "what was refused did not happen");
    server.post("/api/v1/groups", json!({ "name": "Ops" })).await.ok();
    super::issuer::Tokens::of(&super::issuer::form(&server, "/oauth/token", &fields).await);
}

async fn wait_until(done: impl AsyncFn() -> bool) {
    let waited = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), waited).await.expect("it comes about");
}
