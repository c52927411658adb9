//! `/api/v1/sessions`, `/api/v1/members/{id}/sign-out`, the sign-in history, and the alerts.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{As, PASSWORD, Server};
use serde_json::{Value, json};

use super::issuer::{bundle_status, sign_in_client};
use super::tenants::second_workspace;
use super::{BOTH, PATIENT, stage, status};

async fn list(server: &Server, who: &As, query: &str) -> Vec<Value> {
    let answer = server.call(who, Method::GET, &format!("/api/v1/sessions{query}"), None).await.ok();
    answer["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_member_sees_what_they_are_signed_in_with_and_ends_it() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.member("mia@acme.example").await;
        let (here, elsewhere) = (server.sign_in("mia@acme.example").await, server.sign_in("mia@acme.example").await);
        let tokens = sign_in_client(&server, &here).await;
        let found = list(&server, &here, "").await;
        assert_eq!(found, list(&server, &here, &format!("?member_id={id}")).await);
        let kinds: Vec<_> = found.iter().map(|row| (row["kind"].as_str().unwrap(), &row["current"])).collect();
        assert_eq!(kinds, [("client", &json!(false)), ("console", &json!(true)), ("console", &json!(false))]);
        let client = &found[0];
        assert_eq!((&client["method"], &client["client_id"]), (&json!("browser"), &json!("app_test")));
        assert_eq!(client["ip"], "127.0.0.1");
        assert_eq!((&found[1]["method"], &found[1]["second_factor"]), (&json!("password"), &Value::Null));
        // Page by page it is the same list.
        let first = server.call(&here, Method::GET, "/api/v1/sessions?limit=2", None).await.ok();
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = list(&server, &here, &format!("?limit=2&cursor={cursor}")).await;
        assert_eq!([first["data"].as_array().unwrap().clone(), rest].concat(), found);
        // Ending one ends that one.
        let end = async |row: &Value| {
            let path = format!("/api/v1/sessions/{}", row["id"].as_str().unwrap());
            server.call(&here, Method::DELETE, &path, None).await.status
        };
        assert_eq!(end(&found[2]).await, StatusCode::NO_CONTENT);
        assert_eq!(look(&server, &elsewhere).await, StatusCode::UNAUTHORIZED);
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::OK);
        assert_eq!(end(&found[0]).await, StatusCode::NO_CONTENT);
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::UNAUTHORIZED);
        assert_eq!(end(&found[0]).await, StatusCode::NOT_FOUND, "it is over");
        assert_eq!(list(&server, &here, "").await.len(), 1);
        assert_eq!(server.events("session.revoked").await.len(), 1);
        let signed_out = server.events("client.signed_out").await;
        assert_eq!(signed_out[0]["details"]["reason"], "revoked");
    }
}

async fn look(server: &Server, who: &As) -> StatusCode {
    server.call(who, Method::GET, "/api/v1/session", None).await.status
}

#[tokio::test]
async fn others_sessions_are_for_who_may_and_ended_by_who_holds_as_much() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (_, other) = second_workspace(&server).await;
        let owner = stage::owner(&server).await;
        let body = json!({ "email": "admin@acme.example", "password": PASSWORD, "builtin_role": "admin" });
        server.post("/api/v1/members", body).await.ok();
        let admin = server.sign_in("admin@acme.example").await;
        let (mia, max) = (server.member("mia@acme.example").await, server.member("max@acme.example").await);
        let (mias, maxs) = (server.sign_in("mia@acme.example").await, server.sign_in("max@acme.example").await);
        let of_mia = format!("?member_id={mia}");
        let id = list(&server, &admin, &of_mia).await[0]["id"].as_str().unwrap().to_owned();
        let one = format!("/api/v1/sessions/{id}");
        let out = format!("/api/v1/members/{mia}/sign-out");
        // Another member, and another workspace.
        let all = format!("/api/v1/sessions{of_mia}");
        assert_eq!(status(&server.call(&maxs, Method::GET, &all, None).await), "403 forbidden");
        for who in [&maxs, &other] {
            assert_eq!(status(&server.call(who, Method::DELETE, &one, None).await), "404 not_found");
            assert_eq!(status(&server.call(who, Method::POST, &out, None).await), "404 not_found");
        }
        assert_eq!(status(&server.call(&other, Method::GET, &all, None).await), "404 not_found");
        let own = server.call(&server.admin(), Method::GET, "/api/v1/sessions", None).await;
        assert_eq!(status(&own), "422 required member_id", "a key has none of its own");
        // An admin ends a member's, and not an owner's.
        let of_owner = format!("?member_id={}", server.owner_id);
        let owners = list(&server, &admin, &of_owner).await[0]["id"].as_str().unwrap().to_owned();
        let refused = server.call(&admin, Method::DELETE, &format!("/api/v1/sessions/{owners}"), None).await;
        assert_eq!(status(&refused), "403 cannot_grant_more_than_you_hold");
        let path = format!("/api/v1/members/{}/sign-out", server.owner_id);
        assert_eq!(
            status(&server.call(&admin, Method::POST, &path, None).await),
            "403 cannot_grant_more_than_you_hold"
        );
        assert_eq!(look(&server, &owner).await, StatusCode::OK);
        assert_eq!(server.call(&admin, Method::DELETE, &one, None).await.status, StatusCode::NO_CONTENT);
        assert_eq!(look(&server, &mias).await, StatusCode::UNAUTHORIZED);
        assert_eq!(look(&server, &maxs).await, StatusCode::OK);
        let _ = max;
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_and_no_access_token() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let id = server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        let mia = server.sign_in("mia@acme.example").await;
        let tokens = sign_in_client(&server, &mia).await;
        let path = format!("/api/v1/members/{id}/sign-out");
        let answer = server.call(&mia, Method::POST, &path, None).await.ok();
        assert_eq!(answer, json!({ "sessions": 2, "client_sessions": 1 }));
        assert_eq!(look(&server, &mia).await, StatusCode::UNAUTHORIZED);
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::UNAUTHORIZED);
        assert_eq!(bundle_status(&server, &token).await, StatusCode::OK);
        let event = &server.events("session.revoked").await[0];
        assert_eq!(event["details"], json!({ "everywhere": true, "sessions": 2, "client_sessions": 1 }));
        assert_eq!(server.post(&path, Value::Null).await.ok(), json!({ "sessions": 0, "client_sessions": 0 }));
    }
}

#[tokio::test]
async fn the_limits_of_the_workspace_end_sessions_and_their_place_in_the_list() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.member("mia@acme.example").await;
        let limits = json!({ "session_idle_minutes": 10, "session_max_hours": 1 });
        server.patch("/api/v1/settings", limits).await.ok();
        let of_mia = format!("?member_id={id}");
        let count = async || list(&server, &server.admin(), &of_mia).await.len();
        let (idle, used) = (server.sign_in("mia@acme.example").await, server.sign_in("mia@acme.example").await);
        for _ in 0..2 {
            server.advance(SignedDuration::from_mins(6));
            assert_eq!(look(&server, &used).await, StatusCode::OK);
        }
        assert_eq!(count().await, 1, "one was idle for twelve minutes");
        assert_eq!(look(&server, &idle).await, StatusCode::UNAUTHORIZED);
        for _ in 0..7 {
            server.advance(SignedDuration::from_mins(6));
            assert_eq!(look(&server, &used).await, StatusCode::OK);
        }
        server.advance(SignedDuration::from_mins(7));
        assert_eq!(look(&server, &used).await, StatusCode::UNAUTHORIZED, "61 minutes");
        assert_eq!(count().await, 0);
        // What is over is forgotten: a longer limit brings nothing back.
        provost_identity::housekeeping(&server.node.app.store).await.unwrap();
        let limits = json!({ "session_idle_minutes": 1440, "session_max_hours": 168 });
        server.patch("/api/v1/settings", limits).await.ok();
        assert_eq!(look(&server, &used).await, StatusCode::UNAUTHORIZED);
        assert_eq!(count().await, 0);
    }
}

#[tokio::test]
async fn the_history_names_who_signed_in_who_tried_and_a_token_that_came_twice() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (_, other) = second_workspace(&server).await;
        let id = server.member("mia@acme.example").await;
        server.member("max@acme.example").await;
        let guess = json!({ "email": "MIA@acme.example", "password": "a guess of some length" });
        server.call(&As::Nobody, Method::POST, "/api/v1/sessions", Some(guess)).await;
        assert!(server.node.app.store.flush(std::time::Duration::from_secs(10)).await);
        let (mia, max) = (server.sign_in("mia@acme.example").await, server.sign_in("max@acme.example").await);
        let tokens = sign_in_client(&server, &mia).await;
        let renew = async || {
            let body = json!({ "grant_type": "refresh_token", "refresh_token": tokens.refresh });
            server.call(&As::Nobody, Method::POST, "/oauth/token", Some(body)).await
        };
        renew().await.ok();
        server.advance(SignedDuration::from_mins(2));
        assert_eq!(renew().await.status, StatusCode::UNAUTHORIZED);
        // The client session is ended: it is in no list, and none of its tokens works.
        assert!(list(&server, &mia, "").await.iter().all(|row| row["kind"] == "console"));
        assert!(server.node.app.store.flush(std::time::Duration::from_secs(10)).await);

        let types = |answer: &Value| {
            let events = answer["data"].as_array().unwrap().iter();
            events.map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let path = format!("/api/v1/members/{id}/sign-ins");
        let history = server.get(&path).await.ok();
        let expected = ["token.reuse_detected", "client.signed_in", "sign_in.succeeded", "sign_in.failed"];
        assert_eq!(types(&history), expected);
        assert_eq!(history["data"][3]["details"]["reason"], "wrong_password");
        assert_eq!(server.call(&mia, Method::GET, "/api/v1/session/sign-ins", None).await.ok(), history);
        // Page by page.
        let first = server.get(&format!("{path}?limit=3")).await.ok();
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = server.get(&format!("{path}?limit=3&cursor={cursor}")).await.ok();
        assert_eq!([types(&first), types(&rest)].concat(), expected);
        // Not for others.
        assert_eq!(server.call(&max, Method::GET, &path, None).await.status, StatusCode::FORBIDDEN);
        assert_eq!(server.call(&other, Method::GET, &path, None).await.status, StatusCode::NOT_FOUND);
        assert_eq!(types(&server.call(&max, Method::GET, "/api/v1/session/sign-ins", None).await.ok()).len(), 1);

        // And it is an alert.
        let alerts = server.get("/api/v1/alerts").await.ok();
        assert_eq!(types(&alerts), ["token.reuse_detected"]);
        assert_eq!(alerts["data"][0]["actor"]["id"], id);
        assert_eq!(types(&server.call(&other, Method::GET, "/api/v1/alerts", None).await.ok()).len(), 0);
        assert_eq!(server.call(&max, Method::GET, "/api/v1/alerts", None).await.status, StatusCode::FORBIDDEN);
        let metrics = server.call(&As::Nobody, Method::GET, "/metrics", None).await;
        let counted = "provost_alerts_total{kind=\"token.reuse_detected\"} 1";
        assert!(metrics.body.as_str().unwrap().contains(counted), "{}", metrics.body);
    }
}
