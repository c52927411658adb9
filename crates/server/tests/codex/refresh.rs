//! Tokens live an hour; the client renews them by itself.

use jiff::SignedDuration;
use provost_testkit::codex::Version;
use serde_json::{Value, json};

use super::Site;

/// Longer than an access token lives.
const LATER: SignedDuration = SignedDuration::from_mins(61);

#[tokio::test]
async fn an_expired_access_token_is_renewed_without_a_word() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        let before = laptop.auth().unwrap();
        site.server.advance(LATER);
        let turn = laptop.exec("say hi", &["-m", "gpt-test"]).await;
        assert!(turn.success(), "{version}: {turn}");
        assert_eq!(turn.error(), None, "{version}: {turn}");
        let after = laptop.auth().unwrap();
        assert_ne!(before["tokens"]["access_token"], after["tokens"]["access_token"]);
        assert_ne!(before["tokens"]["refresh_token"], after["tokens"]["refresh_token"]);
    }
    assert_eq!(site.events_of(&ada, "token.refreshed").await.len(), 2);
}

#[tokio::test]
async fn two_clients_of_one_home_renew_at_once() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        site.server.advance(LATER);
        let one = laptop.start_exec("say hi", &["-m", "gpt-test"]);
        let two = laptop.start_exec("say hi", &["-m", "gpt-test"]);
        let (one, two) = (one.finish().await, two.finish().await);
        assert!(one.success(), "{version}: {one}");
        assert!(two.success(), "{version}: {two}");
        // Whatever was kept of the two renewals works again.
        let next = laptop.exec("say hi", &["-m", "gpt-test"]).await;
        assert!(next.success(), "{version}: {next}");
    }
    assert_eq!(site.server.events("token.reuse_detected").await.len(), 0);
}

#[tokio::test]
async fn a_stolen_refresh_token_that_is_used_late_ends_the_session() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.signed_in_laptop(version, &ada).await;
        let old = laptop.auth().unwrap();
        site.server.advance(LATER);
        assert!(laptop.exec("say hi", &["-m", "gpt-test"]).await.success());
        let thief = site.laptop(version);
        std::fs::write(thief.codex_home().join("auth.json"), old.to_string()).unwrap();
        site.server.advance(LATER);
        let turn = thief.exec("say hi", &["-m", "gpt-test"]).await;
        assert_eq!(turn.code, Some(1), "{version}: {turn}");
        println!("{version} thief: {turn}");
        let turn = laptop.exec("say hi", &["-m", "gpt-test"]).await;
        assert_eq!(turn.code, Some(1), "{version}: {turn}");
        println!("{version} owner: {turn}");
    }
    assert_eq!(site.events_of(&ada, "token.reuse_detected").await.len(), 2);
}

#[tokio::test]
async fn a_suspended_member_gets_no_new_tokens() {
    let site = Site::open().await;
    for version in Version::ALL {
        let ada = site.hire(&format!("ada-{version}")).await;
        let laptop = site.signed_in_laptop(version, &ada).await;
        assert!(laptop.exec("say hi", &["-m", "gpt-test"]).await.success());
        let path = format!("/api/v1/members/{}", ada.id);
        site.server.patch(&path, json!({ "active": false })).await.ok();
        site.server.advance(LATER);
        let turn = laptop.exec("say hi", &["-m", "gpt-test"]).await;
        assert_eq!(turn.code, Some(1), "{version}: {turn}");
        println!("{version} suspended, refresh: {turn}");
        let refused = site.events_of(&ada, "client.refused").await;
        assert_eq!(refused[0]["details"]["reason"], "suspended");

        // Back in, the old session stays ended.
        site.server.patch(&path, json!({ "active": true })).await.ok();
        let turn = laptop.exec("say hi", &["-m", "gpt-test"]).await;
        assert_eq!(turn.code, Some(1), "{version}: {turn}");
        println!("{version} back, old session: {turn}");
    }
    assert_eq!(site.server.events("token.refreshed").await, Vec::<Value>::new());
    assert_eq!(site.upstream.turns().len(), 2);
}
