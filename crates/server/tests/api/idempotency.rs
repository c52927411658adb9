//! `Idempotency-Key`: a POST that is repeated gets the first one's answer.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use provost_testkit::server::{Answer, As, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, status};

async fn post(server: &Server, who: &As, key: &str, path: &str, body: &Value) -> Answer {
    let mut request = server.request(Method::POST, path).header("idempotency-key", key);
    request = match who {
        As::Key(key) => request.bearer_auth(key),
        As::Session { cookie, csrf_token, .. } => request.header("cookie", cookie).header("x-csrf-token", csrf_token),
        As::Nobody => request,
    };
    server.send(request.header("content-type", "application/json").body(body.to_string())).await
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_happens_once() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let admin = server.admin();
        // With a secret in the answer, which is kept sealed.
        let body = json!({ "name": "ci", "scopes": ["events.read"] });
        let first = post(&server, &admin, "k1", "/api/v1/api-keys", &body).await;
        let second = post(&server, &admin, "k1", "/api/v1/api-keys", &body).await;
        assert_eq!((first.status, &first.body), (second.status, &second.body));
        assert_eq!(first.status, StatusCode::CREATED);
        assert!(!first.headers.contains_key("idempotent-replayed"));
        assert_eq!(second.headers["idempotent-replayed"], "true");
        assert_eq!(server.events("api_key.created").await.len(), 2, "the first key of all, and this one");

        let other = json!({ "name": "other", "scopes": ["events.read"] });
        assert_eq!(
            status(&post(&server, &admin, "k1", "/api/v1/api-keys", &other).await),
            "422 idempotency_key_reused"
        );
        assert_eq!(status(&post(&server, &admin, "k1", "/api/v1/groups", &body).await), "422 idempotency_key_reused");
        assert_eq!(post(&server, &admin, "k2", "/api/v1/api-keys", &other).await.status, StatusCode::CREATED);

        // Another caller's keys are their own.
        let max = json!({ "email": "max@acme.example", "password": PASSWORD, "builtin_role": "admin" });
        server.post("/api/v1/members", max).await.ok();
        let max = server.sign_in("max@acme.example").await;
        let made = post(&server, &max, "k1", "/api/v1/groups", &json!({ "name": "Ops" })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
}

#[tokio::test]
async fn a_failed_request_may_be_mended_and_tried_again() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let admin = server.admin();
        let ops = server.group("Ops", &[]).await;
        let body = json!({ "name": "ops" });
        assert_eq!(status(&post(&server, &admin, "k", "/api/v1/groups", &body).await), "409 already_exists name");
        server.delete(&format!("/api/v1/groups/{ops}")).await.ok();
        assert_eq!(post(&server, &admin, "k", "/api/v1/groups", &body).await.status, StatusCode::CREATED);
        assert_eq!(status(&post(&server, &admin, "k3", "/api/v1/groups", &json!({})).await), "422 invalid_field name");
        let mended = json!({ "name": "Dev" });
        assert_eq!(post(&server, &admin, "k3", "/api/v1/groups", &mended).await.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn of_many_at_once_one_happens() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (admin, body) = (server.admin(), json!({ "email": "mia@acme.example", "password": PASSWORD }));
        let answers = join_all((0..8).map(|_| post(&server, &admin, "k", "/api/v1/members", &body))).await;
        for answer in &answers {
            let said = status(answer);
            assert!(said == "201" || said == "409 request_in_progress", "{said}");
        }
        assert_eq!(server.events("member.created").await.len(), 1);
        let replayed = post(&server, &admin, "k", "/api/v1/members", &body).await;
        assert_eq!(replayed.headers["idempotent-replayed"], "true");
    }
}

#[tokio::test]
async fn a_client_that_leaves_finds_its_answer_later() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let (admin, body) = (server.admin(), json!({ "email": "mia@acme.example", "password": PASSWORD }));
    let impatient = post(&server, &admin, "k", "/api/v1/members", &body);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(8), impatient).await;
    for _ in 0..100 {
        let answer = post(&server, &admin, "k", "/api/v1/members", &body).await;
        if status(&answer) != "409 request_in_progress" {
            assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
            assert_eq!(server.events("member.created").await.len(), 1);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the key is taken for ever");
}

#[tokio::test]
async fn a_key_has_a_form_and_opens_nothing() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let body = json!({ "name": "Ops" });
    for key in ["", &"k".repeat(201)] {
        let answer = post(&server, &server.admin(), key, "/api/v1/groups", &body).await;
        assert_eq!(status(&answer), "400 invalid_idempotency_key");
    }
    assert_eq!(status(&post(&server, &As::Nobody, "k", "/api/v1/groups", &body).await), "401 unauthorized");
    // A sign-in has no caller yet, and is never replayed.
    server.member("mia@acme.example").await;
    let sign_in = json!({ "email": "mia@acme.example", "password": PASSWORD });
    let first = post(&server, &As::Nobody, "k", "/api/v1/sessions", &sign_in).await;
    let second = post(&server, &As::Nobody, "k", "/api/v1/sessions", &sign_in).await;
    assert_ne!(first.text("csrf_token"), second.text("csrf_token"));
    // A session must still prove that it means it.
    let mia = super::sessions::without_csrf(&server.sign_in("mia@acme.example").await, "guessed");
    assert_eq!(status(&post(&server, &mia, "k", "/api/v1/groups", &body).await), "403 csrf_token_missing");
}
