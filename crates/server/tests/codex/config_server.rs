//! Mode B: the client's own hooks for self-hosting (0.164 and newer), in files that only the device's
//! admin can write. 0.130.0 has none of them.
//!
//! The client keeps a sign-in to a config server in the keyring of the desktop, which machines that run
//! tests do not have. So these tests follow it until there, and ask for the bundle themselves.

use provost_server::client_config::ClientConfig;
use provost_testkit::codex::{Device, Running, Version};
use provost_testkit::server::As;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::browser::Browser;
use super::{CLIENT_ID, Developer, REFUSED, Site, TURN};

/// A machine whose `/etc/codex/requirements.toml` is this.
fn managed(site: &Site, requirements: &str) -> Device {
    site.laptop(Version::V0_169).with_private_etc(&[("codex/requirements.toml", requirements)])
}

/// Signs the developer in to whatever this client waits for, in a browser.
async fn sign_in(site: &Site, client: &Running, developer: &Developer) {
    let issuer = format!("{}/oauth/authorize?", site.server.url());
    let printed = |text: &str| text.lines().find(|line| line.starts_with(&issuer)).map(str::to_owned);
    let address = client.wait_for_stderr("the address to sign in at", printed).await;
    let mut browser = Browser::new(&site.server);
    let callback = browser.open_signing_in(&address, &developer.email).await.next();
    let done = browser.open(&callback).await;
    assert!(done.html.contains("Sign-in complete"), "{}", done.html);
}

/// Makes the client take the tokens that it keeps in a file for too old.
fn expire(laptop: &Device) {
    let path = laptop.codex_home().join("secrets/gateway_oauth.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for tokens in kept.as_object_mut().unwrap().values_mut() {
        tokens["expires_at"] = json!(1);
    }
    std::fs::write(path, kept.to_string()).unwrap();
}

#[tokio::test]
async fn a_config_server_asks_for_a_sign_in_before_it_gives_a_policy() {
    let site = Site::open().await;
    let config = ClientConfig::new(site.server.url(), None);
    let laptop = managed(&site, &config.mode_b.requirements_toml);
    let turn = laptop.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    let expected = "Sign in to the configuration server to load your organization's settings";
    assert!(turn.stderr.contains(expected), "{turn}");

    // Without `oauth` the client comes without a token, and nobody gets no policy.
    let laptop = managed(&site, &format!("[config_server]\nbase_url = \"{}\"\n", site.server.url()));
    let turn = laptop.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    assert!(turn.stderr.contains("Managed configuration sign-in is required"), "{turn}");
    assert_eq!(site.upstream.turns().len(), 0);
    assert_eq!(site.server.events("policy.fetched").await.len(), 0);
}

#[tokio::test]
async fn signing_in_to_the_config_server_is_a_sign_in_of_the_member() {
    let site = Site::open().await;
    let policy = site.rule_everybody("allowed_sandbox_modes = [\"read-only\"]").await;
    let ada = site.hire("ada").await;
    let config = ClientConfig::new(site.server.url(), None);
    let laptop = managed(&site, &config.mode_b.requirements_toml);
    let login = laptop.start(&["login"]);
    sign_in(&site, &login, &ada).await;
    let login = login.finish().await;
    assert!(login.success() || login.stderr.contains("credential store"), "{login}");
    let signed_in = site.events_of(&ada, "client.signed_in").await;
    assert_eq!(signed_in.len(), 1);
    assert_eq!(signed_in[0]["details"]["client_id"], CLIENT_ID);

    let tokens = site.tokens(&ada).await;
    let request = site.server.request(Method::GET, "/codex/config/bundle").header("user-agent", "codex-cli");
    let bundle = site.server.send(request.bearer_auth(tokens["access_token"].as_str().unwrap())).await.ok();
    assert_eq!(bundle["requirements_toml"]["enterprise_managed"][0]["id"], *policy);
    let nobody = site.server.call(&As::Nobody, Method::GET, "/codex/config/bundle", None).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_model_provider_with_a_sign_in_of_its_own_is_governed_too() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    // What `client-config` prints, but for what needs a keyring.
    let config = ClientConfig::new(site.server.url(), None);
    let mut requirements: toml::Table = config.mode_b.requirements_toml.parse().unwrap();
    requirements.remove("config_server").unwrap();
    requirements["model_providers"]["provost"]["gateway_oauth"]["credentials_store"] = "file".into();
    let requirements = requirements.to_string();
    let laptop = managed(&site, &requirements);
    let first = laptop.start_exec("say hi", &TURN);
    sign_in(&site, &first, &ada).await;
    let first = first.finish().await;
    assert!(first.success() && first.stdout.contains("hello from the upstream"), "{first}");
    assert_eq!(laptop.auth(), None, "no ChatGPT account is involved");

    // From now on the client is signed in, and renews its tokens (by its own clock, not after a 401).
    expire(&laptop);
    let turn = laptop.exec("say hi", &TURN).await;
    assert!(turn.success(), "{turn}");
    site.set("codex_local", json!(false)).await;
    let turn = laptop.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    assert_eq!(turn.error(), Some(REFUSED), "{turn}");

    assert_eq!(site.events_of(&ada, "token.refreshed").await.len(), 1);
    assert_eq!(site.events_of(&ada, "turn.completed").await.len(), 2);
    assert_eq!(site.events_of(&ada, "turn.refused").await.len(), 1);
    let sent = site.upstream.turns();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].header("authorization"), Some("Bearer sk-upstream"));
}
