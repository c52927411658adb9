//! Rollouts where policies change only when a second person has agreed.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, PASSWORD, Server};
use serde_json::{Value, json};

use super::super::{BOTH, PATIENT, stage, status};
use super::{V2, V3, act, policy_for_all, start};

const PROPOSALS: &str = "/api/v1/policy-proposals";

/// A second owner; policies need approval from then on.
async fn careful(server: &Server) -> As {
    let body = json!({ "email": "olga@acme.example", "password": PASSWORD, "builtin_role": "owner" });
    let owner = stage::owner(server).await;
    server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
    server.patch("/api/v1/settings", json!({ "policy_approval": true })).await.ok();
    server.sign_in("olga@acme.example").await
}

async fn proposed(answer: Answer, kind: &str) -> String {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    assert_eq!(answer.body["kind"], kind);
    answer.text("id")
}

async fn approve(server: &Server, who: &As, proposal: &str) -> Answer {
    server.call(who, Method::POST, &format!("{PROPOSALS}/{proposal}/approve"), None).await
}

async fn rollouts(server: &Server, policy: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/v1/policies/{policy}/rollouts")).await.ok();
    answer["data"].as_array().unwrap().clone()
}

/// One person starts, widens or finishes no rollout alone; to make it safer, or stop it, takes nobody else.
#[tokio::test]
async fn a_rollout_is_started_widened_and_finished_by_two() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let policy = policy_for_all(&server).await;
        let ops = server.group("Ops", &[]).await;
        let olga = careful(&server).await;
        let begin = json!({ "contents": V2, "percent": 50, "group_ids": [ops], "note": "try it" });
        let asked = server.post(&format!("/api/v1/policies/{policy}/rollouts"), begin).await;
        assert_eq!(asked.body["diff"]["changes"].as_array().unwrap().len(), 2, "{}", asked.body);
        let begun_diff = asked.body["diff"].clone();
        let asked = proposed(asked, "start_rollout").await;
        assert!(rollouts(&server, &policy).await.is_empty(), "nothing begins");
        approve(&server, &olga, &asked).await.ok();
        let begun = rollouts(&server, &policy).await.remove(0);
        assert_eq!((&begun["percent"], &begun["note"]), (&json!(50), &json!("try it")));
        let started = server.events("rollout.started").await;
        assert_eq!(started[0]["details"]["proposal_id"], json!(asked));
        let versions = server.get(&format!("/api/v1/policies/{policy}/versions")).await.ok();
        let candidate = versions["data"].as_array().unwrap().iter().find(|version| version["version"] == 2).unwrap();
        assert!(candidate["approved_by"].is_string(), "{candidate}");

        let rollout = begun["id"].as_str().unwrap();
        let path = format!("/api/v1/rollouts/{rollout}");
        for wider in [
            json!({ "percent": 50.01 }),
            json!({ "group_ids": [] }),
            json!({ "guard": { "min_clients": 1_000 } }),
            json!({ "percent": 1, "guard": { "max_silent": 100 } }),
        ] {
            proposed(server.patch(&path, wider).await, "update_rollout").await;
        }
        assert_eq!(server.get(&path).await.ok()["percent"], 50, "nothing is widened");
        let wider =
            proposed(server.patch(&path, json!({ "percent": 80, "group_ids": [] })).await, "update_rollout").await;
        // Safer is free, and makes what was asked against another reach stale.
        server.patch(&path, json!({ "percent": 20, "max_client_version": "0.169.0" })).await.ok();
        assert_eq!(status(&approve(&server, &olga, &wider).await), "409 proposal_stale");
        let wider = json!({ "max_client_version": null, "percent": 30 });
        let wider = proposed(server.patch(&path, wider).await, "update_rollout").await;
        act(&server, rollout, "pause").await;
        act(&server, rollout, "resume").await;
        approve(&server, &olga, &wider).await.ok();
        let now = server.get(&path).await.ok();
        assert_eq!((&now["percent"], &now["max_client_version"]), (&json!(30), &Value::Null));

        let finish = server.post(&format!("{path}/finish"), json!({})).await;
        assert_eq!(finish.body["diff"], begun_diff, "{}", finish.body);
        let finish = proposed(finish, "finish_rollout").await;
        approve(&server, &olga, &finish).await.ok();
        assert_eq!(server.get(&path).await.ok()["status"], "finished");
        assert_eq!(server.get(&format!("/api/v1/policies/{policy}")).await.ok()["version"], 2);
    }
}

#[tokio::test]
async fn what_was_asked_of_a_rollout_lapses_with_it() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let policy = policy_for_all(&server).await;
    let rollout = start(&server, &policy, json!({ "percent": 10 })).await;
    let olga = careful(&server).await;
    let path = format!("/api/v1/rollouts/{rollout}");
    let wider = proposed(server.patch(&path, json!({ "percent": 20 })).await, "update_rollout").await;
    let finish = proposed(server.post(&format!("{path}/finish"), json!({})).await, "finish_rollout").await;
    // Whoever asked is no second person.
    let owner = stage::owner(&server).await;
    assert_eq!(status(&approve(&server, &owner, &finish).await), "403 approver_is_requester");
    act(&server, &rollout, "cancel").await;
    assert_eq!(status(&approve(&server, &olga, &wider).await), "409 proposal_stale");
    assert_eq!(status(&approve(&server, &olga, &finish).await), "409 proposal_stale");
    // What cannot be done cannot be asked for.
    let unchanged = json!({ "contents": super::V1, "percent": 5 });
    let answer = server.post(&format!("/api/v1/policies/{policy}/rollouts"), unchanged).await;
    assert_eq!(status(&answer), "422 unchanged contents");

    let begin = json!({ "contents": V3, "percent": 1 });
    let asked = server.post(&format!("/api/v1/policies/{policy}/rollouts"), begin.clone()).await;
    let asked = proposed(asked, "start_rollout").await;
    server.advance(SignedDuration::from_hours(24 * 30 + 1));
    let olga = server.sign_in("olga@acme.example").await;
    assert_eq!(status(&approve(&server, &olga, &asked).await), "409 proposal_expired");
}
