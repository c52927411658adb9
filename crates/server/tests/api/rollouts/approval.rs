//! Rollouts of a workspace where policies change only when a second person has agreed.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_policy::look_after_rollouts;
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, V1, V2, V3, act, policy_for_all, start, status};

const PROPOSALS: &str = "/api/v1/policy-proposals";

/// Two owners, and a policy that everybody gets.
struct Scene {
    server: Server,
    owner: As,
    olga: As,
    policy: String,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let server = Server::start_with(database, PATIENT).await;
        let owner = crate::api::stage::owner(&server).await;
        let body = json!({ "email": "olga@acme.example", "password": PASSWORD, "builtin_role": "owner" });
        server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
        let policy = policy_for_all(&server).await;
        let olga = server.sign_in("olga@acme.example").await;
        Self { server, owner, olga, policy }
    }

    async fn approval(self) -> Self {
        self.server.patch("/api/v1/settings", json!({ "policy_approval": true })).await.ok();
        self
    }

    /// What waits after the owner asked for it.
    async fn ask(&self, method: Method, path: &str, body: Value, kind: &str) -> Answer {
        let answer = self.server.call(&self.owner, method, path, Some(body)).await;
        assert_eq!((answer.status, answer.text("kind").as_str()), (StatusCode::ACCEPTED, kind), "{}", answer.body);
        assert_eq!(answer.body["policy_id"], json!(self.policy));
        answer
    }

    async fn ask_start(&self, body: Value) -> Answer {
        self.ask(Method::POST, &format!("/api/v1/policies/{}/rollouts", self.policy), body, "start_rollout").await
    }

    async fn ask_patch(&self, rollout: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, &format!("/api/v1/rollouts/{rollout}"), body, "update_rollout").await
    }

    async fn ask_finish(&self, rollout: &str) -> Answer {
        self.ask(Method::POST, &format!("/api/v1/rollouts/{rollout}/finish"), json!({}), "finish_rollout").await
    }

    async fn approve(&self, who: &As, proposal: &Answer) -> Answer {
        let path = format!("{PROPOSALS}/{}/approve", proposal.text("id"));
        self.server.call(who, Method::POST, &path, None).await
    }

    async fn proposal(&self, proposal: &Answer) -> Value {
        self.server.get(&format!("{PROPOSALS}/{}", proposal.text("id"))).await.ok()
    }

    async fn rollouts(&self) -> Vec<Value> {
        let list = self.server.get("/api/v1/rollouts").await.ok();
        list["data"].as_array().expect("a list").clone()
    }

    async fn published(&self) -> Value {
        self.server.get(&format!("/api/v1/policies/{}", self.policy)).await.ok()
    }
}

fn id(who: &As) -> &str {
    let As::Session { member_id, .. } = who else { unreachable!("a session") };
    member_id
}

/// The keys that a proposal would change.
fn keys(proposal: &Value) -> Vec<&str> {
    let changes = proposal["diff"]["changes"].as_array().expect("a list of changes");
    changes.iter().filter_map(|change| change["key"].as_str()).collect()
}

#[tokio::test]
async fn a_rollout_is_started_widened_and_finished_by_two() {
    for database in BOTH {
        let scene = Scene::open(database).await.approval().await;
        let body = json!({
            "contents": V2, "note": "offline by default", "percent": 10.25, "min_client_version": "0.137.0",
            "guard": { "min_clients": 3 },
        });
        let asked = scene.ask_start(body).await;
        assert_eq!((asked.body["note"].as_str(), keys(&asked.body).len()), (Some("offline by default"), 2));
        assert_eq!(scene.rollouts().await, [] as [Value; 0], "nothing is rolled out yet");
        let versions = format!("/api/v1/policies/{}/versions", scene.policy);
        assert_eq!(scene.server.get(&versions).await.ok()["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(status(&scene.approve(&scene.owner, &asked).await), "403 approver_is_requester");
        assert_eq!(status(&scene.approve(&scene.server.admin(), &asked).await), "403 session_required");
        scene.approve(&scene.olga, &asked).await.ok();
        let started = scene.rollouts().await.remove(0);
        assert_eq!((&started["percent"], &started["status"]), (&json!(10.25), &json!("running")));
        assert_eq!(started["min_client_version"], "0.137.0");
        assert_eq!(started["guard"]["min_clients"], 3);
        assert_eq!(
            (&started["note"], &started["created_by"]),
            (&json!("offline by default"), &json!(id(&scene.owner)))
        );
        let rolled = scene.server.get(&format!("{versions}/2")).await.ok();
        assert_eq!((&rolled["contents"], &rolled["approved_by"]), (&json!(V2), &json!(id(&scene.olga))));
        assert_eq!(scene.proposal(&asked).await["status"], "approved");

        // Narrower at once, wider by two.
        let rollout = started["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/v1/rollouts/{rollout}");
        scene.server.patch(&path, json!({ "percent": 5 })).await.ok();
        let wider = scene.ask_patch(&rollout, json!({ "percent": 60, "min_client_version": null })).await;
        assert_eq!(keys(&wider.body), ["rollout.percent", "rollout.min_client_version"]);
        assert_eq!(scene.server.get(&path).await.ok()["percent"], 5);
        assert_eq!(status(&scene.approve(&scene.owner, &wider).await), "403 approver_is_requester");
        scene.approve(&scene.olga, &wider).await.ok();
        let now = scene.server.get(&path).await.ok();
        assert_eq!((&now["percent"], &now["min_client_version"]), (&json!(60), &Value::Null));
        // What changes nothing need not wait.
        scene.server.patch(&path, json!({ "percent": 60 })).await.ok();

        let last = scene.ask_finish(&rollout).await;
        assert_eq!(keys(&last.body), keys(&asked.body), "everybody gets what some have");
        assert_eq!(scene.published().await["version"], 1);
        scene.approve(&scene.olga, &last).await.ok();
        let published = scene.published().await;
        assert_eq!((&published["version"], &published["contents"]), (&json!(2), &json!(V2)));
        assert_eq!(scene.server.get(&path).await.ok()["status"], "finished");
        assert_eq!(keys(&scene.proposal(&last).await), keys(&asked.body), "what it changed stays to be seen");
        for kind in ["rollout.started", "rollout.finished", "policy.updated"] {
            let event = scene.server.events(kind).await.remove(0);
            assert_eq!(event["actor"]["id"], id(&scene.olga), "{kind}");
            assert_eq!(event["details"]["proposed_by"], id(&scene.owner), "{kind}");
            assert!(event["details"]["proposal_id"].is_string(), "{kind}");
        }
    }
}

/// One person makes it reach fewer, and nothing that was not agreed to comes of that.
#[tokio::test]
async fn to_stop_or_narrow_a_rollout_is_free_and_to_widen_it_is_not() {
    let scene = Scene::open(BOTH[0]).await;
    let ops = scene.server.group("Ops", &[]).await;
    let rollout = start(&scene.server, &scene.policy, json!({ "percent": 50, "group_ids": [ops] })).await;
    let scene = scene.approval().await;
    let path = format!("/api/v1/rollouts/{rollout}");
    for wider in [
        json!({ "percent": 50.01 }),
        json!({ "group_ids": [] }),
        json!({ "guard": { "min_clients": 1_000 } }),
        json!({ "percent": 1, "guard": { "max_silent": 100 } }),
    ] {
        scene.ask_patch(&rollout, wider).await;
    }
    scene.server.patch(&path, json!({ "percent": 20, "max_client_version": "0.169.0" })).await.ok();
    // What was narrowed down is not widened again.
    scene.ask_patch(&rollout, json!({ "max_client_version": null })).await;
    scene.ask_patch(&rollout, json!({ "percent": 50 })).await;
    // What could not be done cannot be proposed.
    assert_eq!(
        status(&scene.server.patch(&path, json!({ "percent": 70, "min_client_version": "9.0.0" })).await),
        "422 no_client max_client_version"
    );
    act(&scene.server, &rollout, "pause").await;
    act(&scene.server, &rollout, "resume").await;
    act(&scene.server, &rollout, "cancel").await;
    assert_eq!(status(&scene.server.post(&format!("{path}/finish"), json!({})).await), "409 rollout_ended");
    assert_eq!(scene.server.get(&path).await.ok()["percent"], 20);
}

#[tokio::test]
async fn what_moved_in_between_is_not_approved() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let ops = scene.server.group("Ops", &[]).await;
        let scene = scene.approval().await;
        // The policy got another version.
        let late = scene.ask_start(json!({ "contents": V2, "percent": 5 })).await;
        let path = format!("/api/v1/policies/{}", scene.policy);
        let publish =
            scene.ask(Method::PUT, &path, json!({ "name": "Careful", "contents": V3 }), "update_policy").await;
        scene.approve(&scene.olga, &publish).await.ok();
        assert_eq!(scene.proposal(&late).await["is_stale"], true);
        assert_eq!(status(&scene.approve(&scene.olga, &late).await), "409 proposal_stale");
        // Another rollout was faster; the group is gone.
        let one = scene.ask_start(json!({ "contents": V2, "percent": 5 })).await;
        let other = scene.ask_start(json!({ "contents": V1, "percent": 5 })).await;
        let grouped = scene.ask_start(json!({ "contents": V2, "group_ids": [ops] })).await;
        scene.approve(&scene.olga, &one).await.ok();
        assert_eq!(status(&scene.approve(&scene.olga, &other).await), "409 rollout_live");
        let rollout = scene.rollouts().await[0]["id"].as_str().expect("an id").to_owned();

        // It was changed, and paused, meanwhile.
        let wider = scene.ask_patch(&rollout, json!({ "percent": 50 })).await;
        let finish = scene.ask_finish(&rollout).await;
        let path = format!("/api/v1/rollouts/{rollout}");
        scene.server.patch(&path, json!({ "percent": 2 })).await.ok();
        assert_eq!(status(&scene.approve(&scene.olga, &wider).await), "409 proposal_stale");
        act(&scene.server, &rollout, "pause").await;
        assert_eq!(status(&scene.approve(&scene.olga, &finish).await), "409 proposal_stale");
        let wider = scene.ask_patch(&rollout, json!({ "percent": 50 })).await;
        let finish = scene.ask_finish(&rollout).await;
        // It is gone.
        act(&scene.server, &rollout, "cancel").await;
        for asked in [&wider, &finish] {
            let answer = scene.approve(&scene.olga, asked).await;
            assert_eq!(status(&answer), "409 proposal_stale");
            assert_eq!(answer.body["error"]["details"]["current"], "cancelled");
            assert_eq!(scene.proposal(asked).await["is_stale"], true);
        }
        scene.server.delete(&format!("/api/v1/groups/{ops}")).await.ok();
        assert_eq!(status(&scene.approve(&scene.olga, &grouped).await), "422 unknown_group group_ids[0]");
        assert_eq!(scene.published().await["contents"], V3);
        assert_eq!(scene.rollouts().await.len(), 1);
    }
}

/// Two people agree to the stages once; what waits to be finished is the same at every one of them.
#[tokio::test]
async fn stages_that_were_agreed_to_are_taken_by_themselves() {
    let scene = Scene::open(BOTH[0]).await.approval().await;
    let stages = json!([{ "percent": 5, "minutes": 60 }, { "percent": 25, "minutes": 60 }]);
    let asked = scene.ask_start(json!({ "contents": V2, "stages": stages })).await;
    scene.approve(&scene.olga, &asked).await.ok();
    let rollout = scene.rollouts().await[0]["id"].as_str().expect("an id").to_owned();
    let (wider, finish) = (scene.ask_patch(&rollout, json!({ "percent": 50 })).await, scene.ask_finish(&rollout).await);
    scene.server.advance(SignedDuration::from_mins(60));
    look_after_rollouts(&scene.server.node.app).await;
    let now = scene.server.get(&format!("/api/v1/rollouts/{rollout}")).await.ok();
    assert_eq!((&now["percent"], &now["stage"]), (&json!(25), &json!(1)));
    assert_eq!(status(&scene.approve(&scene.olga, &wider).await), "409 proposal_stale");
    scene.approve(&scene.olga, &finish).await.ok();
    assert_eq!(scene.published().await["version"], 2);
}

/// A rollout that one person began before is finished by two.
#[tokio::test]
async fn who_agreed_to_the_end_of_a_rollout_is_known_of_its_version() {
    let scene = Scene::open(BOTH[0]).await;
    let rollout = start(&scene.server, &scene.policy, json!({ "percent": 5 })).await;
    let scene = scene.approval().await;
    let finish = scene.ask_finish(&rollout).await;
    scene.approve(&scene.olga, &finish).await.ok();
    let published = scene.published().await;
    assert_eq!((&published["version"], &published["approved_by"]), (&json!(2), &json!(id(&scene.olga))));
}
