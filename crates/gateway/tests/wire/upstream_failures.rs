//! An upstream that does not do its part: a clear error each, and an event.

use std::time::Duration;

use provost_model::event::EventType;
use provost_testkit::upstream::Reply;
use provost_web::limits::{Limits, UpstreamAddresses};
use serde_json::json;

use super::app::{TestApp, answer};

fn impatient() -> Limits {
    Limits { upstream_idle_seconds: 1, ..Limits::default() }
}

#[tokio::test]
async fn each_failure_before_the_answer_is_told_apart() {
    let app = TestApp::start_with(impatient(), UpstreamAddresses::default()).await;
    let complaint = |message: &str| json!({ "error": { "message": message, "type": "t", "code": "c" } });
    let mut table = String::new();
    for (what, reply) in [
        ("401", Reply::status(401, complaint("Incorrect API key provided: sk-upstream"))),
        ("403", Reply::status(403, complaint("sk-upstream may not"))),
        ("400", Reply::status(400, complaint("Unsupported parameter: 'x'"))),
        ("404", Reply::status(404, complaint("The model `big-model-1` does not exist"))),
        ("429", Reply::status(429, complaint("slow down")).header("retry-after", "7")),
        ("500", Reply::status(500, complaint("boom"))),
        ("503", Reply::status(503, complaint("overloaded"))),
        ("302", Reply::status(302, json!({})).header("location", "http://169.254.169.254/")),
        ("a page", Reply::html()),
        ("silence", Reply::hang()),
    ] {
        app.upstream.push(reply);
        let plain = app.http.post(format!("{}/v1/responses", app.url)).bearer_auth(&app.access_token);
        let answer = answer(plain.json(&json!({ "model": "gpt-test", "stream": true }))).await;
        let retry_after = answer.headers.get("retry-after").map(|value| format!(" retry-after {value:?}"));
        table.push_str(&format!("{what}: {}{}\n", answer.line(), retry_after.unwrap_or_default()));
    }
    insta::assert_snapshot!(table);
    assert!(!table.contains("sk-upstream"), "the key stays here");
    assert_eq!(app.upstream.turns().len(), 10, "no redirect is followed, nothing is sent twice");
    let events = app.events(EventType::TurnFailed, 10).await;
    let errors: Vec<_> = events.iter().map(|event| event.details["error"].as_str().unwrap()).collect();
    insta::assert_snapshot!(errors.join("\n"), @"
    upstream_unauthorized
    upstream_unauthorized
    upstream_refused
    upstream_refused
    upstream_rate_limited
    upstream_failed
    upstream_failed
    upstream_not_an_answer
    upstream_not_an_answer
    upstream_timeout
    ");
}

#[tokio::test]
async fn what_a_retry_cannot_mend_is_shown_to_codex_once() {
    let app = TestApp::start().await;
    app.upstream.set_default(Reply::status(401, json!({ "error": { "message": "no" } })));
    let mut table = String::new();
    for version in ["0.169.0", "0.130.0"] {
        let request = app.http.post(format!("{}/backend-api/codex/responses", app.url)).bearer_auth(&app.access_token);
        let answer = answer(request.header("version", version).json(&json!({ "model": "gpt-test" }))).await;
        table.push_str(&format!("{version}: {}\n", answer.line()));
    }
    insta::assert_snapshot!(table, @r#"
    0.169.0: 403 application/json
        {"error":{"code":"inference_hook_denied","message":"The upstream `scripted` refuses the key that it was given here. If it stays so, ask your administrator to look at the upstream."}}
    0.130.0: 400 text/plain; charset=utf-8
        The upstream `scripted` refuses the key that it was given here. If it stays so, ask your administrator to look at the upstream.
    "#);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let app = TestApp::start_with(impatient(), UpstreamAddresses::default()).await;
    for (count, reply, error) in [
        (1, Reply::text("hello").cut_after(3), "upstream_broke_off"),
        (2, Reply::text("hello").hang_after(3), "upstream_went_silent"),
    ] {
        app.upstream.push(reply);
        let response = app.turn().send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.bytes().await.is_err(), "a cut answer is not taken for a whole one");
        let events = app.events(EventType::TurnFailed, count).await;
        assert_eq!(events[count - 1].details["error"], error);
    }
}

#[tokio::test]
async fn nonsense_is_passed_on_and_recorded_as_a_failure() {
    let app = TestApp::start().await;
    app.upstream.push(Reply::garbage());
    assert_eq!(answer(app.turn()).await.status, 200);
    assert_eq!(app.event(EventType::TurnFailed).await["error"], "upstream_ended_early");
    app.upstream.push(Reply::failed("invalid_prompt", "a prompt that nobody may repeat"));
    assert_eq!(answer(app.turn()).await.status, 200);
    let events = app.events(EventType::TurnFailed, 2).await;
    assert_eq!(events[1].details["error"], "invalid_prompt");
    assert!(!events[1].details.to_string().contains("repeat"), "messages of a provider may quote the prompt");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_named_by_its_name_only() {
    let app = TestApp::start().await;
    let path = format!("/api/v1/upstreams/{}", app.upstream_id);
    let mut table = String::new();
    // 192.0.2.0/24 is nobody's (RFC 5737); port 9 of this machine is closed.
    for base_url in ["http://127.0.0.1:9/secret-path", "http://nobody.invalid/v1"] {
        let changed = app.admin("PATCH", &path, Some(json!({ "base_url": base_url, "api_key": "sk-2" }))).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        table.push_str(&format!("{}\n", answer(app.turn()).await.line()));
    }
    insta::assert_snapshot!(table);
    assert!(!table.contains("secret") && !table.contains("invalid"));
    assert_eq!(app.events(EventType::TurnFailed, 2).await[0].details["error"], "upstream_unreachable");
}

#[tokio::test]
async fn an_address_that_was_accepted_once_is_checked_again_when_it_is_dialled() {
    let app = TestApp::start_with(Limits::default(), UpstreamAddresses { allow_private: false }).await;
    let forbidden = |base_url: String| {
        let body = json!({ "name": base_url, "base_url": base_url, "models": [{ "slug": "gpt-test" }] });
        app.admin("POST", "/api/v1/upstreams", Some(body))
    };
    assert_eq!(forbidden(app.upstream.url()).await.status, 422);
    // A name that leads to such an address is found out when it is dialled.
    let by_name = app.upstream.url().replace("127.0.0.1", "localhost");
    assert_eq!(forbidden(by_name).await.status, 201);
    let answer = tokio::time::timeout(Duration::from_secs(5), answer(app.turn())).await.unwrap();
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (502, Some("upstream_unreachable")));
    assert!(app.upstream.turns().is_empty());
}
