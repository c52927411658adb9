//! `/api/v1/access-tokens`.

use http::{Method, StatusCode};
use insta::assert_snapshot;
use jiff::SignedDuration;
use provost_testkit::server::{Database, Server};
use serde_json::json;

use super::{PATIENT, client, play};

const TOKENS: &str = "/api/v1/access-tokens";
const WHOAMI: &str = "/api/accounts/v1/user-auth-credential/whoami";

#[tokio::test]
async fn tokens_are_made_by_their_member_and_revoked_by_both() {
    let transcript = play(async |s| {
        s.server.member("mia@acme.example").await;
        s.server.member("max@acme.example").await;
        let mia = s.server.sign_in("mia@acme.example").await;
        let max = s.server.sign_in("max@acme.example").await;
        let token = |name: &str, days: serde_json::Value| Some(json!({ "name": name, "expires_in_days": days }));
        s.says("Not without the permission, and never with an API key");
        s.call(&mia, Method::POST, TOKENS, token("ci", json!(7))).await;
        s.post(TOKENS, json!({ "name": "ci" })).await;
        s.server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        s.says("With an end, and without");
        let made = s.call(&mia, Method::POST, TOKENS, token("ci", json!(7))).await;
        s.call(&mia, Method::POST, TOKENS, token("for ever", json!(null))).await;
        s.call(&max, Method::POST, TOKENS, token("max", json!(1))).await;
        s.says("Within the workspace's cap");
        s.server.patch("/api/v1/settings", json!({ "access_token_max_days": 30 })).await.ok();
        s.call(&mia, Method::POST, TOKENS, token("at the cap", json!(30))).await;
        s.call(&mia, Method::POST, TOKENS, token("past it", json!(31))).await;
        s.call(&mia, Method::POST, TOKENS, token("no end", json!(null))).await;
        s.call(&mia, Method::POST, TOKENS, Some(json!({ "name": "no end said" }))).await;
        s.server.patch("/api/v1/settings", json!({ "access_token_max_days": null })).await.ok();
        s.says("What cannot be");
        for body in [
            json!({ "name": "", "expires_in_days": 1 }),
            json!({ "name": "a\u{0}", "expires_in_days": 1 }),
            json!({ "name": "x", "expires_in_days": 0 }),
            json!({ "name": "x", "expires_in_days": -1 }),
            json!({ "name": "x", "expires_in_days": 3651 }),
            json!({ "name": "x", "expires_in_days": 4_294_967_295_u32 }),
            json!({ "name": "x", "expires_in_days": 1, "member_id": "mem_1" }),
        ] {
            s.call(&mia, Method::POST, TOKENS, Some(body)).await;
        }
        s.says("One's own; an admin sees everybody's");
        s.call(&mia, Method::GET, TOKENS, None).await;
        s.call(&max, Method::GET, TOKENS, None).await;
        s.get(&format!("{TOKENS}?limit=2")).await;
        s.says("Revoked by its member, by an admin; by nobody else");
        let path = format!("{TOKENS}/{}", made.text("id"));
        s.call(&max, Method::DELETE, &path, None).await;
        s.call(&mia, Method::DELETE, &path, None).await;
        s.call(&mia, Method::DELETE, &path, None).await;
        let made = s.call(&mia, Method::POST, TOKENS, token("another", json!(1))).await;
        s.delete(&format!("{TOKENS}/{}", made.text("id"))).await;
        s.delete(&format!("{TOKENS}/key_1")).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn a_token_works_until_it_ends() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    let mia = server.member("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let whoami = client(&server, &token, WHOAMI).await.ok();
    let expected = json!({
        "email": "mia@acme.example", "chatgpt_user_id": mia, "chatgpt_account_id": server.workspace_id,
        "chatgpt_plan_type": "enterprise", "chatgpt_account_is_fedramp": false,
    });
    assert_eq!(whoami, expected);
    server.advance(SignedDuration::from_hours(25));
    assert_eq!(client(&server, &token, WHOAMI).await.status, StatusCode::UNAUTHORIZED, "expired");

    let token = server.access_token("mia@acme.example").await;
    let tokens = server.get(TOKENS).await.ok();
    let newest = tokens["data"].as_array().unwrap().last().unwrap().clone();
    server.delete(&format!("{TOKENS}/{}", newest["id"].as_str().unwrap())).await.ok();
    assert_eq!(client(&server, &token, WHOAMI).await.status, StatusCode::UNAUTHORIZED, "revoked");

    let token = server.access_token("mia@acme.example").await;
    server.patch(&format!("/api/v1/members/{mia}"), json!({ "active": false })).await.ok();
    assert_eq!(client(&server, &token, WHOAMI).await.status, StatusCode::UNAUTHORIZED, "suspended");
    server.patch(&format!("/api/v1/members/{mia}"), json!({ "active": true })).await.ok();
    assert_eq!(client(&server, &token, WHOAMI).await.status, StatusCode::UNAUTHORIZED, "and stays ended");

    let token = server.access_token("mia@acme.example").await;
    server.delete(&format!("/api/v1/members/{mia}")).await.ok();
    assert_eq!(client(&server, &token, WHOAMI).await.status, StatusCode::UNAUTHORIZED, "deleted");
}

#[tokio::test]
async fn an_admin_sees_when_a_token_was_last_used() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    server.member("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let last_used = async || server.get(TOKENS).await.ok()["data"][0]["last_used_at"].clone();
    assert!(last_used().await.is_null());
    client(&server, &token, WHOAMI).await.ok();
    // It is noted beside the request, which does not wait for it.
    for _ in 0..100 {
        if last_used().await.is_string() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the use of a token shows");
}

#[tokio::test]
async fn a_rotated_token_works_with_both_secrets_until_the_overlap_ends() {
    for database in super::BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        server.member("mia@acme.example").await;
        server.member("max@acme.example").await;
        let (mia, max) = (server.sign_in("mia@acme.example").await, server.sign_in("max@acme.example").await);
        let body = Some(json!({ "name": "ci", "expires_in_days": 30 }));
        let made = server.call(&mia, Method::POST, TOKENS, body).await;
        let path = format!("{TOKENS}/{}/rotate", made.text("id"));
        let works = async |token: &str| client(&server, token, WHOAMI).await.status == StatusCode::OK;
        // Its member alone is shown its secret.
        let answer = server.call(&max, Method::POST, &path, Some(json!({}))).await;
        assert_eq!(super::status(&answer), "404 not_found");
        assert_eq!(super::status(&server.post(&path, json!({})).await), "403 session_required");
        server.patch("/api/v1/settings", json!({ "access_token_max_days": 7 })).await.ok();
        let renewed = server.call(&mia, Method::POST, &path, Some(json!({ "overlap_hours": 2 }))).await;
        assert!(works(&made.text("token")).await && works(&renewed.text("token")).await);
        server.advance(SignedDuration::from_hours(3));
        assert!(!works(&made.text("token")).await && works(&renewed.text("token")).await);
        // Within the cap of now.
        server.advance(SignedDuration::from_hours(7 * 24));
        assert!(!works(&renewed.text("token")).await);
        assert_eq!(server.events("access_token.rotated").await.len(), 1);
    }
}

#[tokio::test]
async fn a_token_works_from_its_networks_only() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    let token = async |ips: serde_json::Value| {
        let body = json!({ "name": "ci", "expires_in_days": 1, "allowed_ips": ips });
        server.call(&mia, Method::POST, TOKENS, Some(body)).await.text("token")
    };
    let (home, away) = (token(json!(["127.0.0.0/8"])).await, token(json!(["203.0.113.0/24"])).await);
    assert_eq!(client(&server, &home, WHOAMI).await.status, StatusCode::OK);
    let answer = client(&server, &away, WHOAMI).await;
    assert_eq!(super::status(&answer), "403 address_not_allowed");
    // The developer reads why where the client shows it.
    let request = super::stage::bearer(&server, Method::POST, "/backend-api/codex/responses", &away);
    let request = request.header("content-type", "application/json").body(r#"{"model":"x","input":[]}"#);
    let answer = server.send(request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.to_string().contains("does not work from this address"), "{}", answer.body);
    let refused = server.events("request.refused").await;
    assert_eq!(refused[0]["details"]["reason"], "address_not_allowed");
    assert_eq!(refused[0]["origin"]["ip"], "127.0.0.1");
}
