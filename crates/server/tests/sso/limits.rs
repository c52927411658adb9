//! What anybody may do without end, and without being anybody: a limit for each address, and one event
//! for what is alike.

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use provost_testkit::server::{Database, Server};
use serde_json::json;

use super::saml_stage::Stage;
use crate::api::stage::BOTH;

/// A proxy says who calls.
const BEHIND_PROXY: &str = "behind_proxy = true\npublic_url = \"https://codex.acme.example\"\n";
/// So many steps of a sign-in through a provider are taken from one address in a minute.
const STEPS: usize = 1_000;

/// A caller's addresses: each is another one of the same /64, the least that a customer has.
fn neighbour(n: usize) -> String {
    format!("2001:db8:1:2:{:x}::{n:x}", n % 7)
}

async fn call(server: &Server, method: Method, path: &str, from: &str, body: &str) -> StatusCode {
    let request = server.request(method, path).header("x-forwarded-for", from).header("x-forwarded-proto", "https");
    let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    server.send(request.header(CONTENT_TYPE, kind).body(body.to_owned())).await.status
}

#[tokio::test]
async fn answers_that_nobody_asked_for_do_not_bury_the_trail() {
    for database in BOTH {
        let stage = Stage::new(database, json!({})).await;
        for _ in 0..50 {
            let answer = stage.post("<x/>", "made up", "").await;
            stage.assert_refused(&answer, "not_requested", "an answer from nowhere").await;
        }
        let events = stage.server.events("sign_in.failed").await;
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!(events[0]["details"]["connection_id"], stage.id);
        assert_eq!(events[0]["details"]["method"], "saml");
        // Another reason is another event.
        let began = stage.begin("/").await;
        stage.assert_refused(&stage.finish(&began, "<x/>").await, "not_a_response", "nonsense").await;
        assert_eq!(stage.reasons().await, ["not_requested", "not_a_response"]);
    }
}

#[tokio::test]
async fn each_step_of_a_sign_in_has_a_limit_for_each_network() {
    let server = Server::start_with(Database::Sqlite, BEHIND_PROXY).await;
    let nowhere = "conn_0199aaaaaaaa7000800000000000000a";
    let saml = format!("/sign-in/saml/{nowhere}/acs");
    let begin = format!("/sign-in/sso/{nowhere}");
    for (method, path, wanted) in [
        (Method::POST, saml.as_str(), StatusCode::NOT_FOUND),
        (Method::GET, begin.as_str(), StatusCode::NOT_FOUND),
        (Method::GET, "/sign-in/oidc/callback?state=x&code=y", StatusCode::BAD_REQUEST),
    ] {
        let body = "SAMLResponse=x&RelayState=y";
        let mut taken = 0;
        // While they are counted some are forgiven: the limit is so many a minute.
        while taken < 3 * STEPS {
            match call(&server, method.clone(), path, &neighbour(taken), body).await {
                StatusCode::TOO_MANY_REQUESTS => break,
                status => assert_eq!(status, wanted, "{path} {taken}"),
            }
            taken += 1;
        }
        assert!((STEPS..3 * STEPS).contains(&taken), "{path}: {taken}");
        // Others go on.
        for other in ["2001:db8:1:3::1", "192.0.2.1"] {
            assert_eq!(call(&server, method.clone(), path, other, body).await, wanted, "{path} {other}");
        }
    }
}

#[tokio::test]
async fn a_customer_s_many_addresses_are_one_to_the_devices_that_wait() {
    for database in BOTH {
        let server = Server::start_with(database, BEHIND_PROXY).await;
        server.patch("/api/v1/settings", json!({ "device_code_login": true })).await.ok();
        let start = async |from: &str| {
            call(&server, Method::POST, "/api/accounts/deviceauth/usercode", from, r#"{"client_id":"app_x"}"#).await
        };
        for n in 0..200 {
            assert_eq!(start(&neighbour(n)).await, StatusCode::OK, "{n}");
        }
        assert_eq!(start(&neighbour(200)).await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(start("2001:db8:1:3::1").await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_customer_s_many_addresses_are_one_to_what_guesses() {
    let server = Server::start_with(Database::Sqlite, BEHIND_PROXY).await;
    let form = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=guessed\
        &subject_token_type=urn:ietf:params:oauth:token-type:id_token";
    for n in 0..10 {
        assert_eq!(call(&server, Method::POST, "/oauth/token", &neighbour(n), form).await, StatusCode::BAD_REQUEST);
    }
    let more = call(&server, Method::POST, "/oauth/token", &neighbour(10), form).await;
    assert_eq!(more, StatusCode::TOO_MANY_REQUESTS);
    let sign_in = |n: usize| format!("{{\"email\":\"{n}@acme.example\",\"password\":\"guessed by a stranger\"}}");
    // What fails alike is one event, from whichever of them.
    let one = "{\"email\":\"owner@acme.example\",\"password\":\"guessed by a stranger\"}";
    for n in 0..5 {
        assert_eq!(
            call(&server, Method::POST, "/api/v1/sessions", &neighbour(n), one).await,
            StatusCode::UNAUTHORIZED,
            "{n}"
        );
    }
    assert_eq!(server.events("sign_in.failed").await.len(), 1);
    for n in 5..10 {
        call(&server, Method::POST, "/api/v1/sessions", &neighbour(n), &sign_in(n)).await;
    }
    let more = call(&server, Method::POST, "/api/v1/sessions", &neighbour(10), &sign_in(10)).await;
    assert_eq!(more, StatusCode::TOO_MANY_REQUESTS);
}
