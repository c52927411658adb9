//! What somebody who leaves had made for the workspace: API keys, and workload identities.

use http::{Method, StatusCode};
use provost_testkit::issuer::Issuer;
use provost_testkit::server::{Answer, As, PASSWORD, Server};
use serde_json::{Value, json};

use super::deprovisions::settled;
use super::{BOTH, PATIENT, status};

const KEYS: &str = "/api/v1/api-keys";

/// An owner: their id, and their session.
async fn owner(server: &Server, name: &str) -> (String, As) {
    let email = format!("{name}@acme.example");
    let body = json!({ "email": email, "password": PASSWORD, "builtin_role": "owner" });
    let id = server.post("/api/v1/members", body).await.text("id");
    (id, server.sign_in(&email).await)
}

/// A key that manages members and keys, made by somebody.
async fn key_of(server: &Server, who: &As, name: &str) -> Answer {
    let made = server.call(who, Method::POST, KEYS, Some(json!({ "name": name, "scopes": ["admin"] }))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made
}

async fn works(server: &Server, key: &Answer) -> bool {
    let answer = server.call(&As::Key(key.text("key")), Method::GET, "/api/v1/settings", None).await;
    answer.status != StatusCode::UNAUTHORIZED
}

/// Suspends a member; the receipt.
async fn suspended(server: &Server, who: &As, member: &str) -> Value {
    let path = format!("/api/v1/members/{member}");
    let answer = server.call(who, Method::PATCH, &path, Some(json!({ "active": false }))).await;
    settled(server, &answer).await
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

/// The attack: an owner who is about to leave has a key make a key, and that one another, and keeps one.
#[tokio::test]
async fn a_key_that_a_leavers_key_made_is_the_leavers() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let ((mia, session), (_, max)) = (owner(&server, "mia").await, owner(&server, "max").await);
        let first = key_of(&server, &session, "first").await;
        let second = key_of(&server, &As::Key(first.text("key")), "second").await;
        let third = key_of(&server, &As::Key(second.text("key")), "third").await;
        let other = key_of(&server, &max, "max's").await;
        // A link that is gone does not break the chain.
        server.delete(&format!("{KEYS}/{}", second.text("id"))).await;
        let receipt = suspended(&server, &server.admin(), &mia).await;
        assert_eq!(names(&receipt["api_keys_left"]), ["first", "third"]);
        // Nor does it help to make one after the receipt was written.
        let late = key_of(&server, &As::Key(first.text("key")), "late").await;
        let path = format!("/api/v1/deprovisions/{}", receipt["id"].as_str().unwrap());
        assert_eq!(names(&server.get(&path).await.ok()["api_keys_left"]), ["first", "third", "late"]);
        let revoked = server.post(&format!("{path}/revoke-api-keys"), Value::Null).await.ok();
        assert_eq!(names(&revoked["revoked"]), ["first", "third", "late"]);
        for key in [&first, &third, &late] {
            assert!(!works(&server, key).await);
        }
        assert!(works(&server, &other).await);
    }
}

#[tokio::test]
async fn with_the_setting_the_whole_chain_ends_and_so_does_a_key_that_they_rotated() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "leaver_api_keys": "revoke" })).await.ok();
        let ((mia, session), (_, max)) = (owner(&server, "mia").await, owner(&server, "max").await);
        let first = key_of(&server, &session, "first").await;
        let second = key_of(&server, &As::Key(first.text("key")), "second").await;
        let (known, other) = (key_of(&server, &max, "known").await, key_of(&server, &max, "max's").await);
        // The new secret is in Mia's hands, whoever made the key.
        let rotate = format!("{KEYS}/{}/rotate", known.text("id"));
        let rotated = server.call(&session, Method::POST, &rotate, Some(json!({ "overlap_hours": 0 }))).await;
        let receipt = suspended(&server, &server.admin(), &mia).await;
        assert_eq!((&receipt["ended"]["api_keys"], &receipt["api_keys_left"]), (&json!(3), &json!([])));
        for key in [&first, &second, &rotated] {
            assert!(!works(&server, key).await);
        }
        assert!(works(&server, &other).await);
    }
}

/// Nobody made the key of `provost init`; the first owner was given it.
#[tokio::test]
async fn the_first_key_is_the_first_owners() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (_, olga) = owner(&server, "olga").await;
        let receipt = suspended(&server, &olga, &server.owner_id).await;
        assert_eq!(names(&receipt["api_keys_left"]), ["First key"]);
    }
}

/// The attack: a key that a leaver asked for, or has a key ask for, is approved when they are gone.
#[tokio::test]
async fn what_a_leaver_asked_for_is_withdrawn_and_nobody_approves_what_they_know() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let ((mia, session), (_, olga)) = (owner(&server, "mia").await, owner(&server, "olga").await);
        let first = key_of(&server, &session, "first").await;
        let other = key_of(&server, &olga, "olga's").await;
        server.patch("/api/v1/settings", json!({ "api_key_approval": true })).await.ok();
        let approve = async |key: &Answer| {
            let path = format!("{KEYS}/{}/approve", key.text("id"));
            status(&server.call(&olga, Method::POST, &path, None).await)
        };
        let asked = key_of(&server, &session, "asked").await;
        let through = key_of(&server, &As::Key(first.text("key")), "through her key").await;
        let receipt = suspended(&server, &server.admin(), &mia).await;
        assert_eq!((&receipt["ended"]["api_key_requests"], &receipt["ended"]["api_keys"]), (&json!(2), &json!(0)));
        let kinds: Vec<_> = receipt["items"].as_array().unwrap().iter().map(|item| &item["kind"]).collect();
        assert_eq!(kinds, ["session", "api_key_request", "api_key_request"]);
        assert_eq!(names(&receipt["api_keys_left"]), ["first"], "what never worked is not left");
        for key in [&asked, &through] {
            assert_eq!(approve(key).await, "404 not_found");
        }
        let denied = server.events("api_key.denied").await;
        assert!(denied.iter().all(|event| event["details"]["reason"] == "maker_left"), "{denied:?}");
        assert_eq!(denied.len(), 2);
        // Her key goes on until somebody decides, but what it asks for comes to nothing.
        let late = key_of(&server, &As::Key(first.text("key")), "late").await;
        assert_eq!(approve(&late).await, "409 requester_left");
        assert!(!works(&server, &late).await);
        // Nor is a key approved that was asked for with one that is revoked by now: it may have leaked.
        let (_, max) = owner(&server, "max").await;
        let through = key_of(&server, &As::Key(other.text("key")), "through a key that leaks").await;
        server.delete(&format!("{KEYS}/{}", other.text("id"))).await;
        let path = format!("{KEYS}/{}/approve", through.text("id"));
        assert_eq!(status(&server.call(&max, Method::POST, &path, None).await), "409 requester_left");
    }
}

const IDENTITIES: &str = "/api/v1/workload-identities";

/// A workload identity that acts as a member who stays, made by somebody.
async fn identity_of(server: &Server, issuer: &Issuer, member: &str, who: &As, name: &str) -> Answer {
    let body = json!({
        "name": name, "issuer": issuer.url(), "audience": name, "subject_pattern": format!("repo:{name}"),
        "member_id": member,
    });
    let made = server.call(who, Method::POST, IDENTITIES, Some(body)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made
}

/// The attack: a leaver has jobs of their own repository act as somebody who stays.
#[tokio::test]
async fn a_workload_identity_that_a_leaver_made_or_bent_is_named_and_ends_with_the_setting() {
    for database in BOTH {
        for setting in ["keep", "revoke"] {
            let (server, issuer) = (Server::start_with(database, PATIENT).await, Issuer::start().await);
            server.patch("/api/v1/settings", json!({ "leaver_api_keys": setting })).await.ok();
            let ((mia, session), (max, maxs)) = (owner(&server, "mia").await, owner(&server, "max").await);
            let ci = server.member("ci@acme.example").await;
            let key = key_of(&server, &session, "first").await;
            let made = identity_of(&server, &issuer, &ci, &session, "made").await;
            assert_eq!(made.text("created_by"), mia);
            let with_key = identity_of(&server, &issuer, &ci, &As::Key(key.text("key")), "made-with-a-key").await;
            assert_eq!(with_key.text("created_by"), key.text("id"));
            let path = |identity: &Answer| format!("{IDENTITIES}/{}", identity.text("id"));
            let bent = identity_of(&server, &issuer, &ci, &maxs, "bent").await;
            let patch = Some(json!({ "subject_pattern": "repo:mia/own" }));
            server.call(&session, Method::PATCH, &path(&bent), patch).await.ok();
            assert_eq!(server.get(&path(&bent)).await.text("created_by"), max);
            let fine = identity_of(&server, &issuer, &ci, &maxs, "fine").await;
            server.call(&session, Method::PATCH, &path(&fine), Some(json!({ "name": "renamed" }))).await.ok();

            let receipt = suspended(&server, &server.admin(), &mia).await;
            let left = receipt["workload_identities_left"].clone();
            if setting == "keep" {
                assert_eq!(names(&left), ["made", "made-with-a-key", "bent"]);
                assert_eq!(left[0]["member_id"], json!(ci));
                assert_eq!(receipt["ended"]["workload_identities"], 0);
                // An owner decides.
                server.delete(&path(&with_key)).await;
                server.patch(&path(&bent), json!({ "enabled": false })).await.ok();
                let receipt = format!("/api/v1/deprovisions/{}", receipt["id"].as_str().unwrap());
                assert_eq!(names(&server.get(&receipt).await.ok()["workload_identities_left"]), ["made"]);
            } else {
                assert_eq!((&left, &receipt["ended"]["workload_identities"]), (&json!([]), &json!(3)));
                for identity in [&made, &with_key, &bent] {
                    assert_eq!(server.get(&path(identity)).await.ok()["enabled"], false);
                }
                let updated = server.events("workload_identity.updated").await;
                assert_eq!(updated.last().unwrap()["details"]["reason"], "maker_left");
            }
            assert_eq!(server.get(&path(&fine)).await.ok()["enabled"], true);
        }
    }
}
