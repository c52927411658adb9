//! Publishing with an eye on the clients that are in use, and what a hostile text costs.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, PATIENT};

const POLICIES: &str = "/api/v1/policies";
const LINT: &str = "/api/v1/policies/lint";
/// 0.98.0 does not understand the second line; 0.130.0 ignores the first.
const MODERN: &str = "allow_appshots = false\nallowed_approval_policies = [{ granular = { sandbox_approval = true, rules = true, mcp_elicitations = true } }]\n";

/// Writes down that clients of these versions were seen, each by so many members, so many days ago.
async fn seen(server: &Server, workspace: &str, versions: &[(&str, u32, i64)]) {
    let store = &server.node.app.store;
    let mut tx = store.write().await.unwrap();
    for (version, members, days) in versions {
        let at = store.clock().now() - SignedDuration::from_hours(24 * days);
        let rows = (0..*members).map(|number| DeliveryRow {
            workspace_id: workspace.parse().unwrap(),
            device: format!("device-{version}-{number}"),
            member_id: format!("member-{number}"),
            policy: None,
            client_version: (*version).to_owned(),
            first_at: at,
            last_at: at,
            fetches: 1,
            turns: 0,
            failed_turns: 0,
            last_turn_at: None,
        });
        policy_deliveries::add(&mut tx, &rows.collect::<Vec<_>>()).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn versions(answer: &Value) -> Vec<(&str, u64, Vec<&str>)> {
    let list = answer["client_versions"].as_array().expect("it is a list");
    list.iter()
        .map(|seen| {
            let ignores = seen["ignores"].as_array().expect("it is a list").iter().filter_map(Value::as_str);
            (seen["version"].as_str().unwrap(), seen["members"].as_u64().unwrap(), ignores.collect())
        })
        .collect()
}

#[tokio::test]
async fn linting_tells_each_version_of_the_last_thirty_days() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let none = server.post(LINT, json!({ "contents": MODERN })).await.ok();
        assert_eq!(none["client_versions"], json!([]), "nobody was seen");
        let days = [("0.169.0", 3, 0), ("0.130.0", 2, 29), ("0.98.0", 1, 1), ("0.116.0", 1, 31), ("curl", 1, 0)];
        seen(&server, &server.workspace_id, &days).await;
        let answer = server.post(LINT, json!({ "contents": MODERN })).await.ok();
        assert_eq!(answer["valid"], true, "the newest client takes it");
        let expected =
            [("0.98.0", 1, vec!["allow_appshots"]), ("0.130.0", 2, vec!["allow_appshots"]), ("0.169.0", 3, vec![])];
        assert_eq!(versions(&answer), expected);
        let problems = &answer["client_versions"][0]["problems"];
        assert_eq!(problems[1]["severity"], "error");
        assert_eq!((&problems[1]["line"], &problems[1]["code"]), (&json!(2), &json!("refused_by_version")));
    }
}

#[tokio::test]
async fn what_would_stop_a_client_in_use_is_published_only_on_purpose() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.policy("Careful", MODERN).await;
        seen(&server, &server.workspace_id, &[("0.98.0", 1, 1), ("0.99.0", 1, 1)]).await;
        let changed = format!("{MODERN}# more\n");
        let path = format!("{POLICIES}/{id}");
        for (method, path) in [(Method::POST, POLICIES), (Method::PUT, path.as_str())] {
            let body = json!({ "name": "Modern", "contents": changed });
            let refused = server.call(&server.admin(), method.clone(), path, Some(body)).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
            let error = &refused.body["error"];
            assert_eq!((error["code"].as_str(), error["field"].as_str()), (Some("policy_invalid"), Some("contents")));
            let message = error["message"].as_str().unwrap();
            assert!(message.contains("`allow_client_versions`: [\"0.98.0\", \"0.99.0\"]"), "{message}");
            assert_eq!(error["details"]["client_versions"].as_array().map(Vec::len), Some(2));
            let one = json!({ "name": "Modern", "contents": changed, "allow_client_versions": ["0.98.0"] });
            let refused = server.call(&server.admin(), method.clone(), path, Some(one)).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "the other one is still stopped");
        }
        let policy = server.get(&path).await.ok();
        assert_eq!((&policy["version"], &policy["contents"]), (&json!(1), &json!(MODERN)), "nothing was stored");
        // A new name for what is published already stops nobody anew.
        let renamed = server.put(&path, json!({ "name": "Renamed", "contents": MODERN })).await.ok();
        assert_eq!(renamed["version"], 2);
        let both = ["0.98.0", "0.99.0"];
        let body = json!({ "name": "Modern", "contents": changed, "allow_client_versions": both });
        let published = server.put(&path, body).await.ok();
        assert_eq!(published["version"], 3);
        assert_eq!(published["client_versions"].as_array().map(Vec::len), Some(2));
        for wrong in [json!(["new"]), json!("0.98.0"), json!([98])] {
            let body = json!({ "name": "Modern", "contents": changed, "allow_client_versions": wrong });
            assert_eq!(server.put(&path, body).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
}

#[tokio::test]
async fn a_flood_of_versions_is_cut_short() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let names: Vec<String> = (0..600).map(|n| format!("0.{n}.7")).collect();
    let flood: Vec<(&str, u32, i64)> = names.iter().map(|name| (name.as_str(), 1, 2)).collect();
    seen(&server, &server.workspace_id, &flood).await;
    seen(&server, &server.workspace_id, &[("0.169.0", 5, 0)]).await;
    let answer = server.post(LINT, json!({ "contents": MODERN })).await.ok();
    let versions = versions(&answer);
    assert_eq!(versions.len(), 40);
    assert!(versions.contains(&("0.169.0", 5, vec![])), "the latest seen are kept");
}

/// Texts that punish whatever is slower than linear, as somebody with a key would send them.
#[tokio::test]
async fn hostile_texts_are_answered_in_time() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    seen(&server, &server.workspace_id, &[("0.98.0", 1, 0), ("0.130.0", 1, 0), ("0.169.0", 1, 0)]).await;
    let rule = |n: usize| format!("{{ pattern = [{{ token = \"a{n}\" }}], decision = \"prompt\" }},");
    let rules: String = (0..10_000).map(rule).collect();
    let regex = |expression: &str| {
        format!("[mcp_servers.a.identity]\nurl = {{ match = \"regex\", expression = '{expression}' }}\n")
    };
    let profile: String = (0..8_000).map(|n| format!("\"/a/{n}\" = \"read\"\n")).collect();
    let denied: String = (0..8_000).map(|n| format!("\"/**/*{n}/*\",")).collect();
    let start = "default_permissions = \"p\"\nallowed_permission_profiles = { p = true }\n";
    let texts = [
        ("10,000 rules", format!("[rules]\nprefix_rules = [{rules}]"), StatusCode::OK),
        ("1 MB of comment", "#".repeat(1_000_000), StatusCode::OK),
        ("2 MB", "#".repeat(2 << 20), StatusCode::PAYLOAD_TOO_LARGE),
        ("a regex that explodes", regex("((a{100}){100}){100}"), StatusCode::OK),
        ("a regex of groups", regex(&"(".repeat(500_000)), StatusCode::OK),
        ("a regex of alternatives", regex(&"(a|aa)+".repeat(20_000)), StatusCode::OK),
        ("brackets", "[".repeat(1_000_000), StatusCode::OK),
        ("nested tables", format!("x = {}1", "{a=".repeat(200_000)), StatusCode::OK),
        ("dotted keys", format!("{} = 1", ["a"; 400_000].join(".")), StatusCode::OK),
        (
            "paths against patterns",
            format!("{start}[permissions.p.filesystem]\n{profile}[permissions.filesystem]\ndeny_read = [{denied}]\n"),
            StatusCode::OK,
        ),
    ];
    for (what, text, status) in texts {
        let began = Instant::now();
        let answer = server.post(LINT, json!({ "contents": text })).await;
        assert_eq!(answer.status, status, "{what}");
        let few = |problems: &Vec<Value>| problems.len() <= 201;
        assert!(status != StatusCode::OK || answer.body["problems"].as_array().is_some_and(few), "{what}");
        assert!(began.elapsed() < Duration::from_secs(20), "{what} took {:?}", began.elapsed());
    }
    // What is no UTF-8 is no JSON text either; a lone surrogate is none.
    for bytes in [b"{\"contents\":\"\xff\xfe\"}".as_slice(), b"{\"contents\":\"\\ud800\"}"] {
        let request = server.request(Method::POST, LINT).header("content-type", "application/json");
        let request = request.bearer_auth(&server.api_key).body(bytes.to_vec());
        let answer = server.send(request).await;
        assert!(answer.status.is_client_error(), "{:?}", answer.status);
    }
    // The server still answers.
    server.get(POLICIES).await.ok();
}
