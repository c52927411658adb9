//! The pages of sign-in, as a browser without scripts uses them.

use std::collections::HashMap;

use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE, USER_AGENT};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_model::Clock;
use provost_server::config::{Config, ServeArgs};
use provost_server::node::Node;
use provost_testkit::server::{Answer, As, PASSWORD, Server};
use serde_json::json;

use super::issuer::urlencoded;
use super::{BOTH, PATIENT};

/// A browser: it keeps its cookie.
struct Browser<'a> {
    server: &'a Server,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, cookie: None }
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Answer {
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let answer = self.server.send(request).await;
        if let Some(cookie) = answer.headers.get(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = (!pair.ends_with('=')).then_some(pair);
        }
        if !answer.status.is_redirection() && answer.status != StatusCode::FORBIDDEN {
            check_page(&answer);
        }
        answer
    }

    async fn open(&mut self, path: &str) -> Answer {
        self.send(self.server.request(Method::GET, path)).await
    }

    async fn post(&mut self, path: &str, fields: &[(&'static str, &str)]) -> Answer {
        let fields: HashMap<&str, String> = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let request = self.server.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(urlencoded(&fields))).await
    }

    async fn sign_in(&mut self, email: &str) {
        let answer = self.post("/sign-in", &[("email", email), ("password", PASSWORD), ("next", "/")]).await;
        assert_eq!(to(&answer), "/");
    }
}

/// What every page has: a policy for what it loads, a language, a heading, a label for each field.
fn check_page(answer: &Answer) {
    let html = text(answer);
    let policy = answer.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(html.contains("<html lang=\"en\">") && html.contains("<h1>") && html.contains("<title>"), "{html}");
    assert!(!html.contains("<script") && !html.contains(" style="), "{html}");
    for input in html.split("<input").skip(1) {
        let input = &input[..input.find('>').unwrap()];
        if !input.contains("type=\"hidden\"") {
            let id = input.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
            assert!(html.contains(&format!("<label for=\"{id}\">")), "{id} has no label");
        }
    }
}

fn text(answer: &Answer) -> &str {
    answer.body.as_str().unwrap_or_else(|| panic!("a page: {} {}", answer.status, answer.body))
}

fn to(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.headers[LOCATION].to_str().unwrap()
}

/// The value of a hidden field.
fn hidden(answer: &Answer, name: &str) -> String {
    let html = text(answer);
    let field = html.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("{name} in {html}"));
    field.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_member_signs_in_and_out() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.member("mia@acme.example").await;
        let mut browser = Browser::new(&server);
        assert_eq!(to(&browser.open("/").await), "/sign-in");
        let page = browser.open("/sign-in?next=%2Fcodex%2Fdevice%3Fuser_code%3DAB").await;
        let next = hidden(&page, "next");
        assert_eq!(next, "/codex/device?user_code=AB");
        let answer =
            browser.post("/sign-in", &[("email", "mia@acme.example"), ("password", "wrong"), ("next", &next)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(text(&answer).contains("role=\"alert\"") && text(&answer).contains("value=\"mia@acme.example\""));
        assert_eq!(hidden(&answer, "next"), next, "where to go is not forgotten");
        let answer =
            browser.post("/sign-in", &[("email", "mia@acme.example"), ("password", PASSWORD), ("next", &next)]).await;
        assert_eq!(to(&answer), next);
        assert_eq!(to(&browser.open("/sign-in").await), "/");
        let home = browser.open("/").await;
        assert!(text(&home).contains("mia@acme.example") && text(&home).contains("You may use it."));
        // A form of another site has no token; the session goes on.
        assert_eq!(browser.post("/sign-out", &[]).await.status, StatusCode::FORBIDDEN);
        assert_eq!(browser.post("/sign-out", &[("csrf_token", "guessed")]).await.status, StatusCode::FORBIDDEN);
        let old = browser.cookie.clone();
        assert_eq!(to(&browser.post("/sign-out", &[("csrf_token", &hidden(&home, "csrf_token"))]).await), "/sign-in");
        assert_eq!(browser.cookie, None);
        browser.cookie = old;
        assert_eq!(to(&browser.open("/").await), "/sign-in", "the old cookie is nothing");
    }
}

#[tokio::test]
async fn a_sign_in_never_leads_away() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    server.member("mia@acme.example").await;
    for evil in ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "\u{0}"] {
        let mut browser = Browser::new(&server);
        let fields = [("email", "mia@acme.example"), ("password", PASSWORD), ("next", evil)];
        assert_eq!(to(&browser.post("/sign-in", &fields).await), "/", "{evil:?}");
    }
}

#[tokio::test]
async fn an_invitation_works_once() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let invite = async |email: &str| {
            let url = server.post("/api/v1/members", json!({ "email": email })).await.text("invite_url");
            url.strip_prefix(server.url()).unwrap().to_owned()
        };
        let path = invite("mia@acme.example").await;
        let mut browser = Browser::new(&server);
        for _ in 0..2 {
            let page = browser.open(&path).await;
            assert!(text(&page).contains("mia@acme.example"), "mail programs open links too");
        }
        let answer = browser.post(&path, &[("password", "short")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text(&answer).contains("shorter than 12 characters"));
        assert_eq!(to(&browser.post(&path, &[("password", PASSWORD)]).await), "/");
        assert!(text(&browser.open("/").await).contains("mia@acme.example"));
        assert_eq!(Browser::new(&server).open(&path).await.status, StatusCode::NOT_FOUND);
        let answer = Browser::new(&server).post(&path, &[("password", "another password")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        server.sign_in("mia@acme.example").await;
        assert_eq!(server.events("member.joined").await.len(), 1);
        // Neither a late one nor a suspended member's works.
        let path = invite("max@acme.example").await;
        server.advance(SignedDuration::from_hours(7 * 24 + 1));
        assert_eq!(browser.open(&path).await.status, StatusCode::NOT_FOUND);
        let path = invite("zoe@acme.example").await;
        let zoe = server.get("/api/v1/members?email=zoe%40acme.example").await.ok()["data"][0]["id"].clone();
        server.patch(&format!("/api/v1/members/{}", zoe.as_str().unwrap()), json!({ "active": false })).await.ok();
        assert_eq!(browser.open(&path).await.status, StatusCode::NOT_FOUND);
        assert_eq!(browser.post(&path, &[("password", PASSWORD)]).await.status, StatusCode::NOT_FOUND);
        for nonsense in ["/sign-in/link/x", "/sign-in/link/%00", "/setup/x"] {
            assert_eq!(browser.open(nonsense).await.status, StatusCode::NOT_FOUND, "{nonsense}");
        }
    }
}

#[tokio::test]
async fn a_device_is_approved_by_its_code() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "device_code_login": true })).await.ok();
        server.member("mia@acme.example").await;
        let (id, code) = super::issuer::device::start(&server).await;
        let mut browser = Browser::new(&server);
        let path = format!("/codex/device?user_code={code}");
        assert!(to(&browser.open(&path).await).starts_with("/sign-in?next=%2Fcodex%2Fdevice%3Fuser"));
        browser.sign_in("mia@acme.example").await;
        assert!(text(&browser.open("/codex/device").await).contains("name=\"user_code\""));
        let answer = browser.open("/codex/device?user_code=BCDF-BCDF").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(text(&answer).contains("role=\"alert\""));
        let page = browser.open(&path).await;
        assert!(text(&page).contains(&code));
        // A form of another site cannot approve.
        let forged = browser.post("/codex/device", &[("user_code", &code), ("decision", "approve")]).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);
        let token = hidden(&page, "csrf_token");
        let fields = [("user_code", code.as_str()), ("csrf_token", token.as_str()), ("decision", "approve")];
        assert!(text(&browser.post("/codex/device", &fields).await).contains("signed in"));
        let poll = json!({ "device_auth_id": id, "user_code": code });
        let polled = server.call(&As::Nobody, Method::POST, "/api/accounts/deviceauth/token", Some(poll)).await;
        assert_eq!(polled.status, StatusCode::OK);
        // Decided is decided; and anything but a clear yes is a no.
        assert_eq!(browser.post("/codex/device", &fields).await.status, StatusCode::NOT_FOUND);
        let (_, code) = super::issuer::device::start(&server).await;
        let fields = [("user_code", code.as_str()), ("csrf_token", token.as_str()), ("decision", "maybe")];
        assert!(text(&browser.post("/codex/device", &fields).await).contains("refused"));
        assert_eq!(server.events("device_login.denied").await.len(), 1);
        // A browser that is not signed in decides nothing.
        let mut stranger = Browser::new(&server);
        assert!(to(&stranger.post("/codex/device", &fields).await).starts_with("/sign-in"));
    }
}

#[tokio::test]
async fn what_others_write_is_text_and_never_markup() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'";
    let settings = json!({ "device_code_login": true, "name": evil });
    server.patch("/api/v1/settings", settings).await.ok();
    server
        .post("/api/v1/members", json!({ "email": "mia@acme.example", "password": PASSWORD, "name": evil }))
        .await
        .ok();
    let policy = json!({ "name": format!("P{}", &evil[..50]), "contents": "" });
    let policy = server.post("/api/v1/policies", policy).await.text("id");
    server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": policy })).await.ok();
    let device = server.request(Method::POST, "/api/accounts/deviceauth/usercode").header(USER_AGENT, evil);
    let device = device.header(CONTENT_TYPE, "application/json").body(json!({ "client_id": "app" }).to_string());
    let code = server.send(device).await.text("user_code");
    let mut browser = Browser::new(&server);
    browser.sign_in("mia@acme.example").await;
    let encoded = urlencoded(&HashMap::from([("user_code", evil.to_owned())]));
    let next = urlencoded(&HashMap::from([("next", format!("/{evil}"))]));
    let mut pages = vec![
        browser.open("/").await,
        browser.open(&format!("/codex/device?user_code={code}")).await,
        browser.open(&format!("/codex/device?{encoded}")).await,
        browser.post("/sign-in", &[("email", evil), ("password", "wrong"), ("next", evil)]).await,
        Browser::new(&server).open(&format!("/sign-in?{next}")).await,
    ];
    // An address may hold more than one thinks.
    let odd = json!({ "email": "\"<script>\"@acme.example" });
    let odd = server.post("/api/v1/members", odd).await;
    if odd.status == StatusCode::CREATED {
        pages.push(browser.open(odd.text("invite_url").strip_prefix(server.url()).unwrap()).await);
    }
    for page in &pages {
        let html = text(page);
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    }
    assert!(text(&pages[1]).contains("&lt;script&gt;"), "it is there as text");
}

#[tokio::test]
async fn a_fresh_server_is_set_up_by_the_link_in_its_terminal() {
    // A server like any other's for the browser's requests; another one, without a workspace, behind.
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let data = tempfile::tempdir().unwrap();
    let mut args = ServeArgs::default();
    args.settings.data = Some(data.path().join("data"));
    args.settings.listen = Some("127.0.0.1:0".parse().unwrap());
    args.settings.http_listen = Some("127.0.0.1:0".parse().unwrap());
    let node = Node::start(&Config::load(args, &|_| None).unwrap(), Clock::system()).await.unwrap();
    let url = format!("http://{}", node.http_address.unwrap());
    let first = provost_identity::setup_link(&node.app.store).await.unwrap().unwrap();
    let link = provost_identity::setup_link(&node.app.store).await.unwrap().unwrap();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let open = async |path: &str| server.send(http.get(format!("{url}{path}"))).await;
    let post = async |path: &str, fields: &[(&'static str, &str)]| {
        let fields: HashMap<&str, String> = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let request = http.post(format!("{url}{path}")).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        server.send(request.body(urlencoded(&fields))).await
    };
    assert_eq!(open(&first).await.status, StatusCode::NOT_FOUND, "an earlier link stops working");
    check_page(&open(&link).await);
    for (name, email, password, says) in [
        ("", "owner@new.example", PASSWORD, "must not be empty"),
        ("New", "nonsense", PASSWORD, "not an e-mail address"),
        ("New", "owner@new.example", "short", "shorter than 12"),
    ] {
        let answer = post(&link, &[("workspace", name), ("email", email), ("password", password)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        check_page(&answer);
        assert!(text(&answer).contains(says), "{}", answer.body);
    }
    let good = [("workspace", "New"), ("email", "owner@new.example"), ("password", PASSWORD)];
    // Of two at once one is first.
    let (a, b) = futures_util::future::join(post(&link, &good), post(&link, &good)).await;
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 404]);
    let cookie = a.headers.get(SET_COOKIE).or(b.headers.get(SET_COOKIE)).unwrap().to_str().unwrap().to_owned();
    let home = server.send(http.get(format!("{url}/")).header(COOKIE, cookie.split(';').next().unwrap())).await;
    assert!(text(&home).contains("owner@new.example") && text(&home).contains("Owner"));
    assert_eq!(open(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(provost_identity::setup_link(&node.app.store).await.unwrap(), None);
    node.stop().await;
}
