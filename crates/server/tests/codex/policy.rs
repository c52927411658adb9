//! A policy reaches a laptop, and holds there.

use provost_testkit::codex::{Device, Version};
use serde_json::{Value, json};

use super::{Site, TURN};

const READ_ONLY: &str = r#"
allowed_sandbox_modes = ["read-only"]
allowed_approval_policies = ["on-request"]
"#;

const NO_RM: &str = r#"
[rules]
prefix_rules = [{ pattern = [{ token = "rm" }], decision = "forbidden", justification = "no rm by policy" }]
"#;

/// Whether a command of the model could write in the project.
fn wrote(laptop: &Device) -> bool {
    let proof = laptop.project().join("proof");
    let there = proof.exists();
    let _ = std::fs::remove_file(proof);
    there
}

#[tokio::test]
async fn a_request_for_full_access_is_held_to_read_only() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        // Without a policy nothing holds the request back.
        site.rule(&[], None).await;
        let laptop = site.signed_in_laptop(version, &ada).await;
        let (turn, _) = site.run(&laptop, "touch proof", &["-s", "danger-full-access"]).await;
        assert_eq!(turn.banner("sandbox"), Some("danger-full-access"), "{version}: {turn}");
        assert!(wrote(&laptop), "{version}: {turn}");

        let policy = site.server.policy(&format!("Read only {version}"), READ_ONLY).await;
        site.rule(&[], Some(&policy)).await;
        laptop.clear_policy_cache();
        let (turn, told) = site.run(&laptop, "touch proof", &["-s", "danger-full-access"]).await;
        assert_eq!(turn.banner("sandbox"), Some("read-only"), "{version}: {turn}");
        assert!(!wrote(&laptop), "{version}: {turn}");
        assert!(told.tool_output().unwrap().contains("Read-only file system"), "{version}: {:?}", told.tool_output());
        if version == Version::V0_169 {
            let by = format!("(set by enterprise-managed requirements Read only {version} ({policy}))");
            assert!(turn.stderr.contains(&by), "the developer is told which policy it is: {turn}");
        }
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_held_is_not_started() {
    // A policy that leaves the approvals open: 0.169.0 asks for `never`, which it accepts only with full access.
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    site.rule_everybody("allowed_sandbox_modes = [\"read-only\"]").await;
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    let turn = laptop.exec("do it", &["-m", "gpt-test", "-s", "danger-full-access"]).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    assert!(turn.stderr.contains("requirements do not allow `sandbox_mode = \"danger-full-access\"`"), "{turn}");
    assert_eq!(site.upstream.turns().len(), 0);
}

#[tokio::test]
async fn a_forbidden_command_is_not_run() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    site.rule_everybody(NO_RM).await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        let notes = laptop.project().join("notes");
        std::fs::write(&notes, "keep").unwrap();
        let (turn, told) = site.run(&laptop, "rm notes", &["-s", "danger-full-access"]).await;
        assert!(turn.success(), "{version}: {turn}");
        assert!(notes.exists(), "{version}: {turn}");
        let told = told.tool_output().unwrap();
        assert!(told.contains("rejected: no rm by policy"), "the model is told why, {version}: {told}");
        assert!(turn.stderr.contains("rejected: no rm by policy"), "the developer is told why, {version}: {turn}");
    }
}

#[tokio::test]
async fn each_member_runs_under_the_policy_of_their_group_or_the_fallback() {
    let site = Site::open().await;
    let (ada, bob, cyd) = (site.hire("ada").await, site.hire("bob").await, site.hire("cyd").await);
    let readers = site.server.group("Readers", &[&ada.id]).await;
    let writers = site.server.group("Writers", &[&bob.id]).await;
    let read_only = site.server.policy("Read only", "allowed_sandbox_modes = [\"read-only\"]").await;
    let write = site.server.policy("Write", "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]").await;
    let no_rm = site.server.policy("No rm", NO_RM).await;
    site.rule(&[(&readers, &read_only), (&writers, &write)], Some(&no_rm)).await;

    for version in Version::ALL {
        for (member, writes, policy) in [(&ada, false, &read_only), (&bob, true, &write), (&cyd, true, &no_rm)] {
            let laptop = site.signed_in_laptop(version, member).await;
            let (turn, _) = site.run(&laptop, "touch proof", &["-s", "workspace-write"]).await;
            assert_eq!(wrote(&laptop), writes, "{} {version}: {turn}", member.email);
            let (_, told) = site.run(&laptop, "rm nothing", &["-s", "workspace-write"]).await;
            let forbidden = told.tool_output().unwrap().contains("no rm by policy");
            assert_eq!(forbidden, member.id == cyd.id, "{} {version}: {:?}", member.email, told.tool_output());
            let fetched = site.events_of(member, "policy.fetched").await;
            assert_eq!(fetched.last().unwrap()["target"]["id"], **policy);
        }
    }
    for member in [&ada, &bob, &cyd] {
        let fetched = site.events_of(member, "policy.fetched").await;
        let endpoints: Vec<&Value> = fetched.iter().map(|event| &event["details"]["endpoint"]).collect();
        assert_eq!(endpoints, ["bundle", "requirements"], "{}: one fetch of each version", member.email);
    }
}

#[tokio::test]
async fn the_next_start_follows_a_new_order_of_the_rules() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let readers = site.server.group("Readers", &[&ada.id]).await;
    let writers = site.server.group("Writers", &[&ada.id]).await;
    let read_only = site.server.policy("Read only", "allowed_sandbox_modes = [\"read-only\"]").await;
    let write = site.server.policy("Write", "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        let (reading, writing) = ((&*readers, &*read_only), (&*writers, &*write));
        for (rules, writes) in [([reading, writing], false), ([writing, reading], true), ([reading, writing], false)] {
            site.rule(&rules, None).await;
            laptop.clear_policy_cache();
            let (turn, _) = site.run(&laptop, "touch proof", &["-s", "workspace-write"]).await;
            assert_eq!(wrote(&laptop), writes, "{version}: {turn}");
        }
    }
}

#[tokio::test]
async fn a_new_version_of_a_policy_is_seen_by_the_next_start() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let policy = site.rule_everybody("allowed_sandbox_modes = [\"read-only\"]").await;
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    let mut app = laptop.app_server().await;
    let requirements = app.config_requirements().await;
    assert_eq!(requirements["allowedSandboxModes"], json!(["read-only"]), "{requirements}");
    app.stop().await;

    let contents = "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]";
    let body = json!({ "name": "Everybody", "contents": contents });
    site.server.put(&format!("/api/v1/policies/{policy}"), body).await.ok();
    laptop.clear_policy_cache();
    let mut app = laptop.app_server().await;
    let requirements = app.config_requirements().await;
    assert_eq!(requirements["allowedSandboxModes"], json!(["read-only", "workspace-write"]), "{requirements}");
    let fetched = site.events_of(&ada, "policy.fetched").await;
    let versions: Vec<&Value> = fetched.iter().map(|event| &event["details"]["version"]).collect();
    assert_eq!(versions, [1, 2]);
}

#[tokio::test]
async fn managed_defaults_ride_along_and_give_way_to_the_developer() {
    let site = Site::open().await;
    site.server
        .post(
            "/api/v1/upstreams",
            json!({
                "name": "Second", "base_url": site.upstream.url(), "models": [{ "slug": "gpt-other" }],
            }),
        )
        .await
        .ok();
    let ada = site.hire("ada").await;
    let body = json!({
        "name": "Defaults", "contents": "", "defaults": "model = \"gpt-other\"\ndeveloper_instructions = \"Mind the gap.\"",
    });
    let policy = site.server.post("/api/v1/policies", body).await.text("id");
    site.rule(&[], Some(&policy)).await;
    // 0.130.0 does not know managed defaults: its endpoint carries none.
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    let turn = laptop.exec("say hi", &[]).await;
    assert!(turn.success(), "{turn}");
    let turn = laptop.exec("say hi", &TURN).await;
    assert!(turn.success(), "{turn}");
    let turns = site.upstream.turns();
    assert_eq!(turns[0].body["model"], "gpt-other");
    assert!(turns[0].body["input"].to_string().contains("Mind the gap."));
    assert_eq!(turns[1].body["model"], "gpt-test");
}
