//! Who may not is told so in the words and the form that its client shows.

use jiff::SignedDuration;
use provost_model::event::EventType;
use provost_store::Touched;
use provost_store::tables::access_tokens;
use serde_json::json;

use super::app::{TestApp, answer};

const TEXT: &str = "403 - Unauthorized. Contact your ChatGPT administrator for access.";

#[tokio::test]
async fn each_client_reads_the_refusal_in_its_own_form() {
    let app = TestApp::start().await;
    app.set(|settings| settings.codex_local = false).await;
    let mut table = String::new();
    for (who, path, headers, model) in [
        ("Codex 0.169.0", "/backend-api/codex/responses", &[("version", "0.169.0")][..], "gpt-test"),
        ("Codex 0.130.0", "/backend-api/codex/responses", &[("version", "0.130.0")], "gpt-test"),
        ("nobody knows", "/backend-api/codex/responses", &[], "gpt-test"),
        ("Codex 0.130.0 as provider", "/v1/responses", &[("user-agent", "codex_exec/0.130.0 (Debian)")], "gpt-test"),
        ("an OpenAI client", "/v1/responses", &[], "gpt-test"),
        ("Codex 0.169.0", "/backend-api/codex/responses", &[("version", "0.169.0")], "gpt-9"),
        ("Codex 0.130.0", "/backend-api/codex/responses", &[("version", "0.130.0")], "gpt-9"),
        ("an OpenAI client", "/v1/responses", &[], "gpt-9"),
    ] {
        // The second half asks for a model that is not there, and may.
        app.set(|settings| settings.codex_local = model == "gpt-9").await;
        let request = app.http.post(format!("{}{path}", app.url)).bearer_auth(&app.access_token);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = answer(request.json(&json!({ "model": model, "input": "hi", "stream": true }))).await;
        table.push_str(&format!("{who}, {model}: {}\n", answer.line()));
    }
    insta::assert_snapshot!(table);
    assert!(app.upstream.turns().is_empty(), "nothing is dispatched");

    let events = app.events(EventType::TurnRefused, 8).await;
    let reasons: Vec<_> = events.iter().map(|event| event.details["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, [["not_permitted"; 5].as_slice(), &["model_not_listed"; 3]].concat());
    insta::assert_json_snapshot!(events[5].details);
    assert_eq!(events[5].actor.email.as_deref(), Some("dev@example.com"));
}

#[tokio::test]
async fn the_toggle_works_without_a_restart() {
    let app = TestApp::start().await;
    assert_eq!(answer(app.turn()).await.status, 200);
    app.set(|settings| settings.codex_local = false).await;
    assert_eq!(answer(app.turn()).await.json()["error"]["message"], TEXT);
    app.set(|settings| settings.codex_local = true).await;
    assert_eq!(answer(app.turn()).await.status, 200);
}

#[tokio::test]
async fn who_is_suspended_is_refused_at_the_next_turn_and_nowhere_before() {
    let app = TestApp::start().await;
    app.set_active(false).await;
    assert_eq!(answer(app.turn()).await.json()["error"]["message"], TEXT);
    // Codex asks this first, and would show a refusal here as an outage.
    let get = |path: &str| answer(app.http.get(format!("{}{path}", app.url)).bearer_auth(&app.access_token));
    let account = get("/backend-api/wham/accounts/check").await;
    assert_eq!(account.json()["accounts"][0]["id"], app.workspace_id.to_string());
    assert_eq!(get("/backend-api/codex/models").await.json(), json!({ "models": [] }));
    assert_eq!(get("/v1/models").await.status, 403);
    let event = app.event(EventType::TurnRefused).await;
    assert_eq!(event["reason"], "member_suspended");
    app.set_active(true).await;
    assert_eq!(answer(app.turn()).await.status, 200);
}

#[tokio::test]
async fn nobody_gets_a_401_wherever_they_ask() {
    let app = TestApp::start().await;
    let good = app.signed_in_token(SignedDuration::from_hours(1));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (_, claims) = head.split_once('.').unwrap();
    // {"alg":"none","typ":"at+jwt"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.");
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let tampered = format!("{head}.{flipped}{}", &signature[1..]);
    let expired = app.signed_in_token(SignedDuration::from_secs(-1));
    let stranger = TestApp::start().await;
    let foreign = stranger.signed_in_token(SignedDuration::from_hours(1));
    for (what, token) in [
        ("none", String::new()),
        ("made up", "at-unknown".to_owned()),
        ("of another Provost", stranger.access_token.clone()),
        ("signed by another Provost", foreign),
        ("expired", expired),
        ("tampered", tampered),
        ("unsigned", unsigned),
        ("an API key", app.api_key.clone()),
        ("garbage", "a.b.c".to_owned()),
        ("long", "x".repeat(20_000)),
    ] {
        for (method, path) in [
            ("POST", "/backend-api/codex/responses"),
            ("POST", "/v1/responses"),
            ("GET", "/backend-api/codex/models"),
            ("GET", "/v1/models"),
            ("GET", "/backend-api/wham/accounts/check"),
            ("GET", "/api/codex/accounts/check"),
            ("GET", "/backend-api/wham/usage"),
            ("GET", "/api/codex/usage"),
        ] {
            let request = app.http.request(method.parse().unwrap(), format!("{}{path}", app.url));
            let request = if token.is_empty() { request } else { request.bearer_auth(&token) };
            let answer = answer(request.json(&json!({ "model": "gpt-test" }))).await;
            assert_eq!(
                (answer.status, answer.json()["error"]["code"].as_str()),
                (401, Some("unauthorized")),
                "{what} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_works_until_it_ends() {
    let app = TestApp::start().await;
    let signed_in = app.signed_in_token(SignedDuration::from_mins(60));
    let turn = |token: &str| {
        let request = app.http.post(format!("{}/v1/responses", app.url)).bearer_auth(token);
        answer(request.json(&json!({ "model": "gpt-test", "stream": true })))
    };
    assert_eq!(turn(&signed_in).await.status, 200);
    app.clock.advance(SignedDuration::from_mins(61));
    assert_eq!(turn(&signed_in).await.status, 401);
    assert_eq!(turn(&app.access_token).await.status, 200);
    app.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(turn(&app.access_token).await.status, 401);
}

#[tokio::test]
async fn a_revoked_access_token_ends_at_once() {
    let app = TestApp::start().await;
    let mut change = app.change().await;
    let page = provost_store::tables::Page { after: None, limit: 10 };
    let tokens = access_tokens::list(&mut change, app.workspace_id, None, &page).await.unwrap();
    let now = app.clock.now();
    access_tokens::revoke(&mut change, app.workspace_id, tokens[0].id, now).await.unwrap();
    change.touch(Touched::AccessToken(tokens[0].id));
    change.record(EventType::AccessTokenRevoked, None, json!({}));
    change.commit().await.unwrap();
    assert_eq!(answer(app.turn()).await.status, 401);
}
