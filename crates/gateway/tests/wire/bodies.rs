//! What cannot be a turn is refused with what is wrong with it, before anything is dispatched.

use provost_model::event::EventType;
use provost_web::limits::{Limits, UpstreamAddresses};
use serde_json::json;

use super::app::{Answer, TestApp, answer};

async fn post(app: &TestApp, content_type: &str, coding: Option<&str>, body: Vec<u8>) -> Answer {
    let request = app.http.post(format!("{}/backend-api/codex/responses", app.url)).bearer_auth(&app.access_token);
    let request = request.header("content-type", content_type).body(body);
    answer(coding.iter().fold(request, |request, coding| request.header("content-encoding", *coding))).await
}

#[tokio::test]
async fn a_body_that_cannot_be_says_why() {
    let limits = Limits { model_body_bytes: 100_000, ..Limits::default() };
    let app = TestApp::start_with(limits, UpstreamAddresses::default()).await;
    let zstd = |plain: &[u8]| zstd::encode_all(plain, 3).unwrap();
    let turn = br#"{"model":"gpt-test","input":"hi"}"#;
    let mut cut = zstd(turn);
    cut.truncate(cut.len() - 4);
    let json = "application/json";
    let mut table = String::new();
    for (what, content_type, coding, body) in [
        ("nothing", json, None, vec![]),
        ("no JSON", json, None, b"model=gpt-test".to_vec()),
        ("cut JSON", json, None, turn[..turn.len() - 3].to_vec()),
        ("not UTF-8", json, None, b"{\"model\":\"gpt-test\",\"input\":\"\xff\"}".to_vec()),
        ("a list", json, None, b"[]".to_vec()),
        ("no model", json, None, b"{}".to_vec()),
        ("model null", json, None, br#"{"model":null}"#.to_vec()),
        ("model twice", json, None, br#"{"model":"gpt-test","model":"gpt-5"}"#.to_vec()),
        ("stream no bool", json, None, br#"{"model":"gpt-test","stream":1}"#.to_vec()),
        ("too large", json, None, vec![b' '; 100_001]),
        ("a form", "application/x-www-form-urlencoded", None, turn.to_vec()),
        ("no type", "", None, turn.to_vec()),
        ("gzip", json, Some("gzip"), turn.to_vec()),
        ("not zstd", json, Some("zstd"), turn.to_vec()),
        ("cut zstd", json, Some("zstd"), cut),
        ("a bomb", json, Some("zstd"), zstd(&vec![b' '; 50 << 20])),
    ] {
        let answer = post(&app, content_type, coding, body).await;
        table.push_str(&format!("{what}: {}\n", answer.line()));
    }
    insta::assert_snapshot!(table);
    assert!(app.upstream.turns().is_empty(), "nothing is dispatched");
    let events = app.events(EventType::TurnRefused, 16).await;
    assert!(events.iter().all(|event| event.details["reason"].is_string()));
}

#[tokio::test]
async fn a_zstd_body_arrives_plain_and_never_stored() {
    let app = TestApp::start().await;
    let body = json!({ "model": "gpt-test", "input": [{ "text": "hi" }], "store": true, "stream": true, "x": [1.5] });
    let compressed = zstd::encode_all(body.to_string().as_bytes(), 3).unwrap();
    assert_eq!(post(&app, "application/json; charset=utf-8", Some("zstd"), compressed).await.status, 200);
    let turn = app.upstream.turns().remove(0);
    let expected =
        json!({ "model": "big-model-1", "input": [{ "text": "hi" }], "store": false, "stream": true, "x": [1.5] });
    assert_eq!(turn.body, expected);
    assert_eq!(turn.header("content-encoding"), None);
}

#[tokio::test]
async fn a_websocket_is_declined_so_that_clients_fall_back_at_once() {
    let app = TestApp::start().await;
    for path in ["/backend-api/codex/responses", "/v1/responses"] {
        let get = || app.http.get(format!("{}{path}", app.url));
        let upgrade = get().header("connection", "upgrade").header("upgrade", "websocket");
        let answer_to_upgrade = answer(upgrade.header("sec-websocket-version", "13")).await;
        assert_eq!(
            answer_to_upgrade.line(),
            "426 text/plain; charset=utf-8\n    no WebSocket here: send the turn with POST"
        );
        let plain = answer(get()).await;
        assert_eq!((plain.status, plain.headers["allow"].to_str().unwrap()), (405, "POST"));
        assert_eq!(answer(app.http.head(format!("{}{path}", app.url))).await.status, 405);
    }
}
