//! A provider that says what no good one would; each attack beside the sign-in that works.

use std::collections::BTreeSet;

use http::StatusCode;
use jiff::SignedDuration;
use provost_testkit::issuer::{Issuer, Mood};
use provost_testkit::server::{Database, Server};
use serde_json::{Value, json};

use super::browser::{Browser, View};
use super::{connect, own_domain, reasons};

pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) issuer: Issuer,
    pub(crate) connection: String,
    pub(crate) browser: Browser,
}

/// Where a browser was sent, as the provider sees it.
pub(crate) struct Sent {
    pub(crate) state: String,
    nonce: String,
    challenge: String,
}

impl Scene {
    pub(crate) async fn set_on(database: Database, more: Value, oidc: Value) -> Self {
        let server = Server::start_on(database).await;
        let issuer = Issuer::start().await;
        own_domain(&server, "acme.example").await;
        let connection = connect(&server, &issuer.url(), more, oidc).await;
        let browser = Browser::new(&server);
        Self { server, issuer, connection, browser }
    }

    pub(crate) async fn set() -> Self {
        Self::set_on(Database::Sqlite, Value::Null, Value::Null).await
    }

    pub(crate) async fn begin(&mut self, next: &str) -> Sent {
        let view = self.browser.open(&format!("/sign-in/sso/{}?next={next}", self.connection)).await;
        let at = view.next.unwrap_or_else(|| panic!("{}: {}", view.status, view.html));
        let url = url::Url::parse(&at).unwrap();
        assert!(at.starts_with(&format!("{}/authorize", self.issuer.url())), "{at}");
        let get = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
        assert_eq!(get("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(get("redirect_uri"), Some(format!("{}/sign-in/oidc/callback", self.server.url())));
        let get = |name: &str| get(name).unwrap_or_else(|| panic!("{name} in {at}"));
        Sent { state: get("state"), nonce: get("nonce"), challenge: get("code_challenge") }
    }

    /// The claims of a good ID token for Ada.
    pub(crate) fn claims(&self, sent: &Sent) -> Value {
        let now = self.server.clock.now().as_second();
        json!({
            "iss": self.issuer.url(), "aud": "provost", "sub": "ada", "nonce": sent.nonce, "iat": now, "exp": now + 300,
            "email": "ada@acme.example", "email_verified": true, "name": "Ada",
        })
    }

    pub(crate) fn answers(&self, algorithm: &str, claims: &Value) {
        let token = self.issuer.sign(algorithm, claims);
        self.issuer.set_tokens(json!({ "access_token": "x", "token_type": "Bearer", "id_token": token }));
    }

    pub(crate) async fn back(&mut self, sent: &Sent) -> View {
        self.browser.open(&format!("/sign-in/oidc/callback?code=abc&state={}", sent.state)).await
    }

    /// A whole sign-in with claims that differ from the good ones.
    pub(crate) async fn try_with(&mut self, algorithm: &str, change: impl FnOnce(&mut Value)) -> View {
        let sent = self.begin("/").await;
        let mut claims = self.claims(&sent);
        change(&mut claims);
        self.answers(algorithm, &claims);
        self.back(&sent).await
    }
}

#[tokio::test]
async fn a_member_signs_in_and_comes_back_to_where_they_were() {
    for database in [Database::Sqlite, Database::Postgres] {
        let mut scene = Scene::set_on(database, Value::Null, Value::Null).await;
        let ada = scene.server.member("ada@acme.example").await;
        let page = scene.browser.open("/sign-in?next=%2Fcodex%2Fdevice%3Fuser_code%3DAB").await;
        assert!(page.html.contains("Continue with Acme Login"), "{}", page.html);
        let link = format!("/sign-in/sso/{}?next=%2Fcodex%2Fdevice%3Fuser%5Fcode%3DAB", scene.connection);
        assert!(page.html.contains(&link), "{}", page.html);
        for algorithm in ["ES256", "RS256", "PS256"] {
            // Each sign-in is answered once, so each algorithm has its own.
            let sent = scene.begin("%2Fcodex%2Fdevice%3Fuser_code%3DAB").await;
            let claims = scene.claims(&sent);
            scene.answers(algorithm, &claims);
            let view = scene.back(&sent).await;
            assert_eq!(view.status, StatusCode::SEE_OTHER, "{algorithm}: {}", view.html);
            assert!(view.next.unwrap().ends_with("/codex/device?user_code=AB"));
            assert!(scene.issuer.form().contains("code_verifier="));
            assert_eq!(sent.challenge.len(), 43);
        }
        assert_eq!(scene.browser.signed_in().await.as_deref(), Some("ada@acme.example"));
        let events = scene.server.events("sign_in.succeeded").await;
        assert_eq!(events.len(), 3);
        assert_eq!(events[0]["actor"]["id"], ada);
        assert_eq!(events[0]["details"]["method"], "oidc");
        assert_eq!(events[0]["details"]["connection_id"], scene.connection);
    }
}

#[tokio::test]
async fn an_id_token_that_does_not_hold_is_refused() {
    type Change = fn(&mut Value);
    let mut scene = Scene::set().await;
    scene.server.member("ada@acme.example").await;
    let cases: [(&str, &str, Change, &str); 12] = [
        ("another audience", "ES256", |claims| claims["aud"] = json!("another"), "wrong_audience"),
        (
            "another audience beside ours",
            "ES256",
            |claims| claims["aud"] = json!(["provost", "another"]),
            "wrong_audience",
        ),
        ("another issuer", "ES256", |claims| claims["iss"] = json!("https://evil.example"), "wrong_issuer"),
        ("another nonce", "ES256", |claims| claims["nonce"] = json!("replayed"), "wrong_nonce"),
        ("no nonce", "ES256", |claims| drop(claims.as_object_mut().unwrap().remove("nonce")), "wrong_nonce"),
        ("expired beyond the skew", "ES256", |claims| add(claims, "exp", -300 - 61), "expired"),
        ("from the future beyond the skew", "ES256", |claims| add(claims, "iat", 90), "expired"),
        ("unsigned", "none", |_| {}, "bad_signature"),
        ("signed with the public key as a secret", "HS256", |_| {}, "bad_signature"),
        ("no subject", "ES256", |claims| drop(claims.as_object_mut().unwrap().remove("sub")), "provider_misconfigured"),
        ("an empty subject", "ES256", |claims| claims["sub"] = json!(""), "invalid_subject"),
        (
            "an address that is not verified",
            "ES256",
            |claims| claims["email_verified"] = json!(false),
            "no_verified_email",
        ),
    ];
    let mut wanted = BTreeSet::new();
    for (what, algorithm, change, reason) in cases {
        let view = scene.try_with(algorithm, change).await;
        assert!(view.status.is_client_error() || view.status == StatusCode::BAD_GATEWAY, "{what}: {}", view.status);
        assert_eq!(scene.browser.signed_in().await, None, "{what}");
        assert!(view.html.contains(&format!("<code>{reason}</code>")), "{what}: {}", view.html);
        wanted.insert(reason.to_owned());
    }
    // Those that are alike are recorded together.
    assert_eq!(reasons(&scene.server).await.into_iter().collect::<BTreeSet<_>>(), wanted);
    // Clocks may differ a little, either way.
    for skewed in [(|claims: &mut Value| add(claims, "exp", -300 - 50)) as Change, |claims| add(claims, "iat", 50)] {
        assert_eq!(scene.try_with("ES256", skewed).await.status, StatusCode::SEE_OTHER);
    }
}

fn add(claims: &mut Value, name: &str, seconds: i64) {
    claims[name] = json!(claims[name].as_i64().unwrap() + seconds);
}

#[tokio::test]
async fn an_answer_counts_once_in_the_browser_that_began() {
    let mut scene = Scene::set().await;
    scene.server.member("ada@acme.example").await;
    // Somebody else's answer, sent to a victim to sign them in as the attacker (login CSRF).
    let sent = scene.begin("/").await;
    let claims = scene.claims(&sent);
    scene.answers("ES256", &claims);
    scene.browser.forget();
    assert_eq!(scene.back(&sent).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(reasons(&scene.server).await, ["another_browser"]);
    // Replayed, made up, too late.
    let sent = scene.begin("/").await;
    let claims = scene.claims(&sent);
    scene.answers("ES256", &claims);
    assert_eq!(scene.back(&sent).await.status, StatusCode::SEE_OTHER);
    assert_eq!(scene.back(&sent).await.status, StatusCode::BAD_REQUEST);
    let made_up = Sent { state: "made-up".to_owned(), ..sent };
    assert_eq!(scene.back(&made_up).await.status, StatusCode::BAD_REQUEST);
    let sent = scene.begin("/").await;
    scene.server.advance(SignedDuration::from_mins(11));
    let claims = scene.claims(&sent);
    scene.answers("ES256", &claims);
    assert_eq!(scene.back(&sent).await.status, StatusCode::BAD_REQUEST);
    // An answer of another provider (mix-up, RFC 9207), or one that says no.
    let sent = scene.begin("/").await;
    let view = scene
        .browser
        .open(&format!("/sign-in/oidc/callback?code=a&state={}&iss=https://evil.example", sent.state))
        .await;
    assert_eq!(view.status, StatusCode::BAD_REQUEST);
    let sent = scene.begin("/").await;
    let denied = format!("/sign-in/oidc/callback?error=access_denied%3Cscript%3E&state={}", sent.state);
    let view = scene.browser.open(&denied).await;
    assert_eq!(view.status, StatusCode::FORBIDDEN);
    assert!(view.html.contains("access_deniedscript") && !view.html.contains("<script>"), "{}", view.html);
    assert_eq!(reasons(&scene.server).await, ["another_browser", "another_issuer", "refused_by_provider"]);
}

#[tokio::test]
async fn keys_may_change_and_providers_go_away() {
    let mut scene = Scene::set().await;
    scene.server.member("ada@acme.example").await;
    assert_eq!(scene.try_with("ES256", |_| {}).await.status, StatusCode::SEE_OTHER);
    scene.server.advance(SignedDuration::from_secs(30));
    // Between the redirect and the answer, the provider changes its keys.
    let sent = scene.begin("/").await;
    scene.issuer.rotate();
    let claims = scene.claims(&sent);
    scene.answers("RS256", &claims);
    assert_eq!(scene.back(&sent).await.status, StatusCode::SEE_OTHER);
    let asked = scene.issuer.asked();
    // Away: said so, at once, and the sign-in page still stands.
    scene.issuer.set_mood(Mood::Down);
    scene.server.advance(SignedDuration::from_mins(11));
    let view = scene.browser.open(&format!("/sign-in/sso/{}", scene.connection)).await;
    assert_eq!(view.status, StatusCode::BAD_GATEWAY);
    assert!(view.html.contains("answered 500"), "{}", view.html);
    assert_eq!(scene.issuer.asked(), asked);
    scene.issuer.set_mood(Mood::Up);
    assert_eq!(scene.try_with("ES256", |_| {}).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_subject_says_who_it_is_and_the_address_may_change() {
    let mut scene = Scene::set().await;
    let ada = scene.server.member("ada@acme.example").await;
    scene.server.member("eve@acme.example").await;
    assert_eq!(scene.try_with("ES256", |_| {}).await.status, StatusCode::SEE_OTHER);
    // A new address in a verified domain is taken over.
    scene.try_with("ES256", |claims| claims["email"] = json!("ada.l@acme.example")).await;
    let shown = scene.server.get(&format!("/api/v1/members/{ada}")).await.ok();
    assert_eq!(shown["email"], "ada.l@acme.example");
    // One that is somebody else's, or of a foreign domain, is not: the member stays who they are.
    for other in ["eve@acme.example", "ada@gmail.example"] {
        let view = scene.try_with("ES256", |claims| claims["email"] = json!(other)).await;
        assert_eq!(view.status, StatusCode::SEE_OTHER, "{other}");
        assert_eq!(scene.browser.signed_in().await.as_deref(), Some("ada.l@acme.example"), "{other}");
    }
    // Another subject with a known address is another person.
    scene.browser.forget();
    let view = scene.try_with("ES256", |claims| {
        claims["sub"] = json!("a new ada");
        claims["email"] = json!("ada.l@acme.example");
    });
    assert_eq!(view.await.status, StatusCode::FORBIDDEN);
    // Until an owner says that it is the same person.
    let identities = format!("/api/v1/members/{ada}/identities");
    assert_eq!(scene.server.get(&identities).await.ok()["data"][0]["subject"], "ada");
    scene.server.delete(&identities).await.ok();
    let as_new = |claims: &mut Value| {
        claims["sub"] = json!("a new ada");
        claims["email"] = json!("ada.l@acme.example");
    };
    assert_eq!(scene.try_with("ES256", as_new).await.status, StatusCode::SEE_OTHER);
    assert_eq!(scene.browser.signed_in().await.as_deref(), Some("ada.l@acme.example"));
    // An address in a domain that is not the workspace's cannot be taken over.
    scene.server.member("bob@gmail.example").await;
    let view = scene.try_with("ES256", |claims| {
        claims["sub"] = json!("bob");
        claims["email"] = json!("bob@gmail.example");
    });
    assert_eq!(view.await.status, StatusCode::FORBIDDEN);
    scene.server.patch(&format!("/api/v1/members/{ada}"), json!({ "active": false })).await.ok();
    assert_eq!(scene.try_with("ES256", as_new).await.status, StatusCode::FORBIDDEN);
    assert_eq!(reasons(&scene.server).await, ["another_subject", "domain_not_verified", "suspended"]);
}

#[tokio::test]
async fn members_are_made_only_where_that_is_turned_on_and_groups_follow() {
    let mut scene = Scene::set().await;
    assert_eq!(scene.try_with("ES256", |_| {}).await.status, StatusCode::FORBIDDEN);
    assert_eq!(reasons(&scene.server).await, ["not_a_member"]);
    let engineers = scene.server.group("Engineers", &[]).await;
    let by_hand = scene.server.group("By hand", &[]).await;
    let oidc = json!({
        "issuer": scene.issuer.url(), "client_id": "provost",
        "claims": { "groups": "groups" }, "groups": { "eng": engineers },
    });
    let path = format!("/api/v1/connections/{}", scene.connection);
    scene.server.patch(&path, json!({ "create_members": true, "oidc": oidc })).await.ok();
    assert_eq!(
        scene.try_with("ES256", |claims| claims["groups"] = json!(["eng", "all"])).await.status,
        StatusCode::SEE_OTHER
    );
    let members = scene.server.get("/api/v1/members?email=ada@acme.example").await.ok();
    let (ada, name) = (members["data"][0]["id"].as_str().unwrap(), &members["data"][0]["name"]);
    assert_eq!(name, "Ada");
    scene.server.put(&format!("/api/v1/groups/{by_hand}/members/{ada}"), Value::Null).await.ok();
    let count = async |group: &str| {
        scene.server.get(&format!("/api/v1/groups/{group}")).await.ok()["member_count"].as_i64().unwrap()
    };
    assert_eq!((count(&engineers).await, count(&by_hand).await), (1, 1));
    scene.try_with("ES256", |claims| claims["groups"] = json!(["all"])).await;
    let count = async |group: &str| {
        scene.server.get(&format!("/api/v1/groups/{group}")).await.ok()["member_count"].as_i64().unwrap()
    };
    assert_eq!((count(&engineers).await, count(&by_hand).await), (0, 1));
}

#[tokio::test]
async fn a_sign_in_never_leads_away() {
    let mut scene = Scene::set().await;
    scene.server.member("ada@acme.example").await;
    for evil in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%2F%09%2Fevil.example"] {
        let sent = scene.begin(evil).await;
        let claims = scene.claims(&sent);
        scene.answers("ES256", &claims);
        let view = scene.back(&sent).await;
        assert_eq!(view.next.as_deref(), Some(format!("{}/", scene.server.http_url()).as_str()), "{evil}");
    }
}
