//! Renewal with rotation, reuse, and the end of a session.

use std::collections::HashMap;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{As, Database, Server};
use serde_json::json;

use super::super::{BOTH, PATIENT};
use super::*;

async fn signed_in(database: Database) -> (Server, As, Tokens) {
    let server = Server::start_with(database, PATIENT).await;
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    let tokens = sign_in_client(&server, &mia).await;
    (server, mia, tokens)
}

async fn refused(server: &Server, refresh_token: &str) -> String {
    let answer = renew(server, refresh_token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
    answer.body["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn tokens_are_renewed_and_rotated() {
    for database in BOTH {
        let (server, _, first) = signed_in(database).await;
        server.advance(SignedDuration::from_mins(61));
        assert_eq!(bundle_status(&server, &first.access).await, StatusCode::UNAUTHORIZED, "an hour has passed");
        let second = Tokens::of(&renew(&server, &first.refresh).await);
        assert_eq!(bundle_status(&server, &second.access).await, StatusCode::OK);
        assert_ne!(first.refresh, second.refresh);
        // A form does as well (RFC 6749 §6).
        let fields = HashMap::from([
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", second.refresh.clone()),
            ("client_id", CLIENT_ID.to_owned()),
        ]);
        Tokens::of(&form(&server, "/oauth/token", &fields).await);
        assert_eq!(server.events("token.refreshed").await.len(), 2);
    }
}

#[tokio::test]
async fn two_clients_that_share_a_home_may_renew_at_once() {
    let (server, _, first) = signed_in(Database::Postgres).await;
    let answers = futures_util::future::join_all((0..4).map(|_| renew(&server, &first.refresh))).await;
    let tokens: Vec<_> = answers.iter().map(Tokens::of).collect();
    server.advance(SignedDuration::from_secs(59));
    let late = Tokens::of(&renew(&server, &first.refresh).await);
    for tokens in tokens.iter().chain([&late]) {
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_token_reused_long_after_ends_everything_of_its_session() {
    for database in BOTH {
        let (server, mia, first) = signed_in(database).await;
        let other = sign_in_client(&server, &mia).await;
        let second = Tokens::of(&renew(&server, &first.refresh).await);
        server.advance(SignedDuration::from_secs(61));
        assert_eq!(refused(&server, &first.refresh).await, "refresh_token_reused");
        for access in [&first.access, &second.access] {
            assert_eq!(bundle_status(&server, access).await, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(refused(&server, &second.refresh).await, "refresh_token_invalidated");
        assert_eq!(bundle_status(&server, &other.access).await, StatusCode::OK, "another session goes on");
        let detected = server.events("token.reuse_detected").await;
        assert_eq!((detected.len(), &detected[0]["actor"]["email"]), (1, &json!("mia@acme.example")));
    }
}

#[tokio::test]
async fn a_suspended_member_renews_nothing() {
    for database in BOTH {
        let (server, mia, tokens) = signed_in(database).await;
        let As::Session { member_id, .. } = &mia else { unreachable!("a session") };
        server.patch(&format!("/api/v1/members/{member_id}"), json!({ "active": false })).await.ok();
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::UNAUTHORIZED);
        assert_eq!(refused(&server, &tokens.refresh).await, "refresh_token_invalidated");
        assert_eq!(server.events("client.refused").await[0]["details"]["reason"], "suspended");
        server.patch(&format!("/api/v1/members/{member_id}"), json!({ "active": true })).await.ok();
        assert_eq!(refused(&server, &tokens.refresh).await, "refresh_token_invalidated", "it ended for good");
        server.delete(&format!("/api/v1/members/{member_id}")).await.ok();
        assert_eq!(refused(&server, &tokens.refresh).await, "refresh_token_invalidated");
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_session_ends_after_ninety_days() {
    let (server, _, mut tokens) = signed_in(Database::Sqlite).await;
    for _ in 0..8 {
        server.advance(SignedDuration::from_hours(11 * 24));
        tokens = Tokens::of(&renew(&server, &tokens.refresh).await);
    }
    server.advance(SignedDuration::from_hours(3 * 24));
    assert_eq!(refused(&server, &tokens.refresh).await, "refresh_token_expired");
}

#[tokio::test]
async fn a_refresh_token_is_good_for_its_client_only() {
    let (server, _, tokens) = signed_in(Database::Sqlite).await;
    let body = json!({ "client_id": "app_other", "grant_type": "refresh_token", "refresh_token": tokens.refresh });
    let answer = server.call(&As::Nobody, Method::POST, "/oauth/token", Some(body)).await;
    assert_eq!((answer.status, answer.text("error").as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    for nonsense in ["", "rt-nonsense", tokens.access.as_str(), "rt-\u{0}"] {
        assert_eq!(refused(&server, nonsense).await, "refresh_token_invalidated");
    }
    Tokens::of(&renew(&server, &tokens.refresh).await);
}

#[tokio::test]
async fn signing_out_ends_the_session_by_either_token() {
    for database in BOTH {
        let (server, mia, first) = signed_in(database).await;
        let second = sign_in_client(&server, &mia).await;
        let body = json!({ "token": first.refresh, "token_type_hint": "refresh_token", "client_id": CLIENT_ID });
        server.call(&As::Nobody, Method::POST, "/oauth/revoke", Some(body)).await.ok();
        let fields = HashMap::from([("token", second.access.clone())]);
        form(&server, "/oauth/revoke", &fields).await.ok();
        for tokens in [first, second] {
            assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::UNAUTHORIZED);
            assert_eq!(refused(&server, &tokens.refresh).await, "refresh_token_invalidated");
        }
        // Whatever it is given (RFC 7009 §2.2), and nothing is recorded twice.
        let fields = HashMap::from([("token", "rt-nonsense".to_owned())]);
        form(&server, "/oauth/revoke", &fields).await.ok();
        assert_eq!(server.events("client.signed_out").await.len(), 2);
    }
}
