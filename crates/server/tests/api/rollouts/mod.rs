//! `/api/v1/rollouts` and `/api/v1/policies/{id}/rollouts`: whom a new version reaches, and how that ends.

mod approval;
mod guard;
mod refusals;

use http::Method;
use insta::assert_snapshot;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, PATIENT, play, status};

const V1: &str = "allowed_approval_policies = [\"on-request\"]\n";
const V2: &str = "allowed_web_search_modes = [\"cached\"]\n";
const V3: &str = "allowed_web_search_modes = [\"disabled\"]\n";
const REQUIREMENTS: &str = "/backend-api/wham/config/requirements";

/// A policy that everybody gets.
async fn policy_for_all(server: &Server) -> String {
    let policy = server.policy("Careful", V1).await;
    let rules = json!({ "rules": [], "fallback_policy_id": policy });
    server.put("/api/v1/policy-rules", rules).await.ok();
    policy
}

/// Starts a rollout; its id.
async fn start(server: &Server, policy: &str, body: Value) -> String {
    let mut whole = json!({ "contents": V2 });
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let answer = server.post(&format!("/api/v1/policies/{policy}/rollouts"), whole).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.text("id")
}

async fn act(server: &Server, rollout: &str, act: &str) -> Value {
    server.post(&format!("/api/v1/rollouts/{rollout}/{act}"), json!({})).await.ok()
}

/// The version that a lookup says a member gets.
async fn version_of(server: &Server, email: &str) -> i64 {
    let lookup = server.get(&format!("/api/v1/policy-lookup?email={email}")).await.ok();
    lookup["policy"]["version"].as_i64().unwrap()
}

/// What a client of a member is sent.
async fn contents(server: &Server, token: &str, user_agent: Option<&str>) -> Value {
    let mut request = super::stage::bearer(server, Method::GET, REQUIREMENTS, token);
    if let Some(user_agent) = user_agent {
        request = request.header("user-agent", user_agent);
    }
    server.send(request).await.ok()["contents"].clone()
}

#[tokio::test]
async fn a_version_is_rolled_out_paused_widened_and_finished() {
    let transcript = play(async |s| {
        let mia = s.server.member("mia@acme.example").await;
        let ops = s.server.group("Ops", &[&mia]).await;
        let policy = policy_for_all(&s.server).await;
        let path = format!("/api/v1/policies/{policy}");
        let lookup = "/api/v1/policy-lookup?email=mia%40acme.example";
        s.says("To a group first");
        let body = json!({
            "contents": V2, "defaults": "model = \"gpt-5\"\n", "note": "offline by default", "group_ids": [ops, ops],
            "guard": { "min_clients": 3, "max_silent_increase": 12.5 },
        });
        let id = s.post(&format!("{path}/rollouts"), body).await.text("id");
        let rollout = format!("/api/v1/rollouts/{id}");
        s.get(&rollout).await;
        s.get("/api/v1/rollouts?status=running").await;
        s.get(&format!("{path}/rollouts")).await;
        s.get(lookup).await;
        s.get(&format!("/api/v1/policy-lookup?group_id={ops}")).await;
        s.says("What is published stays what it is");
        s.get(&path).await;
        s.get(&format!("{path}/versions")).await;
        s.says("Nobody changes it meanwhile, nor rolls another one out");
        s.put(&path, json!({ "name": "Careful", "contents": V3 })).await;
        s.put(&path, json!({ "name": "Careful", "contents": V1 })).await;
        s.delete(&path).await;
        s.post(&format!("{path}/rollouts"), json!({ "contents": V3, "percent": 1 })).await;
        s.says("To nobody, to everybody, to some clients; to say the same again changes nothing");
        s.patch(&rollout, json!({ "percent": 0 })).await;
        s.get(lookup).await;
        let wider = json!({
            "percent": 100, "group_ids": [], "min_client_version": "0.137.0", "guard": { "grace_minutes": 0 },
        });
        s.patch(&rollout, wider.clone()).await;
        s.patch(&rollout, wider).await;
        s.get(lookup).await;
        s.get(&format!("{lookup}&client_version=0.137.0")).await;
        s.get(&format!("{lookup}&client_version=0.136.0")).await;
        s.get(&format!("{lookup}&client_version=new")).await;
        s.patch(&rollout, json!({ "min_client_version": null })).await;
        s.says("Paused, twice, and resumed");
        for act in ["pause", "pause", "resume"] {
            s.post(&format!("{rollout}/{act}"), json!({})).await;
        }
        s.says("Finished: everybody gets it");
        s.post(&format!("{rollout}/finish"), json!({})).await;
        s.get(&path).await;
        s.get(lookup).await;
        s.says("It is over");
        s.get(&rollout).await;
        for act in ["pause", "resume", "finish", "cancel"] {
            s.post(&format!("{rollout}/{act}"), json!({})).await;
        }
        s.patch(&rollout, json!({ "percent": 50 })).await;
        s.says("The next is called off; the number of its version is not used again");
        let id = s.post(&format!("{path}/rollouts"), json!({ "contents": V3, "percent": 33.33 })).await.text("id");
        s.post(&format!("/api/v1/rollouts/{id}/cancel"), json!({})).await;
        s.get(&path).await;
        s.put(&path, json!({ "name": "Careful", "contents": V1 })).await;
        s.get(&format!("{path}/versions")).await;
        s.get(&format!("{path}/versions/3")).await;
        s.get("/api/v1/rollouts?limit=1").await;
        s.says("Every step is an event");
        for kind in ["started", "updated", "paused", "resumed", "finished", "cancelled"] {
            assert!(s.server.node.app.store.flush(std::time::Duration::from_secs(10)).await);
            s.get(&format!("/api/v1/events?type=rollout.{kind}")).await;
        }
        s.get("/api/v1/events?type=policy.updated").await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn a_client_gets_the_version_that_its_member_and_its_own_version_say() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let mia = server.member("mia@acme.example").await;
        server.member("max@acme.example").await;
        let ops = server.group("Ops", &[&mia]).await;
        let policy = policy_for_all(&server).await;
        let (mia, max) = (server.access_token("mia@acme.example").await, server.access_token("max@acme.example").await);
        let body = json!({ "group_ids": [ops], "min_client_version": "0.137.0", "max_client_version": "0.200.0" });
        let rollout = start(&server, &policy, body).await;
        let (new, old, newer) =
            (Some("codex_cli_rs/0.169.0 (x)"), Some("codex_cli_rs/0.130.0 (x)"), Some("codex_exec/0.201.0"));
        for (token, user_agent, wanted) in [
            (&mia, new, V2),
            (&mia, old, V1),
            (&mia, newer, V1),
            // A client that does not say its version, or is no client that we know.
            (&mia, None, V1),
            (&mia, Some("curl/8.1.0"), V1),
            (&max, new, V1),
        ] {
            assert_eq!(contents(&server, token, user_agent).await, wanted, "{user_agent:?}");
        }
        let fetched = server.events("policy.fetched").await;
        let versions: Vec<_> = fetched.iter().map(|event| &event["details"]["version"]).collect();
        assert!(versions.contains(&&json!(2)) && versions.contains(&&json!(1)), "{versions:?}");
        act(&server, &rollout, "cancel").await;
        assert_eq!(contents(&server, &mia, new).await, V1);
    }
}

#[tokio::test]
async fn the_share_is_kept_as_it_grows_and_the_reach_is_who_gets_it() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let emails: Vec<String> = (0..40).map(|n| format!("m{n}@acme.example")).collect();
    for email in &emails {
        server.post("/api/v1/members", json!({ "email": email })).await.ok();
    }
    let policy = policy_for_all(&server).await;
    let rollout = start(&server, &policy, json!({ "percent": 30 })).await;
    let reached = async || {
        let mut reached = Vec::new();
        for email in &emails {
            if version_of(&server, email).await == 2 {
                reached.push(email.clone());
            }
        }
        reached
    };
    let at_30 = reached().await;
    server.patch(&format!("/api/v1/rollouts/{rollout}"), json!({ "percent": 75.5 })).await.ok();
    let at_75 = reached().await;
    assert!(at_30.iter().all(|email| at_75.contains(email)), "{at_30:?} {at_75:?}");
    assert!(at_30.len() < at_75.len() && at_75.len() < emails.len(), "{at_30:?} {at_75:?}");
    let owner = usize::from(version_of(&server, "owner@acme.example").await == 2);
    let reach = &server.get(&format!("/api/v1/rollouts/{rollout}")).await.ok()["reach"];
    assert_eq!(*reach, json!({ "members": 41, "reached": at_75.len() + owner }));
}

/// Groups that are gone reach nobody, and never everybody.
#[tokio::test]
async fn a_group_that_is_deleted_takes_its_members_out() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (mia, max) = (server.member("mia@acme.example").await, server.member("max@acme.example").await);
        let (ops, dev) = (server.group("Ops", &[&mia]).await, server.group("Dev", &[&max]).await);
        let policy = policy_for_all(&server).await;
        let rollout = start(&server, &policy, json!({ "group_ids": [ops, dev] })).await;
        let path = format!("/api/v1/rollouts/{rollout}");
        let versions =
            async || (version_of(&server, "mia@acme.example").await, version_of(&server, "max@acme.example").await);
        assert_eq!(versions().await, (2, 2));
        server.delete(&format!("/api/v1/groups/{ops}")).await.ok();
        assert_eq!(versions().await, (1, 2));
        assert_eq!(server.get(&path).await.ok()["gone_group_ids"], json!([ops]));
        server.delete(&format!("/api/v1/groups/{dev}")).await.ok();
        assert_eq!(versions().await, (1, 1));
        let shown = server.get(&path).await.ok();
        assert_eq!(shown["reach"], json!({ "members": 3, "reached": 0 }));
        assert_eq!(status(&server.patch(&path, json!({ "group_ids": [ops] })).await), "422 unknown_group group_ids[0]");
        // What it says of the others can still be changed, and it ends as ever.
        server.patch(&path, json!({ "percent": 10 })).await.ok();
        act(&server, &rollout, "finish").await;
        assert_eq!(versions().await, (2, 2));
    }
}
