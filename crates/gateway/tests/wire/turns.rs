//! A turn on its way: bytes as they come, facts recorded, nothing leaked.

use std::time::Duration;

use futures_util::StreamExt;
use provost_model::event::EventType;
use provost_testkit::upstream::{Outcome, Reply, Usage};
use provost_web::limits::{Limits, UpstreamAddresses};
use serde_json::{Value, json};

use super::app::{TestApp, answer};

#[tokio::test]
async fn a_turn_is_relayed_byte_for_byte_and_recorded_without_what_was_said() {
    let app = TestApp::start().await;
    let usage = Usage { input: 1_000_000, cached: 400_000, output: 500_000, reasoning: 5 };
    let reply = || Reply::text("a secret of ours").usage(usage).header("x-request-id", "req_upstream");
    app.upstream.push(reply());
    let direct = app.http.post(format!("{}/responses", app.upstream.url()));
    let direct = answer(direct.json(&json!({ "model": "big-model-1" }))).await;
    app.upstream.push(reply());
    let metadata = r#"{"turn_id":"turn_7","sandbox_mode":"read-only"}"#;
    let turn = app.turn().header("originator", "codex_exec").header("session-id", "ses_1");
    let relayed = answer(turn.header("thread-id", "thr_1").header("x-codex-turn-metadata", metadata)).await;
    // The scripted upstream numbers its answers.
    assert_eq!(relayed.text().replace("_1\"", "_0\""), direct.text());
    assert_eq!(relayed.content_type, "text/event-stream");
    assert_eq!(relayed.headers["x-accel-buffering"], "no");
    assert_eq!(relayed.headers["cache-control"], "no-store");

    let mut event = app.event(EventType::TurnCompleted).await;
    event["via"]["id"] = "[id]".into();
    assert_eq!(event["stream_bytes"], direct.body.len());
    insta::assert_json_snapshot!(event);
    assert!(!event.to_string().contains("secret") && !event.to_string().contains("hi\""));
}

#[tokio::test]
async fn the_upstream_learns_nothing_of_who_asks() {
    let app = TestApp::start().await;
    let turn = app.turn().header("cookie", "provost-session=s").header("chatgpt-account-id", "ws_1");
    let turn = turn.header("openai-beta", "responses=v1").header("x-client-request-id", "creq_1");
    answer(turn.header("session-id", "ses_1").header("user-agent", "codex_exec/0.169.0")).await;
    let turn = app.upstream.turns().remove(0);
    let mut headers: Vec<_> =
        turn.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    headers.retain(|line| !line.starts_with("host: ") && !line.starts_with("content-length: "));
    headers.sort();
    insta::assert_snapshot!(headers.join("\n"), @"
    accept: text/event-stream
    authorization: Bearer sk-upstream
    content-type: application/json
    openai-beta: responses=v1
    user-agent: provost/0.1.0
    x-client-request-id: creq_1
    ");
}

#[tokio::test]
async fn events_arrive_as_they_are_sent() {
    let app = TestApp::start().await;
    app.upstream.push(Reply::text("hello").hang_after(2));
    let mut stream = app.turn().send().await.unwrap().bytes_stream();
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") || text.windows(2).filter(|pair| pair == b"\n\n").count() < 2 {
        let piece = tokio::time::timeout(Duration::from_secs(5), stream.next()).await.expect("nothing is held back");
        text.extend_from_slice(&piece.unwrap().unwrap());
    }
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_model_and_is_recorded() {
    let app = TestApp::start().await;
    // Before the answer.
    app.upstream.push(Reply::hang());
    let silent = tokio::spawn(app.turn().send());
    app.upstream.wait_for_turns(1).await;
    silent.abort();
    app.upstream.wait_for_client_gone().await;
    // In the middle of it.
    app.upstream.push(Reply::slow(1_000, Duration::from_millis(5)));
    let mut stream = app.turn().send().await.unwrap().bytes_stream();
    for _ in 0..8 {
        stream.next().await.unwrap().unwrap();
    }
    drop(stream);
    let events = app.events(EventType::TurnCompleted, 2).await;
    for (event, saw_text) in events.iter().zip([false, true]) {
        assert_eq!(event.details["status"], "cancelled");
        assert_eq!(event.details["output_tokens"], Value::Null);
        assert_eq!(event.details["output_deltas"].as_u64().unwrap() > 0, saw_text, "{}", event.details);
    }
    let left = || app.upstream.turns().iter().filter(|turn| turn.outcome == Outcome::ClientGone).count();
    for _ in 0..500 {
        if left() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the upstream was not told: {:?}", app.upstream.turns());
}

#[tokio::test]
async fn usage_is_read_though_the_client_leaves_before_the_stream_ends() {
    let app = TestApp::start().await;
    let events = 10;
    app.upstream.push(Reply::text("hello").hang_after(events));
    let mut stream = app.turn().send().await.unwrap().bytes_stream();
    let mut text = String::new();
    while !text.contains("response.completed") {
        text.push_str(&String::from_utf8_lossy(&stream.next().await.unwrap().unwrap()));
    }
    drop(stream);
    let event = app.event(EventType::TurnCompleted).await;
    assert_eq!((event["status"].as_str(), event["output_tokens"].as_u64()), (Some("completed"), Some(7)));
}

#[tokio::test]
async fn an_openai_client_may_ask_for_one_body() {
    let app = TestApp::start().await;
    let usage = json!({ "input_tokens": 10, "output_tokens": 20, "total_tokens": 30 });
    let body = json!({ "id": "resp_1", "object": "response", "status": "completed", "usage": usage, "output": [] });
    app.upstream.push(Reply::status(200, body.clone()));
    let request = app.http.post(format!("{}/v1/responses", app.url)).bearer_auth(&app.access_token);
    let answer = answer(request.json(&json!({ "model": "gpt-test", "input": "hi" }))).await;
    assert_eq!((answer.status, answer.json()), (200, body));
    let event = app.event(EventType::TurnCompleted).await;
    assert_eq!((event["input_tokens"].as_u64(), event["output_tokens"].as_u64()), (Some(10), Some(20)));
}

#[tokio::test]
async fn many_turns_at_once_do_not_meet() {
    let app = TestApp::start_with(Limits::default(), UpstreamAddresses::default()).await;
    app.upstream.set_default(Reply::slow(20, Duration::from_millis(1)));
    let turns = (0..50).map(|_| answer(app.turn()));
    for answer in futures_util::future::join_all(turns).await {
        assert_eq!((answer.status, answer.text().matches("piece 19 ").count()), (200, 5));
    }
    assert_eq!(app.events(EventType::TurnCompleted, 50).await.len(), 50);
    assert_eq!(app.app.metrics.open_streams.get(), 0);
}
