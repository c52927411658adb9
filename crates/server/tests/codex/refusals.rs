//! What a developer reads who may not, and that it ends as soon as they may.

use provost_testkit::codex::{Output, Version};
use serde_json::{Value, json};

use super::{REFUSED, Site, TURN};

/// The developer reads the guide's words, exactly, once.
#[track_caller]
fn assert_refused(version: Version, turn: &Output) {
    assert_eq!(turn.code, Some(1), "{version}: {turn}");
    assert_eq!(turn.error(), Some(REFUSED), "{version}: {turn}");
    assert!(!turn.stderr.contains("Reconnecting"), "{version}: {turn}");
}

#[tokio::test]
async fn the_toggle_stops_the_next_turn_and_lets_it_go_on() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        for on in [true, false, true] {
            site.set("codex_local", json!(on)).await;
            let turn = laptop.exec("say hi", &TURN).await;
            if on {
                assert!(turn.success(), "{version}: {turn}");
            } else {
                assert_refused(version, &turn);
            }
        }
    }
    let refused = site.events_of(&ada, "turn.refused").await;
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0]["details"]["reason"], "not_permitted");
    assert_eq!(refused[0]["details"]["client_version"], "0.169.0");
    assert_eq!(site.events_of(&ada, "turn.completed").await.len(), 4);
    assert_eq!(site.upstream.turns().len(), 4);
}

#[tokio::test]
async fn a_refused_member_starts_without_a_policy_and_hears_why_at_the_model_call() {
    let site = Site::open().await;
    site.set("codex_local", json!(false)).await;
    site.rule_everybody("allowed_sandbox_modes = [\"read-only\"]").await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        // A first start: nothing is cached, and a refused policy would look like an outage.
        let laptop = site.signed_in_laptop(version, &ada).await;
        assert_refused(version, &laptop.exec("say hi", &TURN).await);
    }
    let fetched = site.events_of(&ada, "policy.fetched").await;
    assert_eq!(fetched.len(), 2);
    assert_eq!(fetched[0]["target"], Value::Null);
}

#[tokio::test]
async fn with_the_toggle_off_a_role_grants_it_to_some() {
    let site = Site::open().await;
    site.set("codex_local", json!(false)).await;
    let (ada, bob) = (site.hire("ada").await, site.hire("bob").await);
    let pilots = site.server.group("Pilots", &[&ada.id]).await;
    let role = json!({ "name": "Codex users", "permissions": ["codex.local.use"] });
    let role = site.server.post("/api/v1/roles", role).await.text("id");
    site.server.put(&format!("/api/v1/roles/{role}/groups/{pilots}"), Value::Null).await.ok();
    for version in Version::ALL {
        let turn = site.signed_in_laptop(version, &ada).await.exec("say hi", &TURN).await;
        assert!(turn.success(), "{version}: {turn}");
        let turn = site.signed_in_laptop(version, &bob).await.exec("say hi", &TURN).await;
        assert_refused(version, &turn);
    }
    // Bob joins the pilots, and needs nothing more.
    let laptop = site.signed_in_laptop(Version::V0_169, &bob).await;
    site.server.put(&format!("/api/v1/groups/{pilots}/members/{}", bob.id), Value::Null).await.ok();
    let turn = laptop.exec("say hi", &TURN).await;
    assert!(turn.success(), "{turn}");
}

#[tokio::test]
async fn a_suspended_member_is_refused_at_the_next_turn() {
    let site = Site::open().await;
    for version in Version::ALL {
        let ada = site.hire(&format!("ada-{version}")).await;
        let laptop = site.signed_in_laptop(version, &ada).await;
        assert!(laptop.exec("say hi", &TURN).await.success());
        site.server.patch(&format!("/api/v1/members/{}", ada.id), json!({ "active": false })).await.ok();
        assert_refused(version, &laptop.exec("say hi", &TURN).await);
        let refused = site.events_of(&ada, "turn.refused").await;
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0]["details"]["reason"], "member_suspended");

        // With nothing cached, the client does not get as far as its first turn.
        laptop.clear_policy_cache();
        let turn = laptop.exec("say hi", &TURN).await;
        assert_eq!(turn.code, Some(1), "{version}: {turn}");
        let expected = "because your refresh token was revoked. Please log out and sign in again.";
        assert!(turn.stderr.contains(expected), "{version}: {turn}");
    }
    assert_eq!(site.upstream.turns().len(), 2);
}

#[tokio::test]
async fn a_model_that_is_not_served_is_refused_with_those_that_are() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        let turn = laptop.exec("say hi", &["-m", "gpt-tset"]).await;
        assert_eq!(turn.code, Some(1), "{version}: {turn}");
        let expected = "The model `gpt-tset` is not served here. Choose one of: gpt-test.";
        assert_eq!(turn.error(), Some(expected), "{version}: {turn}");
    }
    let refused = site.events_of(&ada, "turn.refused").await;
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0]["details"]["reason"], "model_not_listed");
    assert_eq!(refused[0]["details"]["model"], "gpt-tset");
    assert_eq!(site.upstream.turns().len(), 0);
}
