//! `/api/v1/api-keys`.

use http::{Method, StatusCode};
use insta::assert_snapshot;
use jiff::SignedDuration;
use provost_testkit::server::{As, Database, PASSWORD, Server};
use serde_json::json;

use super::{BOTH, PATIENT, play, status};

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

#[tokio::test]
async fn a_secret_carries_a_checksum_and_a_typo_is_told_from_a_stranger() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let made = server.post(KEYS, json!({ "name": "x", "scopes": ["events.read"] })).await;
    let key = made.text("key");
    assert_eq!(key.len(), 52);
    assert!(key[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "a double click takes it whole");
    assert!(key.ends_with(&made.text("last4")));
    let letter = if key.as_bytes()[10] == b'a' { "b" } else { "a" };
    let typo = format!("{}{letter}{}", &key[..10], &key[11..]);
    let answer = server.call(&As::Key(typo), Method::GET, "/api/v1/events", None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.body["error"]["message"].as_str().unwrap().contains("mistyped"), "{}", answer.body);
    // One of before, without a checksum, is looked up like any other.
    let former = format!("pk-{}", "A".repeat(43));
    let answer = server.call(&As::Key(former), Method::GET, "/api/v1/events", None).await;
    assert!(answer.body["error"]["message"].as_str().unwrap().contains("not known"), "{}", answer.body);
    // Never in an address, where it would be logged on its way.
    for name in ["access_token", "key", "api_key", "token", "authorization"] {
        let path = format!("/api/v1/events?{name}={key}");
        let answer = server.call(&As::Nobody, Method::GET, &path, None).await;
        assert!(answer.status == StatusCode::UNAUTHORIZED, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_rotated_key_works_with_both_secrets_until_the_overlap_ends() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let body = json!({ "name": "x", "scopes": ["events.read"], "expires_in_days": 10 });
        let made = server.post(KEYS, body).await;
        let (id, first) = (made.text("id"), made.text("key"));
        let look = async |key: &str| {
            let answer = server.call(&As::Key(key.to_owned()), Method::GET, "/api/v1/events", None).await;
            answer.status.as_u16()
        };
        let rotate =
            async |who: &As, body| server.call(who, Method::POST, &format!("{KEYS}/{id}/rotate"), Some(body)).await;
        server.advance(SignedDuration::from_hours(4 * 24));
        let rotated = rotate(&server.admin(), json!({})).await;
        let second = rotated.text("key");
        assert!(rotated.body["previous_expires_at"].is_string(), "{}", rotated.body);
        assert_eq!((look(&first).await, look(&second).await), (200, 200));
        // A node that starts anew knows both as well, and one that follows learned of the second.
        let other = server.second_node().await;
        assert_eq!(other.app.store.workspace(server.workspace_id.parse().unwrap()).unwrap().api_keys.len(), 3);
        other.stop().await;

        // The key renews itself; of the secrets before, one works.
        let third = rotate(&As::Key(second.clone()), json!({ "overlap_hours": 1 })).await.text("key");
        assert_eq!((look(&first).await, look(&second).await, look(&third).await), (401, 200, 200));
        server.advance(SignedDuration::from_mins(61));
        assert_eq!((look(&second).await, look(&third).await), (401, 200));
        let fourth = rotate(&server.admin(), json!({ "overlap_hours": 0 })).await.text("key");
        assert_eq!((look(&third).await, look(&fourth).await), (401, 200));
        assert_eq!(server.get(&format!("{KEYS}/{id}")).await.ok()["previous_expires_at"], json!(null));

        // As long again as it was made for: ten days, from the last rotation.
        server.advance(SignedDuration::from_hours(9 * 24));
        assert_eq!(look(&fourth).await, 200);
        server.advance(SignedDuration::from_hours(25));
        assert_eq!(look(&fourth).await, 401);
        let answer = rotate(&server.admin(), json!({})).await;
        assert_eq!(status(&answer), "409 expired");
        for wrong in [json!({ "overlap_hours": 169 }), json!({ "overlap_hours": -1 }), json!({ "overlap": 1 })] {
            assert_eq!(rotate(&server.admin(), wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert_eq!(server.events("api_key.rotated").await.len(), 3);
        // Revoking ends every secret.
        let made = server.post(KEYS, json!({ "name": "y", "scopes": ["events.read"] })).await;
        let path = format!("{KEYS}/{}", made.text("id"));
        let renewed = server.post(&format!("{path}/rotate"), json!({})).await.text("key");
        server.delete(&path).await.ok();
        assert_eq!((look(&made.text("key")).await, look(&renewed).await), (401, 401));
    }
}

#[tokio::test]
async fn nobody_rotates_a_key_into_more_than_they_hold() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let body = json!({ "email": "adam@acme.example", "password": PASSWORD, "builtin_role": "admin" });
    let owner = super::stage::owner(&server).await;
    server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
    let adam = server.sign_in("adam@acme.example").await;
    let made = server.post(KEYS, json!({ "name": "x", "scopes": ["compliance.read"] })).await;
    let rotate = format!("{KEYS}/{}/rotate", made.text("id"));
    let answer = server.call(&adam, Method::POST, &rotate, Some(json!({}))).await;
    assert_eq!(status(&answer), "403 cannot_grant_more_than_you_hold");
    // Nor moves it to where they are.
    let path = format!("{KEYS}/{}", made.text("id"));
    let answer = server.call(&adam, Method::PATCH, &path, Some(json!({ "allowed_ips": ["10.0.0.0/8"] }))).await;
    assert_eq!(status(&answer), "403 cannot_grant_more_than_you_hold");
    // A plain member is not told whether it is there; a key without the permission renews only itself.
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    assert_eq!(status(&server.call(&mia, Method::POST, &rotate, Some(json!({}))).await), "404 not_found");
    assert_eq!(status(&server.call(&mia, Method::GET, &path, None).await), "403 forbidden");
    assert_eq!(status(&server.call(&mia, Method::DELETE, &path, None).await), "403 forbidden");
    let other = As::Key(server.post(KEYS, json!({ "name": "y", "scopes": ["events.read"] })).await.text("key"));
    assert_eq!(status(&server.call(&other, Method::POST, &rotate, Some(json!({}))).await), "403 forbidden");
}

/// Behind a proxy that is believed, so that a test can come from anywhere.
const BEHIND_PROXY: &str = "behind_proxy = true\npublic_url = \"https://codex.acme.example\"\n\
    [limits]\nsign_in_attempts_per_minute = 100000\n[network]\ntrusted_proxies = [\"127.0.0.1/32\"]\n";

#[tokio::test]
async fn a_key_works_from_its_networks_only() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let body = json!({
        "name": "x", "scopes": ["admin"], "allowed_ips": ["203.0.113.9/24", "2001:DB8::/32", "203.0.113.0/25"],
    });
    let made = server.post(KEYS, body).await;
    assert_eq!(made.body["allowed_ips"], json!(["203.0.113.0/24", "2001:db8::/32"]));
    let key = As::Key(made.text("key"));
    let path = format!("{KEYS}/{}", made.text("id"));
    // The test calls from loopback, whatever it says of itself.
    let request = server.request(Method::GET, "/api/v1/settings").bearer_auth(made.text("key"));
    let answer = server.send(request.header("x-forwarded-for", "203.0.113.7")).await;
    assert_eq!(status(&answer), "403 address_not_allowed");
    let refused = server.events("request.refused").await;
    assert_eq!(refused.last().unwrap()["details"]["reason"], "address_not_allowed");
    assert_eq!(refused.last().unwrap()["origin"]["ip"], "127.0.0.1");
    assert_eq!(refused.last().unwrap()["actor"]["id"], made.text("id"));
    assert!(server.get(&path).await.ok()["last_used_at"].is_null(), "a refusal is no use");

    server.patch(&path, json!({ "allowed_ips": ["::ffff:127.0.0.1"] })).await.ok();
    assert_eq!(server.get(&path).await.ok()["allowed_ips"], json!(["127.0.0.1/32"]));
    assert_eq!(server.call(&key, Method::GET, "/api/v1/settings", None).await.status, StatusCode::OK);
    // It does not lock itself out; it may move within where it is.
    let away = json!({ "allowed_ips": ["203.0.113.0/24"] });
    assert_eq!(status(&server.call(&key, Method::PATCH, &path, Some(away)).await), "422 locks_out_caller allowed_ips");
    let home = json!({ "allowed_ips": ["127.0.0.0/8"], "name": "moved" });
    assert_eq!(server.call(&key, Method::PATCH, &path, Some(home)).await.status, StatusCode::OK);
    let updated = server.events("api_key.updated").await;
    assert_eq!(updated.last().unwrap()["details"]["changed"]["allowed_ips"]["after"], json!(["127.0.0.0/8"]));
    let many: Vec<String> = (0..51).map(|n| format!("10.0.{n}.0/24")).collect();
    for wrong in [json!(["x"]), json!(["10.0.0.0/33"]), json!([""]), json!(many), json!("10.0.0.0/8"), json!(null)] {
        let body = json!({ "name": "x", "scopes": ["admin"], "allowed_ips": wrong });
        assert_eq!(server.post(KEYS, body).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    // Somebody changed it meanwhile.
    let stale = server.request(Method::PATCH, &path).bearer_auth(&server.api_key).header("if-match", "\"old\"");
    let stale = stale.header("content-type", "application/json").body(r#"{"name":"z"}"#);
    assert_eq!(status(&server.send(stale).await), "412 changed_meanwhile");
}

#[tokio::test]
async fn behind_a_proxy_the_address_is_that_of_the_caller() {
    let server = Server::start_with(Database::Sqlite, BEHIND_PROXY).await;
    let body = json!({ "name": "x", "scopes": ["admin"], "allowed_ips": ["203.0.113.0/24"] });
    let key = server.post(KEYS, body).await.text("key");
    for (forwarded, expected) in [
        ("203.0.113.7", 200),
        ("::ffff:203.0.113.7", 200),
        ("198.51.100.1", 403),
        // What the client wrote itself comes first and proves nothing.
        ("203.0.113.7, 198.51.100.1", 403),
        ("198.51.100.1, 203.0.113.7", 200),
    ] {
        let request = server.request(Method::GET, "/api/v1/settings").bearer_auth(&key);
        let answer = server.send(request.header("x-forwarded-for", forwarded)).await;
        assert_eq!(answer.status.as_u16(), expected, "{forwarded}: {}", answer.body);
    }
}
