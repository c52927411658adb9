//! What cannot be rolled out, and by whom.

use http::Method;
use insta::assert_snapshot;
use provost_testkit::server::Server;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::super::tenants::second_workspace;
use super::{BOTH, PATIENT, V1, V2, V3, play, policy_for_all, start, status};

#[tokio::test]
async fn what_leads_nowhere_is_refused_and_nothing_is_stored() {
    let transcript = play(async |s| {
        let policy = policy_for_all(&s.server).await;
        let ops = s.server.group("Ops", &[]).await;
        let path = format!("/api/v1/policies/{policy}/rollouts");
        let gone = format!("grp_{}", "0".repeat(32));
        for (why, body) in [
            ("it says to nobody", json!({ "contents": V2 })),
            ("it is what is published", json!({ "contents": V1, "percent": 5 })),
            ("clients would not start", json!({ "contents": "allowed_sandbox_modes = [\"full\"]\n", "percent": 5 })),
            ("nor with these defaults", json!({ "contents": V2, "defaults": "approval_policy = 7\n", "percent": 5 })),
            ("percentages", json!({ "contents": V2, "percent": 101 })),
            ("below nothing", json!({ "contents": V2, "percent": -1 })),
            ("three decimals", json!({ "contents": V2, "percent": 0.125 })),
            ("a text", json!({ "contents": V2, "percent": "5" })),
            ("a group that is gone", json!({ "contents": V2, "group_ids": [ops, gone] })),
            ("no group's id", json!({ "contents": V2, "group_ids": [policy] })),
            ("no version", json!({ "contents": V2, "percent": 5, "min_client_version": "new" })),
            (
                "versions the wrong way round",
                json!({ "contents": V2, "percent": 5, "min_client_version": "0.2.0", "max_client_version": "0.1.9" }),
            ),
            ("a guard of nobody", json!({ "contents": V2, "percent": 5, "guard": { "min_clients": 0 } })),
            (
                "a guard that waits for ever",
                json!({ "contents": V2, "percent": 5, "guard": { "grace_minutes": 10081 } }),
            ),
            ("an unknown guard", json!({ "contents": V2, "percent": 5, "guard": { "max": 1 } })),
            (
                "stages and a percentage",
                json!({ "contents": V2, "percent": 5, "stages": [{ "percent": 1, "minutes": 5 }] }),
            ),
            (
                "stages that go back",
                json!({ "contents": V2, "stages": [{ "percent": 5, "minutes": 5 }, { "percent": 5, "minutes": 5 }] }),
            ),
            ("a stage of no time", json!({ "contents": V2, "stages": [{ "percent": 5, "minutes": 0 }] })),
            ("a note with a line break", json!({ "contents": V2, "percent": 5, "note": "a\nb" })),
            ("a name", json!({ "contents": V2, "percent": 5, "name": "x" })),
        ] {
            s.says(why);
            s.post(&path, body).await;
        }
        s.says("Nothing was stored");
        s.get(&path).await;
        s.get(&format!("/api/v1/policies/{policy}/versions")).await;
        s.says("What is not there");
        s.get(&format!("/api/v1/rollouts/roll_{}", "0".repeat(32))).await;
        s.get(&format!("/api/v1/policies/pol_{}/rollouts", "0".repeat(32))).await;
        s.post(&format!("/api/v1/policies/pol_{}/rollouts", "0".repeat(32)), json!({ "contents": V2, "percent": 5 }))
            .await;
        s.get("/api/v1/rollouts?status=over").await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn of_two_who_start_one_at_once_one_does() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = policy_for_all(&server).await;
        let path = format!("/api/v1/policies/{policy}/rollouts");
        let begin = |contents: &str| server.post(&path, json!({ "contents": contents, "percent": 10 }));
        let (one, other) = tokio::join!(begin(V2), begin(V3));
        let mut answers = [status(&one), status(&other)];
        answers.sort();
        assert_eq!(answers, ["201", "409 rollout_live"]);
        assert_eq!(server.events("rollout.started").await.len(), 1);
    }
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let policy = policy_for_all(&server).await;
    let rollout = start(&server, &policy, json!({ "percent": 10 })).await;
    let path = format!("/api/v1/rollouts/{rollout}");
    let tag = server.get(&path).await.headers["etag"].clone();
    let patch = |percent: u32| {
        let request = server.request(Method::PATCH, &path).bearer_auth(&server.api_key).header("if-match", tag.clone());
        let body = json!({ "percent": percent }).to_string();
        server.send(request.header("content-type", "application/json").body(body))
    };
    patch(20).await.ok();
    assert_eq!(status(&patch(30).await), "412 changed_meanwhile");
    assert_eq!(server.get(&path).await.ok()["percent"], 20);
}

#[tokio::test]
async fn another_workspaces_rollouts_are_not_found() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (_, other) = second_workspace(&server).await;
        let policy = policy_for_all(&server).await;
        let ops = server.group("Ops", &[]).await;
        let rollout = start(&server, &policy, json!({ "percent": 10 })).await;
        let body = Some(json!({ "contents": V3, "percent": 5 }));
        let mut calls: Vec<(Method, String, Option<Value>)> = vec![
            (Method::GET, format!("rollouts/{rollout}"), None),
            (Method::PATCH, format!("rollouts/{rollout}"), Some(json!({ "percent": 100 }))),
            (Method::GET, format!("policies/{policy}/rollouts"), None),
            (Method::POST, format!("policies/{policy}/rollouts"), body),
        ];
        for act in ["pause", "resume", "finish", "cancel"] {
            calls.push((Method::POST, format!("rollouts/{rollout}/{act}"), Some(json!({}))));
        }
        for (method, path, body) in calls {
            let answer = server.call(&other, method.clone(), &format!("/api/v1/{path}"), body).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.body);
        }
        let list = server.call(&other, Method::GET, "/api/v1/rollouts", None).await.ok();
        assert_eq!(list["data"], json!([]));
        // Nor is one of their policies rolled out to one of our groups.
        let theirs = json!({ "name": "Theirs", "contents": V1 });
        let theirs = server.call(&other, Method::POST, "/api/v1/policies", Some(theirs)).await.text("id");
        let body = json!({ "contents": V2, "group_ids": [ops] });
        let answer =
            server.call(&other, Method::POST, &format!("/api/v1/policies/{theirs}/rollouts"), Some(body)).await;
        assert_eq!(status(&answer), "422 unknown_group group_ids[0]");
        assert_eq!(server.get(&format!("/api/v1/rollouts/{rollout}")).await.ok()["status"], "running");
    }
}
