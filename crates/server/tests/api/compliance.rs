//! `/v1/compliance/workspaces/{id}/…`: log files, as tools for the hosted product read them.

use aws_lc_rs::digest::{SHA256, digest};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_governance::cut_now;
use provost_testkit::server::{Answer, As, Server};
use provost_testkit::upstream::Upstream;
use serde_json::{Value, json};

use super::tenants::second_workspace;
use super::{BOTH, PATIENT};

const EVERYTHING: &str = "event_type=AUTH_LOG&event_type=AUDIT_LOG&event_type=CODEX_LOG&event_type=CODEX_SECURITY_LOG&event_type=CODEX_TURN&after=1970-01-01T00:00:00Z";

fn path(server: &Server, rest: &str) -> String {
    format!("/v1/compliance/workspaces/{}/{rest}", server.workspace_id)
}

/// Writes what is queued, and cuts it.
async fn cut(server: &Server) {
    let store = &server.node.app.store;
    assert!(store.flush(std::time::Duration::from_secs(10)).await);
    cut_now(store).await.unwrap();
}

async fn files(server: &Server, query: &str) -> Vec<Value> {
    let page = server.get(&path(server, &format!("logs?{query}"))).await.ok();
    page["data"].as_array().unwrap().clone()
}

/// Where a file's contents are, as a path.
async fn address(server: &Server, id: &str) -> String {
    let path = path(server, &format!("logs/{id}"));
    let answer = server.request(Method::GET, &path).bearer_auth(&server.api_key).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    let location = answer.headers()["location"].to_str().unwrap();
    location.strip_prefix(server.url()).unwrap_or_else(|| panic!("{location}")).to_owned()
}

/// A file's records, held against what is announced of it.
async fn records(server: &Server, file: &Value) -> Vec<Value> {
    let address = address(server, file["id"].as_str().unwrap()).await;
    // Nobody's credential is asked for there.
    let answer = server.request(Method::GET, &address).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let body = answer.bytes().await.unwrap();
    assert_eq!(body.len() as u64, file["file_size"].as_u64().unwrap());
    let hash: String = digest(&SHA256, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, file["file_sha256"].as_str().unwrap());
    let lines = std::str::from_utf8(&body).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn what_happened_is_in_the_log_of_its_kind_once() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let upstream = Upstream::start().await;
        server.upstream(&upstream.url(), &["gpt-test"]).await;
        server.member("mia@acme.example").await;
        server.patch("/api/v1/settings", json!({ "codex_cloud": true, "codex_access_tokens": true })).await.ok();
        server.patch("/api/v1/settings", json!({ "codex_cloud": false })).await.ok();
        let token = server.access_token("mia@acme.example").await;
        let body = json!({ "model": "gpt-test", "input": [], "stream": true });
        let call =
            server.request(Method::POST, "/backend-api/codex/responses").bearer_auth(&token).body(body.to_string());
        call.header("content-type", "application/json").send().await.unwrap().bytes().await.unwrap();
        cut(&server).await;

        let all = files(&server, EVERYTHING).await;
        let mut ids = Vec::new();
        let mut found = Vec::new();
        for file in &all {
            for record in records(&server, file).await {
                assert_eq!(record["type"], file["event_type"]);
                assert_eq!(record["principal"], json!({ "id": server.workspace_id, "type": "CHATGPT_WORKSPACE" }));
                ids.push(record["event_id"].as_str().unwrap().to_owned());
                found.push(record);
            }
        }
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "no event twice");
        let events = server.get("/api/v1/events?limit=1000").await.ok();
        for event in events["data"].as_array().unwrap() {
            let id = event["id"].as_str().unwrap().to_owned();
            // Reading the files is an event of its own, which is in the next ones.
            assert!(distinct.contains(&id) || event["type"] == "audit.read", "{event}");
        }
        let one = |name: &str, key: &str| {
            found.iter().find(|record| record[key] == name).unwrap_or_else(|| panic!("{name}")).clone()
        };
        let toggle = one("WORKSPACE_TOGGLE_FEATURE", "action");
        assert_eq!(
            (&toggle["action_data"]["feature"], &toggle["action_data"]["value"]),
            (&json!("codex_cloud"), &json!(false))
        );
        assert_eq!((&toggle["action_result"], &toggle["action_privilege"]), (&json!("SUCCESS"), &json!("ADMIN")));
        assert_eq!(toggle["actor"]["type"], "API_KEY");
        let made = one("ACCESS_TOKEN_CREATED", "event_type");
        assert_eq!(made["actor"]["user_email"], "mia@acme.example");
        assert!(made["event_details"]["access_token_id"].is_string());
        let turn = one("CODEX_TURN", "type");
        assert_eq!(turn["model"], "gpt-test");
        assert!(turn["token_usage"]["output_tokens"].is_u64(), "{turn}");
        let said = one("PROMPT_RESPONSE_RECEIVED", "event_type");
        assert_eq!(said["event_details"]["status"], "success");
        assert_eq!(said["event_details"]["response_text"], Value::Null);

        let times = server.get(&path(&server, "max_event_time?event_type=CODEX_TURN&event_type=APP_LOG")).await.ok();
        assert_eq!(times["max_event_time"]["CODEX_TURN"], turn["timestamp"]);
        assert_eq!(times["max_event_time"]["APP_LOG"], Value::Null);
        // Nothing new is nothing to cut, but for the reading itself.
        cut(&server).await;
        let again = files(&server, EVERYTHING).await;
        assert_eq!(again[..all.len()], all[..], "what is cut stays as it is");
        let reads = records(&server, again.last().unwrap()).await;
        assert!(reads.iter().all(|read| read["action"] == "LIST_WORKSPACE_LOG_FILES"), "{reads:?}");
    }
}

#[tokio::test]
async fn a_walk_goes_on_after_the_last_end_and_misses_nothing() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    for n in 0..6 {
        server.group(&format!("g{n}"), &[]).await;
        // Clocks stand still, and go back.
        if n == 3 {
            server.advance(SignedDuration::from_secs(-90));
        }
        cut(&server).await;
    }
    let all = files(&server, EVERYTHING).await;
    let (mut after, mut walked) = ("1970-01-01T00:00:00Z".to_owned(), Vec::new());
    loop {
        let query = EVERYTHING.replace("1970-01-01T00:00:00Z", &after) + "&limit=2";
        let page = server.get(&path(&server, &format!("logs?{query}"))).await.ok();
        walked.extend(page["data"].as_array().unwrap().clone());
        match page["last_end_time"].as_str() {
            Some(end) => after = end.to_owned(),
            None => {
                assert_eq!((&page["data"], &page["has_more"]), (&json!([]), &json!(false)));
                break;
            }
        }
    }
    assert_eq!(walked, all);
    let before = EVERYTHING.to_owned() + "&before=" + all[2]["end_time"].as_str().unwrap();
    assert_eq!(files(&server, &before).await, all[..2]);
    let name = all[0]["file_name"].as_str().unwrap();
    assert!(name.starts_with(all[0]["event_type"].as_str().unwrap()) && name.ends_with(".jsonl"), "{name}");
}

fn detail(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.body["detail"].clone())
}

#[tokio::test]
async fn errors_are_those_of_the_hosted_product() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let get = async |rest: &str| detail(&server.get(&path(&server, rest)).await);
    assert_eq!(
        get("logs?event_type=CODEX_LOGS&after=2026-01-01T00:00:00Z").await,
        (400, json!("Invalid event_type: CODEX_LOGS"))
    );
    let missing = json!([{ "type": "missing", "loc": ["query", "after"], "msg": "Field required", "input": null }]);
    assert_eq!(get("logs?event_type=CODEX_LOG").await, (422, missing));
    for (query, field) in [
        ("after=2026-01-01T00:00:00Z", "event_type"),
        ("event_type=CODEX_LOG&after=yesterday", "after"),
        ("event_type=CODEX_LOG&after=2026-01-01T00:00:00", "after"),
        ("event_type=CODEX_LOG&after=2026-01-01T00:00:00Z&limit=0", "limit"),
        ("event_type=CODEX_LOG&after=2026-01-01T00:00:00Z&limit=101", "limit"),
        ("event_type=CODEX_LOG&after=2026-01-01T00:00:00Z&limit=many", "limit"),
        ("event_type=CODEX_LOG&after=2026-01-01T00:00:00Z&before=x", "before"),
    ] {
        let (status, detail) = get(&format!("logs?{query}")).await;
        assert_eq!((status, &detail[0]["loc"][1]), (422, &json!(field)), "{query}");
    }
    let plus = get("logs?event_type=CODEX_LOG&after=2026-01-01T00:00:00+00:00").await;
    assert_eq!(plus.0, 200, "a zone with a bare plus is understood");
    assert_eq!(get("logs/eclf_1").await, (404, json!("Log file not found")));
    assert_eq!(get(&format!("logs/eclf_{}", "0".repeat(32))).await, (404, json!("Log file not found")));
    // Who may not.
    let anonymous = server.call(&As::Nobody, Method::GET, &path(&server, &format!("logs?{EVERYTHING}")), None).await;
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
    assert!(anonymous.body["detail"].is_string());
    for scope in ["admin", "analytics.read", "events.read", "compliance.delete"] {
        let key = server.post("/api/v1/api-keys", json!({ "name": scope, "scopes": [scope] })).await.text("key");
        let refused =
            server.call(&As::Key(key), Method::GET, &path(&server, &format!("logs?{EVERYTHING}")), None).await;
        assert_eq!(detail(&refused), (403, json!("API key not authorized for enterprise logs")), "{scope}");
    }
    // Another workspace's is not there.
    let (theirs, _) = second_workspace(&server).await;
    let other = server.get(&format!("/v1/compliance/workspaces/{theirs}/logs?{EVERYTHING}")).await;
    assert_eq!(detail(&other), (404, json!("Workspace not found")));
}

#[tokio::test]
async fn the_address_of_a_file_is_for_it_and_for_minutes() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    for name in ["g", "h"] {
        server.group(name, &[]).await;
        cut(&server).await;
    }
    let all = files(&server, EVERYTHING).await;
    let (one, other) = (all[0]["id"].as_str().unwrap(), all[1]["id"].as_str().unwrap());
    let good = address(&server, one).await;
    let ask = async |path: &str| server.call(&As::Nobody, Method::GET, path, None).await.status;
    let later = good.replace("expires=", "expires=9");
    let (head, mark) = good.rsplit_once('=').unwrap();
    let flipped = format!("{head}={}{}", if mark.starts_with('0') { '1' } else { '0' }, &mark[1..]);
    for forged in [good.replace(one, other), later, flipped, format!("{head}="), head.to_owned(), format!("{head}=é")]
    {
        assert_eq!(ask(&forged).await, StatusCode::FORBIDDEN, "{forged}");
    }
    assert_eq!(ask(&good).await, StatusCode::OK);
    server.advance(SignedDuration::from_secs(301));
    assert_eq!(ask(&good).await, StatusCode::FORBIDDEN, "it has ended");
}

#[tokio::test]
async fn of_the_cloud_there_is_nothing_yet_and_deleting_needs_its_own_scope() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let empty = json!({ "data": [], "has_more": false, "cursor": null });
    for (list, noun) in [("codex_tasks", "Task"), ("codex_environments", "Environment")] {
        assert_eq!(server.get(&path(&server, list)).await.ok(), empty);
        assert_eq!(server.get(&path(&server, &format!("{list}?limit=31"))).await.status.as_u16(), 422);
        let one = path(&server, &format!("{list}/x"));
        assert_eq!(detail(&server.get(&one).await), (404, json!(format!("{noun} not found"))));
        assert_eq!(detail(&server.delete(&one).await), (404, json!(format!("{noun} not found"))));
        let reader = json!({ "name": list, "scopes": ["compliance.read"] });
        let reader = As::Key(server.post("/api/v1/api-keys", reader).await.text("key"));
        assert_eq!(server.call(&reader, Method::DELETE, &one, None).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_hundred_a_minute_and_then_it_is_said_when_to_come_back() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let path = path(&server, "codex_tasks");
    for _ in 0..100 {
        server.get(&path).await.ok();
    }
    let refused = server.request(Method::GET, &path).bearer_auth(&server.api_key).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    // Each route has its own.
    server.get(&path.replace("codex_tasks", "codex_environments")).await.ok();
    server.advance(SignedDuration::from_secs(i64::try_from(seconds).unwrap()));
    server.get(&path).await.ok();
    let reads = server.events("audit.read").await;
    assert!(reads.len() <= 1, "reading in a loop does not bury the trail");
}

#[tokio::test]
async fn a_copy_of_the_database_shows_nothing_of_the_files() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    cut(&server).await;
    let mut tx = server.node.app.store.read().await.unwrap();
    let rows = tx.rows("SELECT contents_sealed FROM log_files", []).await.unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        let sealed = row.bytes("contents_sealed").unwrap();
        assert!(!sealed.windows(9).any(|part| part == b"event_id\"" || part == b"principal"));
    }
}
