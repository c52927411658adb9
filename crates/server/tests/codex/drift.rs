//! What the real client says it ran with, and how that stands to the policy that it was sent.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use provost_store::tables::agent_commands;
use provost_testkit::codex::{Device, Version};
use serde_json::{Value, json};

use super::{Site, TURN};

const STRICT: &str = "allowed_sandbox_modes = [\"read-only\"]\nallowed_approval_policies = [\"on-request\"]\n";
/// The tests' devices have analytics off; developers' have them on.
const ANALYTICS: [&str; 2] = ["-c", "analytics.enabled=true"];
const FULL: [&str; 2] = ["-s", "danger-full-access"];

/// The sessions with a verdict other than "nothing is known yet".
async fn judged(site: &Site) -> Vec<Value> {
    let list = site.server.get("/api/v1/agent-sessions").await.ok();
    let mut sessions = list["data"].as_array().unwrap().clone();
    sessions.retain(|session| session["verdict"] != "unknown");
    sessions
}

/// The same, once there are so many.
async fn sessions(site: &Site, count: usize) -> Vec<Value> {
    let judged = async {
        loop {
            let sessions = judged(site).await;
            if sessions.len() >= count {
                return sessions;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), judged).await.expect("the client reports")
}

/// Has the client believe that its member's plan has no managed policies: it does not check whose word that is.
fn doctor(laptop: &Device) {
    let path = laptop.codex_home().join("auth.json");
    let mut auth = laptop.auth().unwrap();
    let id_token = auth["tokens"]["id_token"].as_str().unwrap();
    let parts: Vec<&str> = id_token.split('.').collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["https://api.openai.com/auth"]["chatgpt_plan_type"] = json!("plus");
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    auth["tokens"]["id_token"] = format!("{}.{claims}.{}", parts[0], parts[2]).into();
    std::fs::write(path, auth.to_string()).unwrap();
}

#[tokio::test]
async fn a_governed_session_is_in_step_by_either_feed() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let policy = site.rule_everybody(STRICT).await;
    site.set("telemetry", json!(true)).await;
    site.set("record_commands", json!(true)).await;
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    for (count, arguments, source) in [(1, &FULL[..], "otlp"), (2, &[FULL, ANALYTICS].concat(), "analytics")] {
        let (turn, _) = site.run(&laptop, "touch proof", arguments).await;
        assert_eq!(turn.banner("sandbox"), Some("read-only"), "{turn}");
        let found = sessions(&site, count).await;
        let session = found.iter().find(|session| session["source"] == source).expect(source);
        let expected = json!({ "id": policy, "version": 1 });
        assert_eq!((&session["verdict"], &session["policy"]), (&json!("in_step"), &expected), "{session}");
        assert_eq!(
            (&session["sandbox_policy"], &session["approval_policy"]),
            (&json!("read-only"), &json!("on-request"))
        );
        assert_eq!((&session["member_id"], &session["client_version"]), (&json!(ada.id), &json!("0.169.0")));
        assert_eq!((&session["model"], &session["originator"]), (&json!("gpt-test"), &json!("codex_exec")));
    }
    let store = &site.server.node.app.store;
    let mut tx = store.read().await.unwrap();
    let ws = site.server.workspace_id.parse().unwrap();
    let start = (Timestamp::MIN, "", "");
    let commands = agent_commands::list_since(&mut tx, ws, store.sealer(), start, 10).await.unwrap();
    assert_eq!(commands[0].argv, ["bash", "-lc", "touch proof"]);
    assert_eq!(site.server.events("policy.contradicted").await.len(), 0);
}

#[tokio::test]
async fn a_doctored_client_contradicts_its_policy_and_gives_itself_away() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let policy = site.rule_everybody(STRICT).await;
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    site.run(&laptop, "touch proof", &[FULL, ANALYTICS].concat()).await;
    assert_eq!(sessions(&site, 1).await[0]["verdict"], "in_step");
    doctor(&laptop);
    let (turn, _) = site.run(&laptop, "touch proof", &[FULL, ANALYTICS].concat()).await;
    assert_eq!(turn.banner("sandbox"), Some("danger-full-access"), "the client does as it likes: {turn}");
    let found = sessions(&site, 2).await;
    assert_eq!(
        (&found[0]["verdict"], &found[0]["sandbox_policy"]),
        (&json!("contradicting"), &json!("danger-full-access"))
    );
    assert_eq!(found[0]["reasons"].as_array().unwrap().len(), 2);
    assert!(site.server.node.app.store.flush(std::time::Duration::from_secs(10)).await, "what was queued is written");
    let events = site.events_of(&ada, "policy.contradicted").await;
    assert_eq!((events.len(), &events[0]["target"]["id"]), (1, &json!(policy)));
    let drift = site.server.get("/api/v1/applied-policies?state=contradicting").await.ok();
    assert_eq!(drift["data"][0]["member_id"], ada.id);
}

#[tokio::test]
async fn a_client_that_keeps_an_old_version_for_too_long_is_behind() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let policy = site.rule_everybody(STRICT).await;
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    laptop.exec("say hi", &TURN).await;
    let next = json!({ "name": "Everybody", "contents": "allowed_sandbox_modes = [\"read-only\"]\n" });
    site.server.put(&format!("/api/v1/policies/{policy}"), next).await.ok();
    // The client's own clock stands still, so what it has kept is new to it.
    site.server.advance(SignedDuration::from_mins(90));
    let turn = laptop.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(0), "{turn}");
    let app = &site.server.node.app;
    assert!(app.deliveries.flush(&app.store, Duration::from_secs(10)).await);
    let drift = site.server.get("/api/v1/applied-policies?state=behind").await.ok();
    let device = &drift["data"][0];
    assert_eq!((&device["member_id"], &device["delivered"]["version"]), (&json!(ada.id), &json!(1)), "{drift}");
    assert_eq!((&device["current"]["version"], &device["client_version"]), (&json!(2), &json!("0.169.0")));
}
