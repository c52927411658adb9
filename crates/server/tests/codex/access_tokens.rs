//! Access tokens, `at-…`: for machines without a browser. 0.130.0 does not know them.

use jiff::SignedDuration;
use provost_testkit::codex::Version;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Site, TURN};

/// What the developer reads in the end: nobody can renew such a token but they.
const NOT_GOOD: &str = "sign in: the token is missing, expired or revoked";

async fn open() -> Site {
    let site = Site::open().await;
    site.set("codex_access_tokens", json!(true)).await;
    site
}

#[tokio::test]
async fn an_access_token_signs_the_client_in() {
    let site = open().await;
    let ada = site.hire("ada").await;
    let token = site.server.access_token(&ada.email).await;
    let laptop = site.laptop(Version::V0_169);
    let output = laptop.login_access_token(&token).await;
    assert!(output.success(), "{output}");
    let turn = laptop.exec("say hi", &TURN).await;
    assert!(turn.success() && turn.stdout.contains("hello from the upstream"), "{turn}");

    // A build machine stores nothing: it has the token in its environment.
    let machine = site.laptop(Version::V0_169).env("CODEX_ACCESS_TOKEN", &token);
    let turn = machine.exec("say hi", &TURN).await;
    assert!(turn.success(), "{turn}");
    assert_eq!(machine.auth(), None);

    let turns = site.events_of(&ada, "turn.completed").await;
    assert_eq!(turns.len(), 2);
    assert_eq!(turns[0]["details"]["via"]["kind"], "access_token");
}

#[tokio::test]
async fn a_token_lives_as_long_as_the_cap_allows_and_then_ends() {
    let site = open().await;
    site.set("access_token_max_days", json!(7)).await;
    let ada = site.hire("ada").await;
    for days in [json!(8), json!(null)] {
        let body = json!({ "name": "too long", "expires_in_days": days });
        let answer = site.server.call(&ada.session, Method::POST, "/api/v1/access-tokens", Some(body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.body["error"]["field"], "expires_in_days");
    }
    let body = json!({ "name": "a week", "expires_in_days": 7 });
    let token = site.server.call(&ada.session, Method::POST, "/api/v1/access-tokens", Some(body)).await.text("token");
    let laptop = site.laptop(Version::V0_169);
    assert!(laptop.login_access_token(&token).await.success());
    assert!(laptop.exec("say hi", &TURN).await.success());

    site.server.advance(SignedDuration::from_hours(7 * 24 + 1));
    let turn = laptop.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    assert!(turn.error().is_some_and(|error| error.contains(NOT_GOOD)), "{turn}");
    let login = site.laptop(Version::V0_169).login_access_token(&token).await;
    assert_eq!(login.code, Some(1), "{login}");
    assert!(login.stderr.contains("personal access token metadata request failed with status 401"), "{login}");
    assert_eq!(site.upstream.turns().len(), 1);
}

#[tokio::test]
async fn a_revoked_token_stops_the_next_turn() {
    let site = open().await;
    let ada = site.hire("ada").await;
    let body = json!({ "name": "ci", "expires_in_days": 1 });
    let made = site.server.call(&ada.session, Method::POST, "/api/v1/access-tokens", Some(body)).await;
    let machine = site.laptop(Version::V0_169).env("CODEX_ACCESS_TOKEN", &made.text("token"));
    assert!(machine.exec("say hi", &TURN).await.success());
    site.server.delete(&format!("/api/v1/access-tokens/{}", made.text("id"))).await.ok();
    let turn = machine.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    assert!(turn.error().is_some_and(|error| error.contains(NOT_GOOD)), "{turn}");
    assert_eq!(site.upstream.turns().len(), 1);
}
