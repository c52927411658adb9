//! Signing in, in each of the ways that the client has.

use provost_testkit::codex::Version;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::browser::Browser;
use super::{REFUSED, Site, TURN};

/// With the toggle that device codes need.
async fn open() -> Site {
    let site = Site::open().await;
    site.set("device_code_login", json!(true)).await;
    site
}

#[tokio::test]
async fn a_device_code_approved_by_its_member_signs_the_client_in() {
    let site = open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.laptop(version);
        let login = laptop.login_device();
        let code = login.user_code().await;
        let path = format!("/api/v1/device-logins/{code}/approve");
        site.server.call(&ada.session, Method::POST, &path, None).await.ok();
        let output = login.finish().await;
        assert!(output.success(), "{output}");
        assert!(output.to_string().contains("Successfully logged in"), "{output}");
        assert_eq!(laptop.auth().unwrap()["tokens"]["account_id"], site.server.workspace_id);

        let turn = laptop.exec("say hi", &TURN).await;
        assert!(turn.success() && turn.stdout.contains("hello from the upstream"), "{version}: {turn}");
    }
    let signed_in = site.events_of(&ada, "client.signed_in").await;
    assert_eq!(signed_in.len(), 2);
    assert_eq!(signed_in[0]["details"]["method"], "device_code");
    assert_eq!(site.events_of(&ada, "device_login.approved").await.len(), 2);
    assert_eq!(site.events_of(&ada, "turn.completed").await.len(), 2);
}

#[tokio::test]
async fn a_device_code_is_approved_or_denied_on_the_page() {
    let site = open().await;
    let ada = site.hire("ada").await;
    let mut browser = Browser::new(&site.server);
    for (version, decision) in [(Version::V0_169, "approve"), (Version::V0_130, "approve"), (Version::V0_169, "deny")] {
        let laptop = site.laptop(version);
        let login = laptop.login_device();
        let code = login.user_code().await;
        // As a member types it: without the dash, in small letters.
        let typed = code.replace('-', "").to_lowercase();
        let address = format!("/codex/device?user_code={typed}");
        let asked = match site.events_of(&ada, "device_login.approved").await.len() {
            0 => browser.open_signing_in(&address, &ada.email).await,
            _ => browser.open(&address).await,
        };
        assert!(asked.html.contains(&code), "{}", asked.html);
        let fields = [
            ("user_code", &*asked.hidden("user_code")),
            ("csrf_token", &asked.hidden("csrf_token")),
            ("decision", decision),
        ];
        let decided = browser.submit("/codex/device", &fields).await;
        assert_eq!(decided.status, StatusCode::OK, "{}", decided.html);

        let output = login.finish().await;
        if decision == "approve" {
            assert!(output.success(), "{output}");
            assert!(decided.html.contains("The device is signed in"), "{}", decided.html);
        } else {
            assert_eq!(output.code, Some(1), "{output}");
            assert!(output.stderr.contains("The sign-in was denied in the browser."), "{output}");
            assert_eq!(laptop.auth(), None);
        }
    }
    assert_eq!(site.events_of(&ada, "client.refused").await[0]["details"]["reason"], "denied");
}

#[tokio::test]
async fn a_device_code_denied_by_its_member_signs_nobody_in() {
    let site = open().await;
    let ada = site.hire("ada").await;
    for version in Version::ALL {
        let laptop = site.laptop(version);
        let login = laptop.login_device();
        let code = login.user_code().await;
        site.server.call(&ada.session, Method::POST, &format!("/api/v1/device-logins/{code}/deny"), None).await.ok();
        let output = login.finish().await;
        assert_eq!(output.code, Some(1), "{output}");
        assert!(output.stderr.contains("The sign-in was denied in the browser."), "{version}: {output}");
        assert_eq!(laptop.auth(), None);
    }
    assert_eq!(site.events_of(&ada, "device_login.denied").await.len(), 2);
}

#[tokio::test]
async fn without_its_toggle_there_is_no_device_code() {
    let site = Site::open().await;
    for version in Version::ALL {
        let output = site.laptop(version).login_device().finish().await;
        assert_eq!(output.code, Some(1), "{output}");
        assert!(
            output.stderr.contains("device code login is not enabled for this Codex server"),
            "{version}: {output}"
        );
    }
}

#[tokio::test]
async fn a_member_without_the_permission_reads_why_the_device_is_not_signed_in() {
    let site = Site::open().await;
    let (ada, bob) = (site.hire("ada").await, site.hire("bob").await);
    // The toggle stays off: a role lets Ada, and nobody else.
    let role = json!({ "name": "Device codes", "permissions": ["codex.local.device_code"] });
    let role = site.server.post("/api/v1/roles", role).await.text("id");
    site.server.put(&format!("/api/v1/roles/{role}/members/{}", ada.id), Value::Null).await.ok();
    for version in Version::ALL {
        for (member, may) in [(&ada, true), (&bob, false)] {
            let laptop = site.laptop(version);
            let login = laptop.login_device();
            let path = format!("/api/v1/device-logins/{}/approve", login.user_code().await);
            let approved = site.server.call(&member.session, Method::POST, &path, None).await;
            let output = login.finish().await;
            assert_eq!(output.success(), may, "{version}: {output}");
            assert_eq!(laptop.auth().is_some(), may);
            if !may {
                assert_eq!(approved.status, StatusCode::FORBIDDEN);
                assert!(output.stderr.contains(REFUSED), "{version}: {output}");
            }
        }
    }
    assert_eq!(site.events_of(&bob, "client.signed_in").await.len(), 0);
    assert!(!site.events_of(&bob, "client.refused").await.is_empty());
}

#[tokio::test]
async fn a_browser_signs_the_app_in() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let laptop = site.laptop(Version::V0_169);
    let mut app = laptop.app_server().await;
    let login = app.start_browser_login().await;

    let mut browser = Browser::new(&site.server);
    let callback = browser.open_signing_in(&login.auth_url, &ada.email).await.next();
    assert!(callback.starts_with("http://127.0.0.1:1455/auth/callback?code="), "{callback}");
    // The client's own page of thanks: seeing it ends the sign-in.
    let thanks = browser.open(&callback).await.next();
    assert_eq!(browser.open(&thanks).await.status, StatusCode::OK);
    let completed = app.login_completed(login).await;
    assert_eq!(completed["success"], true, "{completed}");

    let account = app.call("account/read", json!({ "refreshToken": false })).await;
    assert_eq!(account["account"]["email"], ada.email, "{account}");
    assert_eq!(account["account"]["planType"], "enterprise", "{account}");
    app.stop().await;
    let turn = laptop.exec("say hi", &TURN).await;
    assert!(turn.success(), "{turn}");
    let signed_in = site.events_of(&ada, "client.signed_in").await;
    assert_eq!(signed_in.len(), 1);
    assert_eq!(signed_in[0]["details"]["method"], "browser");
}

#[tokio::test]
async fn an_app_that_is_held_to_another_workspace_reads_why_it_is_not_signed_in() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let laptop = site.laptop(Version::V0_169);
    laptop.configure("forced_chatgpt_workspace_id = \"somewhere-else\"\n");
    let mut app = laptop.app_server().await;
    let login = app.start_browser_login().await;
    let mut browser = Browser::new(&site.server);
    let callback = browser.open_signing_in(&login.auth_url, &ada.email).await.next();
    browser.open(&callback).await;
    let completed = app.login_completed(login).await;
    assert_eq!(completed["success"], false);
    let error = completed["error"].as_str().unwrap();
    assert!(error.ends_with("Sign-in failed: Sign in with an account of the workspace Acme."), "{error}");
}
