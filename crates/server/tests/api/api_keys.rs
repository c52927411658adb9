//! `/api/v1/api-keys`.

use http::{Method, StatusCode};
use insta::assert_snapshot;
use jiff::SignedDuration;
use provost_testkit::server::{As, Database, Server};
use serde_json::json;

use super::{PATIENT, play};

const KEYS: &str = "/api/v1/api-keys";

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let transcript = play(async |s| {
        s.says("Each scope");
        let scopes = ["admin", "analytics.read", "compliance.read", "compliance.delete", "scim", "events.read"];
        for scope in scopes {
            s.post(KEYS, json!({ "name": scope, "scopes": [scope] })).await;
        }
        let body =
            json!({ "name": "twice", "scopes": ["events.read", "admin", "events.read"], "expires_in_days": 365 });
        let made = s.post(KEYS, body).await;
        s.says("Seen without their secret");
        s.get(&format!("{KEYS}?limit=3")).await;
        s.says("What cannot be");
        for body in [
            json!({ "name": "x", "scopes": [] }),
            json!({ "name": "x", "scopes": ["root"] }),
            json!({ "name": "", "scopes": ["admin"] }),
            json!({ "name": "a\u{0}", "scopes": ["admin"] }),
            json!({ "name": "x", "scopes": ["admin"], "expires_in_days": 0 }),
            json!({ "name": "x", "scopes": ["admin"], "expires_in_days": 366 }),
            json!({ "name": "x", "scopes": ["admin"], "status": "active" }),
            json!({ "name": "x" }),
        ] {
            s.post(KEYS, body).await;
        }
        s.says("Revoked");
        let path = format!("{KEYS}/{}", made.text("id"));
        s.delete(&path).await;
        s.delete(&path).await;
        s.call(&As::Key(made.text("key")), Method::GET, KEYS, None).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn a_key_works_until_its_end_and_only_as_what_it_is() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let body = json!({ "name": "x", "scopes": ["events.read"], "expires_in_days": 1 });
    let key = server.post(KEYS, body).await.text("key");
    let look =
        async |key: &str| server.call(&As::Key(key.to_owned()), Method::GET, "/api/v1/events", None).await.status;
    assert_eq!(look(&key).await, StatusCode::OK);
    for other in
        ["", "pk-", &key[..key.len() - 1], &format!("{key}x"), &key.to_uppercase(), &key.replacen("pk-", "at-", 1)]
    {
        assert_eq!(look(other).await, StatusCode::UNAUTHORIZED, "{other}");
    }
    // An API key is nobody's Codex.
    assert_eq!(super::client(&server, &key, "/codex/config/bundle").await.status, StatusCode::UNAUTHORIZED);
    server.advance(SignedDuration::from_hours(25));
    assert_eq!(look(&key).await, StatusCode::UNAUTHORIZED);
}
