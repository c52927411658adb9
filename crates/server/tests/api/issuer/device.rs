//! Device-code sign-in.

use std::collections::HashMap;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, Database, Server};
use serde_json::json;

use super::super::{BOTH, PATIENT, status};
use super::{CLIENT_ID, Tokens, bundle_status, form};

const START: &str = "/api/accounts/deviceauth/usercode";
const POLL: &str = "/api/accounts/deviceauth/token";
const REFUSED: &str = "403 - Unauthorized. Contact your ChatGPT administrator for access.";

/// Begins one: its id and the code that the device shows.
pub(in super::super) async fn start(server: &Server) -> (String, String) {
    let body = json!({ "client_id": CLIENT_ID });
    let answer = server.call(&As::Nobody, Method::POST, START, Some(body)).await;
    (answer.text("device_auth_id"), answer.text("user_code"))
}

async fn poll(server: &Server, id: &str, code: &str) -> Answer {
    let body = json!({ "device_auth_id": id, "user_code": code });
    server.call(&As::Nobody, Method::POST, POLL, Some(body)).await
}

/// The exchange that follows a poll, with the address that the client makes up for it.
async fn exchange(server: &Server, polled: &Answer) -> Answer {
    let fields = HashMap::from([
        ("grant_type", "authorization_code".to_owned()),
        ("code", polled.text("authorization_code")),
        ("redirect_uri", format!("{}/deviceauth/callback", server.url())),
        ("client_id", CLIENT_ID.to_owned()),
        ("code_verifier", polled.text("code_verifier")),
    ]);
    form(server, "/oauth/token", &fields).await
}

async fn decide(server: &Server, who: &As, code: &str, decision: &str) -> Answer {
    server.call(who, Method::POST, &format!("/api/v1/device-logins/{code}/{decision}"), None).await
}

async fn with_toggle(database: Database) -> (Server, As) {
    let server = Server::start_with(database, PATIENT).await;
    server.patch("/api/v1/settings", json!({ "device_code_login": true })).await.ok();
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    (server, mia)
}

#[tokio::test]
async fn a_device_waits_is_approved_and_signs_in_once() {
    for database in BOTH {
        let (server, mia) = with_toggle(database).await;
        let (id, code) = start(&server).await;
        assert_eq!(status(&poll(&server, &id, &code).await), "403 deviceauth_authorization_pending");
        assert_eq!(decide(&server, &mia, &code, "approve").await.status, StatusCode::NO_CONTENT);
        let polled = poll(&server, &id, &code).await;
        let tokens = Tokens::of(&exchange(&server, &polled).await);
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::OK);
        assert_eq!(status(&poll(&server, &id, &code).await), "410 device_login_expired", "collected once");
        assert_eq!(exchange(&server, &polled).await.status, StatusCode::BAD_REQUEST, "exchanged once");
        assert_eq!(server.events("device_login.approved").await.len(), 1);
        assert_eq!(server.events("client.signed_in").await[0]["details"]["method"], "device_code");
    }
}

#[tokio::test]
async fn a_denied_device_is_told_so_where_it_would_get_its_tokens() {
    for database in BOTH {
        let (server, mia) = with_toggle(database).await;
        let (id, code) = start(&server).await;
        decide(&server, &mia, &code, "deny").await;
        let answer = exchange(&server, &poll(&server, &id, &code).await).await;
        assert_eq!((answer.status, answer.text("error").as_str()), (StatusCode::FORBIDDEN, "access_denied"));
        assert_eq!(answer.text("error_description"), "The sign-in was denied in the browser.");
        assert_eq!(server.events("device_login.denied").await.len(), 1);
        assert_eq!(server.events("client.refused").await[0]["details"]["reason"], "denied");
    }
}

#[tokio::test]
async fn a_device_that_waits_too_long_is_over() {
    let (server, mia) = with_toggle(Database::Sqlite).await;
    let (id, code) = start(&server).await;
    server.advance(SignedDuration::from_mins(16));
    assert_eq!(status(&poll(&server, &id, &code).await), "410 device_login_expired");
    assert_eq!(decide(&server, &mia, &code, "approve").await.status, StatusCode::NOT_FOUND);
    for (id, code) in [("dev_1", "BCDF-GHJK"), ("", ""), (id.as_str(), "BCDF-GHJK")] {
        assert_eq!(status(&poll(&server, id, code).await), "410 device_login_expired");
    }
}

#[tokio::test]
async fn without_the_toggle_there_is_no_device_sign_in_unless_a_role_grants_it() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let begin = async || {
        let body = json!({ "client_id": CLIENT_ID });
        server.call(&As::Nobody, Method::POST, START, Some(body)).await
    };
    assert_eq!(status(&begin().await), "404 device_code_login_off");
    let pilots = server.post("/api/v1/roles", json!({ "name": "Pilots", "permissions": ["codex.local.device_code"] }));
    let pilots = pilots.await.text("id");
    let pilot = server.member("pilot@acme.example").await;
    server.put(&format!("/api/v1/roles/{pilots}/members/{pilot}"), json!(null)).await.ok();
    server.member("mia@acme.example").await;
    let (pilot, mia) = (server.sign_in("pilot@acme.example").await, server.sign_in("mia@acme.example").await);

    let (id, code) = start(&server).await;
    decide(&server, &pilot, &code, "approve").await;
    Tokens::of(&exchange(&server, &poll(&server, &id, &code).await).await);

    let (id, code) = start(&server).await;
    assert_eq!(status(&decide(&server, &mia, &code, "approve").await), "403 forbidden");
    let answer = exchange(&server, &poll(&server, &id, &code).await).await;
    assert_eq!((answer.status, answer.text("error_description").as_str()), (StatusCode::FORBIDDEN, REFUSED));
}

#[tokio::test]
async fn who_loses_the_permission_between_approval_and_exchange_is_refused() {
    let (server, mia) = with_toggle(Database::Sqlite).await;
    let (id, code) = start(&server).await;
    decide(&server, &mia, &code, "approve").await;
    let polled = poll(&server, &id, &code).await;
    server.patch("/api/v1/settings", json!({ "device_code_login": false })).await.ok();
    let answer = exchange(&server, &polled).await;
    assert_eq!((answer.status, answer.text("error_description").as_str()), (StatusCode::FORBIDDEN, REFUSED));
}

#[tokio::test]
async fn guessing_codes_is_slowed() {
    let server = Server::start_with(Database::Sqlite, "[limits]\nsign_in_attempts_per_minute = 3\n").await;
    server.patch("/api/v1/settings", json!({ "device_code_login": true })).await.ok();
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    for _ in 0..3 {
        assert_eq!(decide(&server, &mia, "BCDF-GHJK", "approve").await.status, StatusCode::NOT_FOUND);
    }
    let (_, code) = start(&server).await;
    let answer = decide(&server, &mia, &code, "approve").await;
    assert_eq!(status(&answer), "429 too_many_requests");
    assert!(answer.headers.contains_key("retry-after"));
    server.advance(SignedDuration::from_mins(1));
    assert_eq!(decide(&server, &mia, &code, "approve").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_bad_request_is_answered_in_json() {
    let (server, _) = with_toggle(Database::Sqlite).await;
    for (path, body, expected) in [
        (START, json!({}), "422 invalid_field client_id"),
        (START, json!({ "client_id": "" }), "422 invalid_client_id client_id"),
        (START, json!({ "client_id": "a\u{0}" }), "422 invalid_client_id client_id"),
        (POLL, json!({ "device_auth_id": 1, "user_code": "x" }), "422 invalid_field device_auth_id"),
        (POLL, json!([]), "422 not_an_object"),
    ] {
        let answer = server.call(&As::Nobody, Method::POST, path, Some(body)).await;
        assert_eq!(status(&answer), expected);
    }
    let answer = server.send(server.request(Method::POST, START).body("{}")).await;
    assert_eq!(status(&answer), "415 not_json");
}
