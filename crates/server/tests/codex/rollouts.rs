//! A new version of a policy reaches some laptops first, and leaves them when it does harm.

use provost_policy::look_after_rollouts;
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_testkit::codex::{Device, Version};
use serde_json::json;

use super::Site;

const BASELINE: &str = "allowed_sandbox_modes = [\"read-only\"]\n";
const CANDIDATE: &str = "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]\n";

/// Whether the client lets a command of the model write in the project, at its next start.
async fn may_write(site: &Site, laptop: &Device) -> bool {
    laptop.clear_policy_cache();
    let (turn, _) = site.run(laptop, "touch proof", &["-s", "workspace-write"]).await;
    let proof = laptop.project().join("proof");
    let wrote = proof.exists();
    let _ = std::fs::remove_file(proof);
    assert!(turn.success(), "{turn}");
    wrote
}

/// Ten clients that were sent the version and never came back.
async fn ten_fall_silent(site: &Site, policy: &str, version: u32, member: &str) {
    let now = site.server.clock.now();
    let row = |device: u32| DeliveryRow {
        workspace_id: site.server.workspace_id.parse().unwrap(),
        device: format!("grant_{device}"),
        member_id: member.to_owned(),
        policy: Some((policy.parse().unwrap(), version)),
        client_version: String::new(),
        first_at: now,
        last_at: now,
        fetches: 1,
        turns: 0,
        failed_turns: 0,
        last_turn_at: None,
    };
    let rows: Vec<DeliveryRow> = (0..10).map(row).collect();
    let mut tx = site.server.node.app.store.write().await.unwrap();
    policy_deliveries::add(&mut tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_rollout_reaches_its_members_and_is_taken_back_from_them_when_it_is_halted() {
    let site = Site::open().await;
    let (ada, bob) = (site.hire("ada").await, site.hire("bob").await);
    let early = site.server.group("Early", &[&ada.id]).await;
    let policy = site.server.policy("Everybody", BASELINE).await;
    site.rule(&[], Some(&policy)).await;
    let mut candidate = 1;
    for version in Version::ALL {
        let (of_ada, of_bob) = (site.signed_in_laptop(version, &ada).await, site.signed_in_laptop(version, &bob).await);
        assert!(!may_write(&site, &of_ada).await, "{version}");
        let body = json!({ "contents": CANDIDATE, "group_ids": [early], "guard": { "grace_minutes": 0 } });
        let rollout = site.server.post(&format!("/api/v1/policies/{policy}/rollouts"), body).await.text("id");
        candidate += 1;
        assert!(may_write(&site, &of_ada).await, "{version}: she is in the group");
        assert!(!may_write(&site, &of_bob).await, "{version}: he is not");

        ten_fall_silent(&site, &policy, candidate, &ada.id).await;
        look_after_rollouts(&site.server.node.app).await;
        let shown = site.server.get(&format!("/api/v1/rollouts/{rollout}")).await.ok();
        assert_eq!(shown["status"], "halted", "{shown}");
        assert!(!may_write(&site, &of_ada).await, "{version}: the next start follows the version of before");
    }
}
