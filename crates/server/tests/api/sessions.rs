//! `/api/v1/sessions`, `/api/v1/session`.

use http::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{Method, StatusCode};
use insta::assert_snapshot;
use jiff::SignedDuration;
use provost_testkit::server::{As, Database, PASSWORD, Server};
use serde_json::json;

use super::{PATIENT, play, status};

#[tokio::test]
async fn a_session_begins_is_seen_and_ends() {
    let transcript = play(async |s| {
        let id = s.server.member("mia@acme.example").await;
        let sign_in = |email: &str, password: &str| Some(json!({ "email": email, "password": password }));
        let nobody = &As::Nobody;
        s.says("Who is nobody");
        s.call(nobody, Method::POST, "/api/v1/sessions", sign_in("mia@acme.example", "wrong")).await;
        s.call(nobody, Method::POST, "/api/v1/sessions", sign_in("nobody@acme.example", "wrong")).await;
        s.call(nobody, Method::POST, "/api/v1/sessions", sign_in("not an address", "wrong")).await;
        s.call(nobody, Method::POST, "/api/v1/sessions", Some(json!({ "email": "mia@acme.example" }))).await;
        s.call(nobody, Method::GET, "/api/v1/session", None).await;
        s.get("/api/v1/session").await;
        s.says("Signing in, in whichever case; a one-time password may come along");
        let body = json!({ "email": "MIA@acme.example", "password": PASSWORD, "otp": null });
        s.call(nobody, Method::POST, "/api/v1/sessions", Some(body)).await;
        let mia = s.server.sign_in("mia@acme.example").await;
        s.call(&mia, Method::GET, "/api/v1/session", None).await;
        s.says("A write without the right CSRF token is refused");
        s.call(&without_csrf(&mia, ""), Method::DELETE, "/api/v1/session", None).await;
        s.call(&without_csrf(&mia, "guessed"), Method::DELETE, "/api/v1/session", None).await;
        s.says("Signing out ends it for good");
        s.call(&mia, Method::DELETE, "/api/v1/session", None).await;
        s.call(&mia, Method::GET, "/api/v1/session", None).await;
        s.says("A suspended member has no session and gets none");
        let mia = s.server.sign_in("mia@acme.example").await;
        s.server.patch(&format!("/api/v1/members/{id}"), json!({ "active": false })).await.ok();
        s.call(&mia, Method::GET, "/api/v1/session", None).await;
        s.call(nobody, Method::POST, "/api/v1/sessions", sign_in("mia@acme.example", PASSWORD)).await;
        s.says("Being let back in brings no old session back");
        s.server.patch(&format!("/api/v1/members/{id}"), json!({ "active": true })).await.ok();
        s.call(&mia, Method::GET, "/api/v1/session", None).await;
    });
    assert_snapshot!(transcript.await);
}

/// The session with another CSRF token.
pub(super) fn without_csrf(session: &As, token: &str) -> As {
    let As::Session { member_id, cookie, .. } = session.clone() else { panic!("a session") };
    As::Session { member_id, cookie, csrf_token: token.to_owned() }
}

#[tokio::test]
async fn a_stranger_learns_nothing_from_a_refused_sign_in() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member("mia@acme.example").await;
    let invited = json!({ "email": "invited@acme.example" });
    server.post("/api/v1/members", invited).await.ok();
    let mut bodies = Vec::new();
    for email in ["mia@acme.example", "invited@acme.example", "nobody@acme.example"] {
        let body = json!({ "email": email, "password": "a guess of some length" });
        let mut answer = server.call(&As::Nobody, Method::POST, "/api/v1/sessions", Some(body)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        answer.body["error"]["request_id"] = json!(null);
        bodies.push(answer.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[tokio::test]
async fn guessing_is_slowed_and_never_locks_the_member_out() {
    let server = Server::start_with(Database::Sqlite, "[limits]\nsign_in_attempts_per_minute = 3\n").await;
    server.member("mia@acme.example").await;
    let sign_in = async |password: &str| {
        let body = json!({ "email": "mia@acme.example", "password": password });
        server.call(&As::Nobody, Method::POST, "/api/v1/sessions", Some(body)).await
    };
    for _ in 0..3 {
        assert_eq!(status(&sign_in("a guess of some length").await), "401 unauthorized");
    }
    // However good the password is: a guesser could otherwise go on guessing.
    let refused = sign_in(PASSWORD).await;
    assert_eq!(status(&refused), "429 too_many_requests");
    let seconds: i64 = refused.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    server.advance(SignedDuration::from_secs(seconds));
    assert_eq!(sign_in(PASSWORD).await.status, StatusCode::OK);
    // Another account from the same address was not punished for longer than that.
    server.advance(SignedDuration::from_mins(1));
    server.member("max@acme.example").await;
    server.sign_in("max@acme.example").await;
}

#[tokio::test]
async fn a_session_ends_after_a_day_of_silence_and_after_a_week_at_last() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    let look = async |who: &As| server.call(who, Method::GET, "/api/v1/session", None).await.status;
    for _ in 0..8 {
        server.advance(SignedDuration::from_hours(20));
        assert_eq!(look(&mia).await, StatusCode::OK);
    }
    server.advance(SignedDuration::from_hours(9));
    assert_eq!(look(&mia).await, StatusCode::UNAUTHORIZED, "169 hours");
    let mia = server.sign_in("mia@acme.example").await;
    server.advance(SignedDuration::from_hours(25));
    assert_eq!(look(&mia).await, StatusCode::UNAUTHORIZED, "silent for 25 hours");
}

#[tokio::test]
async fn over_tls_the_cookie_is_bound_to_the_host() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member("mia@acme.example").await;
    let ca = reqwest::Certificate::from_pem(&std::fs::read(server.ca_certificate()).unwrap()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
    let body = json!({ "email": "mia@acme.example", "password": PASSWORD });
    let answer = http.post(format!("{}/api/v1/sessions", server.url())).json(&body).send().await.unwrap();
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    let (pair, flags) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-provost-session="), "{cookie}");
    assert_eq!(flags, "Path=/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure");
    assert!(answer.headers().contains_key("strict-transport-security"));
    // Sent under the name for plain HTTP it is nothing.
    let other_name = pair.trim_start_matches("__Host-");
    for (cookie, expected) in [(pair, StatusCode::OK), (other_name, StatusCode::UNAUTHORIZED)] {
        let request = http.get(format!("{}/api/v1/session", server.url())).header(COOKIE, cookie);
        assert_eq!(request.send().await.unwrap().status(), expected, "{cookie}");
    }
}
