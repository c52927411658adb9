//! `/api/v1/events`.

use http::Method;
use insta::assert_snapshot;
use serde_json::json;

use super::{play, status};

const EVENTS: &str = "/api/v1/events";

#[tokio::test]
async fn events_are_listed_newest_last_and_filtered() {
    let transcript = play(async |s| {
        let mia = s.server.member("mia@acme.example").await;
        s.server.group("Ops", &[&mia]).await;
        let session = s.server.sign_in("mia@acme.example").await;
        s.server.call(&session, Method::POST, "/api/v1/groups", Some(json!({ "name": "x" }))).await;
        s.server.events("request.refused").await;
        s.says("All");
        let all = s.get(EVENTS).await;
        s.says("By type, by actor's address and id, after one, page by page");
        s.get(&format!("{EVENTS}?type=member.created")).await;
        s.get(&format!("{EVENTS}?actor=mia%40acme.example")).await;
        let by_id = s.server.get(&format!("{EVENTS}?actor={mia}")).await.ok();
        assert_eq!(by_id["data"].as_array().unwrap().len(), 2);
        let third = all.body["data"][2].clone();
        let by_seq = s.server.get(&format!("{EVENTS}?after={}", third["seq"])).await.ok();
        let by_id = s.server.get(&format!("{EVENTS}?after={}", third["id"].as_str().unwrap())).await.ok();
        assert_eq!(by_seq, by_id);
        assert_eq!(by_seq["data"][0], all.body["data"][3]);
        let page = s.server.get(&format!("{EVENTS}?limit=2")).await.ok();
        let cursor = page["next_cursor"].as_str().unwrap();
        let next = s.server.get(&format!("{EVENTS}?limit=2&cursor={cursor}")).await.ok();
        assert_eq!(next["data"][0], all.body["data"][2]);
        s.says("What cannot be");
        for query in
            ["type=nothing", "after=x", "after=%00", "actor=%00", "limit=0", "limit=1001", "limit=x", "cursor=%2B"]
        {
            let answer = s.get(&format!("{EVENTS}?{query}")).await;
            assert!(status(&answer).starts_with("422"), "{query}");
        }
        let far = s.get(&format!("{EVENTS}?after=9223372036854775807")).await.ok();
        assert_eq!(far["data"], json!([]));
    });
    assert_snapshot!(transcript.await);
}
