//! The stand-in itself: what a client of it sees on the wire.

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{Outcome, Reply, Upstream, Usage};

async fn ask(upstream: &Upstream) -> reqwest::Response {
    reqwest::Client::new()
        .post(format!("{}/responses", upstream.url()))
        .json(&json!({"model": "gpt-test", "input": "hi", "stream": true}))
        .send()
        .await
        .expect("the upstream answers")
}

fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("an event is JSON"))
        .collect()
}

#[tokio::test]
async fn a_text_reply_is_a_numbered_stream_that_closes_with_its_usage() {
    let upstream = Upstream::start().await;
    let usage = Usage { input: 100, cached: 40, output: 20, reasoning: 5 };
    upstream.push(Reply::text("hello").usage(usage));
    let events = events(&ask(&upstream).await.text().await.expect("a whole stream"));

    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).map(Some).collect::<Vec<_>>());
    let last = events.last().expect("events");
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"][0]["text"], "hello");
    let expected = json!({
        "input_tokens": 100, "input_tokens_details": {"cached_tokens": 40},
        "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 120,
    });
    assert_eq!(last["response"]["usage"], expected);
    assert_eq!(upstream.turns()[0].body["model"], "gpt-test");
    assert_eq!(upstream.turns()[0].outcome, Outcome::Finished);
}

#[tokio::test]
async fn a_cut_reply_delivers_its_events_and_then_breaks() {
    let upstream = Upstream::start().await;
    upstream.push(Reply::text("hello").cut_after(2));
    let chunks: Vec<_> = ask(&upstream).await.bytes_stream().collect().await;
    let (delivered, broken): (Vec<_>, Vec<_>) = chunks.into_iter().partition(Result::is_ok);
    let bytes: Vec<u8> = delivered.into_iter().flatten().flatten().collect();
    assert_eq!(events(&String::from_utf8_lossy(&bytes)).len(), 2);
    assert_eq!(broken.len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_before_and_during_the_answer() {
    let upstream = Upstream::start().await;
    upstream.push(Reply::hang());
    upstream.push(Reply::text("hello").hang_after(1));

    let (silent, half) = (ask(&upstream), async {
        upstream.wait_for_turns(1).await;
        ask(&upstream).await
    });
    tokio::select! {
        _ = silent => panic!("a hanging upstream does not answer"),
        response = half => drop(response),
    }
    upstream.wait_until("both to leave", |log| log.iter().all(|request| request.outcome == Outcome::ClientGone)).await;
    assert_eq!(upstream.turns().len(), 2);
}
