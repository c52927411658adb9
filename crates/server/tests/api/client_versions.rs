//! Publishing with an eye on the clients that are in use, and what a hostile text costs.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_testkit::server::{Answer, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, stage, status};

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

/// Clients that came between a request and its approval are not stopped by it, unless that is meant.
#[tokio::test]
async fn an_approval_asks_again_which_clients_are_in_use() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let owner = stage::owner(&server).await;
        let body = json!({ "email": "olga@acme.example", "password": PASSWORD, "builtin_role": "owner" });
        server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
        let olga = server.sign_in("olga@acme.example").await;
        let id = server.policy("Careful", "allow_appshots = true\n").await;
        seen(&server, &server.workspace_id, &[("0.130.0", 1, 0)]).await;
        server.patch("/api/v1/settings", json!({ "policy_approval": true })).await.ok();
        let ask = async |method, path: &str, body: Value, allowed: Value| {
            let mut body = body;
            body["allow_client_versions"] = allowed;
            server.call(&owner, method, path, Some(body)).await
        };
        let approve = async |asked: &Answer| {
            let path = format!("/api/v1/policy-proposals/{}/approve", asked.text("id"));
            server.call(&olga, Method::POST, &path, None).await
        };
        let path = format!("{POLICIES}/{id}");
        let rollouts = format!("{path}/rollouts");
        let set = json!({ "policies": [{ "name": "Other", "contents": MODERN }] });
        let asked_for = [
            (Method::POST, POLICIES, json!({ "name": "New", "contents": MODERN }), "contents"),
            (Method::PUT, path.as_str(), json!({ "name": "Careful", "contents": MODERN }), "contents"),
            (Method::POST, rollouts.as_str(), json!({ "contents": MODERN, "percent": 5 }), "contents"),
            (Method::PUT, "/api/v1/policy-set", set, "policies[0].contents"),
        ];
        let mut waiting = Vec::new();
        for (method, path, body, field) in &asked_for {
            let asked = ask(method.clone(), path, body.clone(), json!([])).await;
            assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
            assert_eq!(versions(&asked.body), [("0.130.0", 1, vec!["allow_appshots"])], "{path}");
            waiting.push((asked, *field));
        }
        seen(&server, &server.workspace_id, &[("0.98.0", 1, 0)]).await;
        for (asked, field) in &waiting {
            let answer = approve(asked).await;
            assert_eq!(status(&answer), format!("422 policy_invalid {field}"));
            assert!(answer.body["error"]["details"]["client_versions"].is_array());
        }
        assert_eq!(server.get(&path).await.ok()["version"], 1, "nothing was stored");
        assert_eq!(server.get("/api/v1/rollouts").await.ok()["data"], json!([]));
        // Asked for again, and meant. The rollout last: meanwhile its policy stands still.
        for index in [0, 1, 3] {
            let (method, path, body, _) = &asked_for[index];
            let mut body = body.clone();
            if index == 3 {
                body["policies"][0]["contents"] = json!(format!("{MODERN}# set\n"));
            }
            let asked = ask(method.clone(), path, body, json!(["0.98.0"])).await;
            let approved = approve(&asked).await.ok();
            assert_eq!(approved["client_versions"].as_array().map(Vec::len), Some(2), "{path}");
            assert_eq!(approved["client_versions"][0]["problems"][1]["severity"], "error");
        }
        let body = json!({ "contents": format!("{MODERN}# more\n"), "percent": 5 });
        let asked = ask(Method::POST, &rollouts, body, json!(["0.98.0"])).await;
        approve(&asked).await.ok();
        assert_eq!(server.get("/api/v1/rollouts").await.ok()["data"][0]["status"], "running");
    }
}

/// Also one that it does not reach at first: when the rollout is finished, it does.
#[tokio::test]
async fn a_rollout_that_would_stop_a_client_in_use_is_started_only_on_purpose() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let id = server.policy("Careful", "allow_appshots = true\n").await;
    seen(&server, &server.workspace_id, &[("0.98.0", 1, 1), ("0.130.0", 2, 1)]).await;
    let path = format!("{POLICIES}/{id}/rollouts");
    for more in [json!({}), json!({ "min_client_version": "0.137.0" }), json!({ "allow_client_versions": ["0.130.0"] })]
    {
        let mut body = json!({ "contents": MODERN, "percent": 5 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = server.post(&path, body).await;
        assert_eq!(status(&refused), "422 policy_invalid contents", "{more}");
        assert_eq!(refused.body["error"]["details"]["client_versions"].as_array().map(Vec::len), Some(2));
    }
    assert_eq!(server.get("/api/v1/rollouts").await.ok()["data"], json!([]));
    let body = json!({ "contents": MODERN, "percent": 5, "allow_client_versions": ["0.98.0"] });
    let started = server.post(&path, body).await;
    assert_eq!(started.status, StatusCode::CREATED);
    let expected = [("0.98.0", 1, vec!["allow_appshots"]), ("0.130.0", 2, vec!["allow_appshots"])];
    assert_eq!(versions(&started.body), expected);
    let shown = server.get(&format!("/api/v1/rollouts/{}", started.text("id"))).await;
    assert_eq!(shown.headers["etag"], started.headers["etag"], "the tag is the rollout's");
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
