//! Machines without a signed-in member: the real client with an API key, or with nothing at all, under
//! the policy of a device enrolment.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use provost_server::client_config::ClientConfig;
use provost_server::device_files::{Platform, Way, device_files};
use provost_testkit::codex::{Device, Output, Version};
use serde_json::{Value, json};

use super::{Site, TURN};

/// A machine of an enrolment that talks to a provider of its own, with an API key.
fn machine(site: &Site, base_url: &str) -> Device {
    let way = Way::enrolment(site.server.url(), base_url).unwrap();
    let machine = installed(site, &way);
    let machine = machine.env("MODEL_KEY", "sk-of-the-pipeline");
    machine.configure(&format!(
        "model_provider = \"direct\"\n\n[model_providers.direct]\nname = \"Direct\"\nbase_url = \"{}\"\n\
         env_key = \"MODEL_KEY\"\nwire_api = \"responses\"\n",
        site.upstream.url()
    ));
    machine
}

/// A machine with the files that `provost client-config --for linux` makes.
fn installed(site: &Site, way: &Way) -> Device {
    let files = device_files(&ClientConfig::new(site.server.url(), None), Platform::Linux, way, None);
    let placed: Vec<(&str, &str)> = files
        .iter()
        .filter_map(|file| Some((file.destination.strip_prefix("/etc/")?.split(' ').next()?, file.content.as_str())))
        .collect();
    assert!(placed.iter().any(|(path, _)| *path == "codex/requirements.toml"), "{files:?}");
    site.laptop(Version::V0_169).with_private_etc(&placed)
}

async fn enrol(site: &Site) -> (String, Value) {
    let policy = site
        .server
        .policy("CI", "allowed_sandbox_modes = [\"read-only\"]\nallowed_approval_policies = [\"on-request\"]\n")
        .await;
    let group = site.server.group("CI", &[]).await;
    site.rule(&[(&group, &policy)], None).await;
    let made = site.server.post("/api/v1/device-enrolments", json!({ "name": "CI", "group_id": group })).await.ok();
    (policy, made)
}

/// Forgets what the client keeps of the config server, as it would after an hour.
fn an_hour_later(machine: &Device) {
    let mut kept = 0;
    for entry in std::fs::read_dir(machine.codex_home()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("managed-config-") {
            std::fs::remove_file(path).unwrap();
            kept += 1;
        }
    }
    assert_eq!(kept, 1, "the client keeps one bundle");
}

fn is_held(turn: &Output) -> bool {
    turn.banner("sandbox") == Some("read-only")
}

#[tokio::test]
async fn a_machine_with_an_api_key_obeys_the_policy_of_its_group() {
    let site = Site::open().await;
    let (policy, made) = enrol(&site).await;
    let base_url = made["base_url"].as_str().unwrap();
    let machine = machine(&site, base_url);
    let turn = machine.exec("say hi", &[&TURN[..], &["-s", "danger-full-access"]].concat()).await;
    assert!(turn.success() && is_held(&turn), "{turn}");
    assert!(turn.stderr.contains(&format!("CI ({policy})")), "{turn}");
    assert!(!turn.stderr.contains("/device/"), "the client prints no address: {turn}");
    assert_eq!(machine.auth(), None, "nobody is signed in");
    assert_eq!(site.upstream.turns()[0].header("authorization"), Some("Bearer sk-of-the-pipeline"));
    let fetched = site.server.events("policy.fetched").await;
    assert_eq!(fetched.len(), 1);
    assert_eq!(fetched[0]["actor"]["kind"], "device");
    assert_eq!(fetched[0]["target"]["id"], *policy);

    // With a key of OpenAI in its credentials as well, which no cloud policy ever reaches.
    std::fs::write(machine.codex_home().join("auth.json"), json!({ "OPENAI_API_KEY": "sk-openai" }).to_string())
        .unwrap();
    an_hour_later(&machine);
    let turn = machine.exec("say hi", &[&TURN[..], &["-s", "danger-full-access"]].concat()).await;
    assert!(turn.success() && is_held(&turn), "{turn}");

    // Revoked: what it has holds for its hour, and then it does not start.
    let id = made["id"].as_str().unwrap();
    site.server.delete(&format!("/api/v1/device-enrolments/{id}")).await;
    let turn = machine.exec("say hi", &[&TURN[..], &["-s", "danger-full-access"]].concat()).await;
    assert!(turn.success() && is_held(&turn), "{turn}");
    an_hour_later(&machine);
    let before = site.upstream.turns().len();
    let began = Instant::now();
    let turn = machine.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    assert!(began.elapsed() < Duration::from_secs(10), "it does not ask again and again: {:?}", began.elapsed());
    assert!(turn.stderr.contains("Managed configuration sign-in is required"), "{turn}");
    assert_eq!(site.upstream.turns().len(), before, "it asks no model");
}

#[tokio::test]
async fn a_member_cannot_point_a_managed_laptop_elsewhere() {
    let site = Site::open().await;
    let policy = site
        .rule_everybody("allowed_sandbox_modes = [\"read-only\"]\nallowed_approval_policies = [\"on-request\"]\n")
        .await;
    let ada = site.hire("ada").await;
    let laptop = installed(&site, &Way::A);
    super::write_auth(&laptop, &site.tokens(&ada).await, &site.server.workspace_id);
    let elsewhere = ["-s", "danger-full-access", "-c", "chatgpt_base_url=\"https://127.0.0.1:9/backend-api\""];
    let turn = laptop.exec("say hi", &[&TURN[..], &elsewhere].concat()).await;
    assert!(turn.success() && is_held(&turn), "{turn}");
    let fetched = site.events_of(&ada, "policy.fetched").await;
    assert_eq!(fetched[0]["target"]["id"], *policy);
}

#[tokio::test]
async fn a_laptop_is_governed_while_the_database_is_lost() {
    let mut site = Site::open().await;
    site.rule_everybody("allowed_sandbox_modes = [\"read-only\"]\nallowed_approval_policies = [\"on-request\"]\n")
        .await;
    let ada = site.hire("ada").await;
    // By the client's own clock its token dies meanwhile.
    site.server.advance(SignedDuration::from_hours(-2));
    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    site.server.node.app.store.keep_last_good().await.unwrap();
    site.server =
        site.server.restart(async |data, _| std::fs::remove_file(data.join("provost.db")).unwrap()).await.unwrap();
    assert!(site.server.node.app.store.degraded().is_some());
    site.server.advance(SignedDuration::from_hours(2));
    let turn = laptop.exec("say hi", &[&TURN[..], &["-s", "danger-full-access"]].concat()).await;
    assert!(turn.success() && is_held(&turn), "{turn}");
    assert!(turn.stdout.contains("hello from the upstream"), "{turn}");
}
