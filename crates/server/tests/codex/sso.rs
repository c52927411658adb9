//! Where the identity provider is required: the real client signs in through it, in both of its ways,
//! and a leaver of the provider's groups is out.

use provost_testkit::codex::Version;
use provost_testkit::issuer::Issuer;
use provost_testkit::server::PASSWORD;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use super::browser::Browser;
use super::{Site, TURN};
use crate::sso::{connect, own_domain};

/// A site whose members come in through a provider and no other way.
async fn open() -> (Site, Issuer) {
    let (site, issuer) = (Site::open().await, Issuer::start().await);
    site.set("device_code_login", json!(true)).await;
    own_domain(&site.server, "acme.example").await;
    connect(&site.server, &issuer.url(), json!({ "create_members": true }), Value::Null).await;
    let glass = json!({ "email": "glass@acme.example", "password": PASSWORD, "builtin_role": "owner" });
    let glass = site.server.post("/api/v1/members", glass).await.text("id");
    let required = json!({ "sso_required": true, "break_glass_owner_ids": [glass] });
    site.server.patch("/api/v1/settings", required).await.ok();
    (site, issuer)
}

/// Goes to an address that wants a session, through the provider's button; where it leads back to.
async fn through_the_provider(browser: &mut Browser, issuer: &Issuer, site: &Site, address: &str, who: &str) -> String {
    let sign_in = browser.open(address).await.next();
    let page = browser.open(&sign_in).await.html;
    let link = page.split("href=\"").find(|part| part.starts_with("/sign-in/sso/")).expect("a button");
    let at: Url = browser.open(link.split('"').next().unwrap()).await.next().parse().unwrap();
    let asked = |name: &str| at.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned();
    let now = site.server.clock.now().as_second();
    let token = issuer.sign(
        "ES256",
        &json!({
            "iss": issuer.url(), "aud": "provost", "sub": who, "nonce": asked("nonce"), "iat": now, "exp": now + 300,
            "email": format!("{who}@acme.example"), "email_verified": true,
        }),
    );
    issuer.set_tokens(json!({ "access_token": "x", "token_type": "Bearer", "id_token": token }));
    browser.open(&format!("/sign-in/oidc/callback?code=c&state={}", asked("state"))).await.next()
}

#[tokio::test]
async fn a_device_code_is_approved_by_who_the_provider_says() {
    let (site, issuer) = open().await;
    for version in Version::ALL {
        let laptop = site.laptop(version);
        let login = laptop.login_device();
        let code = login.user_code().await;
        let mut browser = Browser::new(&site.server);
        let address = format!("/codex/device?user_code={code}");
        let back = through_the_provider(&mut browser, &issuer, &site, &address, "ada").await;
        let asked = browser.open(&back).await;
        assert!(asked.html.contains(&code), "{}", asked.html);
        let fields = [
            ("user_code", &*asked.hidden("user_code")),
            ("csrf_token", &asked.hidden("csrf_token")),
            ("decision", "approve"),
        ];
        assert_eq!(browser.submit("/codex/device", &fields).await.status, StatusCode::OK);
        let output = login.finish().await;
        assert!(output.success(), "{version}: {output}");
        let turn = laptop.exec("say hi", &TURN).await;
        assert!(turn.success() && turn.stdout.contains("hello from the upstream"), "{version}: {turn}");
    }
    let signed_in = site.server.events("client.signed_in").await;
    assert!(signed_in.iter().all(|event| event["actor"]["email"] == "ada@acme.example"), "{signed_in:?}");
}

#[tokio::test]
async fn a_browser_signs_the_app_in_through_the_provider() {
    let (site, issuer) = open().await;
    let laptop = site.laptop(Version::V0_169);
    let mut app = laptop.app_server().await;
    let login = app.start_browser_login().await;
    let mut browser = Browser::new(&site.server);
    let back = through_the_provider(&mut browser, &issuer, &site, &login.auth_url, "ada").await;
    let callback = browser.open(&back).await.next();
    assert!(callback.starts_with("http://127.0.0.1:1455/auth/callback?code="), "{callback}");
    let thanks = browser.open(&callback).await.next();
    assert_eq!(browser.open(&thanks).await.status, StatusCode::OK);
    let completed = app.login_completed(login).await;
    assert_eq!(completed["success"], true, "{completed}");
    let account = app.call("account/read", json!({ "refreshToken": false })).await;
    assert_eq!(account["account"]["email"], "ada@acme.example", "{account}");
    app.stop().await;
}
