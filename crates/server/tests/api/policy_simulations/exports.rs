//! All that a simulation finds, line by line.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{BOTH, SIMULATIONS, STRICTER, house, status};

#[tokio::test]
async fn everything_is_exported_line_by_line() {
    for database in BOTH {
        let house = house(database).await;
        let server = &house.server;
        let body = json!({ "policies": [{ "policy": "Strict", "contents": STRICTER }, { "policy": "Loose", "contents": "" }] });
        let answer = house.simulate(&body).await;
        let export = async |query: &str| {
            let answer = server.post(&format!("{SIMULATIONS}?{query}"), body.clone()).await;
            let kind = answer.headers["content-type"].to_str().unwrap().to_owned();
            (kind, answer.body.as_str().map_or_else(|| answer.body.to_string(), str::to_owned))
        };
        let (kind, text) = export("format=jsonl").await;
        assert_eq!(kind, "application/x-ndjson");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count() as u64;
        let summary = &answer["summary"];
        assert_eq!(of("member"), summary["members_changed"].as_u64().unwrap());
        assert_eq!(of("session"), summary["sessions_changed"].as_u64().unwrap());
        assert_eq!(of("command"), summary["commands_changed"].as_u64().unwrap());
        assert_eq!(lines.last().unwrap()["kind"], "summary");
        assert_eq!(lines.last().unwrap()["commands_changed"], summary["commands_changed"]);
        for list in ["members", "sessions", "commands"] {
            let (kind, text) = export(&format!("format=csv&list={list}")).await;
            assert_eq!(kind, "text/csv; charset=utf-8");
            let changed = summary[format!("{list}_changed")].as_u64().unwrap();
            assert_eq!(text.lines().count() as u64, 1 + changed, "{text}");
            assert!(text.lines().next().unwrap().contains("member_id"), "{text}");
        }
    }
}

/// An export that leaves something out must not look like one that is whole.
#[tokio::test]
async fn an_export_that_fails_half_way_breaks_off() {
    for database in BOTH {
        let house = house(database).await;
        let server = &house.server;
        let body = json!({ "policies": [{ "policy": "Strict", "contents": STRICTER }] });
        // Words that were moved to another place do not open.
        let mut tx = server.node.app.store.write().await.unwrap();
        tx.execute("UPDATE agent_commands SET call_id = 'moved' WHERE call_id = 'call_1'", []).await.unwrap();
        tx.commit().await.unwrap();
        for query in ["format=jsonl", "format=csv&list=members", "format=csv&list=commands"] {
            let request = server.request(Method::POST, &format!("{SIMULATIONS}?{query}"));
            let answer = request.bearer_auth(&server.api_key).json(&body).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(answer.bytes().await.is_err(), "{query}: it must not end well");
        }
        let answer = server.post(SIMULATIONS, body.clone()).await;
        assert_eq!(status(&answer), "500 internal");
    }
}
