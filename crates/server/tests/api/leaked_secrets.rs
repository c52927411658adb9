//! `/api/v1/leaked-secrets`.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, client, status};

const LEAKED: &str = "/api/v1/leaked-secrets";
const WHOAMI: &str = "/api/accounts/v1/user-auth-credential/whoami";

async fn make(server: &Server, name: &str) -> Answer {
    server.post("/api/v1/api-keys", json!({ "name": name, "scopes": ["events.read"] })).await
}

fn rows(found: &Value) -> Vec<(String, String, bool)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = found["data"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "name"), text(row, "status"), row["revoked"] == true)).collect()
}

#[tokio::test]
async fn what_leaked_is_found_told_and_revoked_once() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        let (live, gone) = (make(&server, "live").await, make(&server, "gone").await);
        server.delete(&format!("/api/v1/api-keys/{}", gone.text("id"))).await.ok();
        let rotated = make(&server, "rotated").await;
        let path = format!("/api/v1/api-keys/{}/rotate", rotated.text("id"));
        server.post(&path, json!({ "overlap_hours": 0 })).await.ok();
        // Of another Provost: the documents' example.
        let foreign = "pk-000000000000000000000000000000000000000000013RV57";
        let text = format!(
            "curl -H 'Authorization: Bearer {}' https://x\nCODEX_ACCESS_TOKEN={token}\nA={}&B={} {foreign}\n{}",
            live.text("key"),
            gone.text("key"),
            rotated.text("key"),
            live.text("key"),
        );
        let report = |revoke| json!({ "text": text, "source": "https://git.example/x/commit/1", "revoke": revoke });
        let found = server.post(LEAKED, report(false)).await.ok();
        let row = |name: &str, status: &str, revoked| (name.to_owned(), status.to_owned(), revoked);
        let expected = vec![
            row("live", "live", false),
            row("gone", "ended", false),
            row("rotated", "ended", false),
            row("", "unknown", false),
            row("test", "live", false),
        ];
        assert_eq!(rows(&found), expected);
        let events = server.events("credential.leaked").await;
        assert_eq!(events.len(), 4);
        for secret in [&live.text("key"), &gone.text("key"), &rotated.text("key"), &token] {
            assert!(!found.to_string().contains(secret.as_str()), "no answer holds a secret");
            assert!(!json!(events).to_string().contains(secret.as_str()), "no event holds a secret");
        }
        assert_eq!(events[0]["details"]["source"], "https://git.example/x/commit/1");
        assert_eq!(client(&server, &token, WHOAMI).await.status, StatusCode::OK);

        server.post(LEAKED, report(false)).await.ok();
        assert_eq!(server.events("credential.leaked").await.len(), 4, "twice is once");
        let found = server.post(LEAKED, report(true)).await.ok();
        assert_eq!(rows(&found)[0], row("live", "live", true));
        assert_eq!(client(&server, &token, WHOAMI).await.status, StatusCode::UNAUTHORIZED);
        let key = As::Key(live.text("key"));
        assert_eq!(server.call(&key, Method::GET, "/api/v1/events", None).await.status, StatusCode::UNAUTHORIZED);
        let found = server.post(LEAKED, report(true)).await.ok();
        assert!(rows(&found).iter().all(|(_, status, revoked)| status != "live" && !revoked), "{found}");
        assert_eq!(server.events("credential.leaked").await.len(), 6);
        // One by one, and the secret of before an overlap that still runs.
        let again = make(&server, "again").await;
        let path = format!("/api/v1/api-keys/{}/rotate", again.text("id"));
        server.post(&path, json!({})).await.ok();
        let body = json!({ "secrets": [again.text("key")], "revoke": true });
        assert_eq!(rows(&server.post(LEAKED, body).await.ok()), [row("again", "live", true)]);
        server.advance(SignedDuration::from_hours(1));
    }
}

#[tokio::test]
async fn a_report_has_limits_and_needs_a_permission() {
    let server = Server::start_with(super::BOTH[0], PATIENT).await;
    assert_eq!(server.post(LEAKED, json!({ "text": "nothing here" })).await.ok(), json!({ "data": [] }));
    let long = server.post(LEAKED, json!({ "text": "x".repeat(1024 * 1024) })).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    let key = make(&server, "x").await;
    let body = json!({ "text": "", "source": format!("https://x/?key={}", key.text("key")) });
    assert_eq!(status(&server.post(LEAKED, body).await), "422 holds_a_secret source");
    let reader = As::Key(key.text("key"));
    let answer = server.call(&reader, Method::POST, LEAKED, Some(json!({ "text": "" }))).await;
    assert_eq!(status(&answer), "403 forbidden");
    assert_eq!(server.events("credential.leaked").await.len(), 0);
}
