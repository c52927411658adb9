//! Second factors: at the API, at sign-in, where a workspace requires them, and who tries around them.

use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::authenticator::App;
use super::issuer::urlencoded;
use super::{BOTH, PATIENT, status};

const MIA: &str = "mia@acme.example";

/// POST as somebody.
async fn post(server: &Server, who: &As, path: &str, body: Value) -> Answer {
    server.call(who, Method::POST, path, Some(body)).await
}

/// Signs in at the API.
pub(super) async fn try_sign_in(server: &Server, email: &str, otp: Option<&str>) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD, "otp": otp });
    post(server, &As::Nobody, "/api/v1/sessions", body).await
}

/// The session of an answer.
pub(super) fn session(answer: &Answer) -> As {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let cookie = answer.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    As::Session { member_id: answer.text("member_id"), cookie, csrf_token: answer.text("csrf_token") }
}

/// Sets an app up for a session; the app and the factor's id.
async fn set_up(server: &Server, who: &As) -> (App, String) {
    let made = post(server, who, "/api/v1/second-factors/totp", json!({})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let (app, id) = (App::typed(&made.text("secret")), made.text("id"));
    let otp = app.code(server);
    let path = format!("/api/v1/second-factors/totp/{id}/confirm");
    assert_eq!(status(&post(server, who, &path, json!({ "otp": otp })).await), "200");
    // The next code is another one.
    server.advance(SignedDuration::from_secs(30));
    (app, id)
}

#[tokio::test]
async fn an_app_is_set_up_and_asked_for_from_then_on() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.member(MIA).await;
        let mia = server.sign_in(MIA).await;
        let made = post(&server, &mia, "/api/v1/second-factors/totp", json!({ "name": "My phone" })).await;
        assert!(made.text("otpauth_uri").starts_with("otpauth://totp/Provost%20Acme:mia%40acme%2Eexample?secret="));
        assert!(made.text("otpauth_uri").contains(&made.text("secret")));
        assert!(made.text("qr_svg").starts_with("<svg"));
        let app = App::typed(&made.text("secret"));
        // It counts for nothing yet.
        assert_eq!(status(&try_sign_in(&server, MIA, None).await), "200");
        let path = format!("/api/v1/second-factors/totp/{}/confirm", made.text("id"));
        let wrong = post(&server, &mia, &path, json!({ "otp": "12345" })).await;
        assert_eq!(status(&wrong), "422 wrong_code otp");
        let otp = app.code(&server);
        let confirmed = post(&server, &mia, &path, json!({ "otp": otp })).await;
        assert_eq!((status(&confirmed).as_str(), confirmed.text("name").as_str()), ("200", "My phone"));
        assert_eq!(status(&post(&server, &mia, &path, json!({ "otp": otp })).await), "404 not_found");
        // From now on the password is not enough, and the code that confirmed it was used.
        let asked = try_sign_in(&server, MIA, None).await;
        assert_eq!(status(&asked), "401 second_factor_required");
        assert_eq!(asked.body["error"]["details"]["methods"], json!(["totp", "recovery_code"]));
        assert_eq!(status(&try_sign_in(&server, MIA, Some(&otp)).await), "401 wrong_second_factor");
        server.advance(SignedDuration::from_secs(30));
        let next = app.code(&server);
        assert_eq!(status(&try_sign_in(&server, MIA, Some(&next)).await), "200");
        // Each code once: not again, and not for who looked over the shoulder.
        assert_eq!(status(&try_sign_in(&server, MIA, Some(&next)).await), "401 wrong_second_factor");
        let events = server.events("sign_in.succeeded").await;
        assert!(events.iter().any(|event| event["details"]["second_factor"] == "totp"), "{events:?}");
        let failed = server.events("sign_in.failed").await;
        assert!(failed.iter().any(|event| event["details"]["reason"] == "wrong_second_factor"), "{failed:?}");
        let added = server.events("second_factor.added").await;
        assert_eq!(added[0]["details"], json!({ "kind": "totp", "member_id": id }));
        let secret = made.text("secret");
        assert!(!format!("{added:?}{failed:?}").contains(&secret), "the secret is in no event");
    }
}

#[tokio::test]
async fn recovery_codes_work_once_each_and_new_ones_replace_them() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.member(MIA).await;
        let mia = server.sign_in(MIA).await;
        assert_eq!(status(&post(&server, &mia, "/api/v1/recovery-codes", json!({})).await), "409 no_second_factor");
        set_up(&server, &mia).await;
        let codes = async || -> Vec<String> {
            let made = post(&server, &mia, "/api/v1/recovery-codes", json!({})).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
            serde_json::from_value(made.body["codes"].clone()).unwrap()
        };
        let first = codes().await;
        assert_eq!(first.len(), 10);
        let with = async |code: &str| {
            server.advance(SignedDuration::from_secs(20));
            status(&try_sign_in(&server, MIA, Some(code)).await)
        };
        assert_eq!(with(&first[0].to_uppercase()).await, "200");
        assert_eq!(with(&first[0]).await, "401 wrong_second_factor");
        let listed = server.call(&mia, Method::GET, "/api/v1/second-factors", None).await;
        assert_eq!(listed.body["recovery_codes_left"], 9);
        let second = codes().await;
        assert_eq!(with(&first[1]).await, "401 wrong_second_factor");
        assert_eq!(with(&second[1]).await, "200");
        // Somebody else's open nothing here.
        server.member("max@acme.example").await;
        let max = server.sign_in("max@acme.example").await;
        set_up(&server, &max).await;
        let refused = try_sign_in(&server, "max@acme.example", Some(&second[2])).await;
        assert_eq!(status(&refused), "401 wrong_second_factor");
    }
}

#[tokio::test]
async fn factors_change_only_on_a_fresh_proof_of_the_one_that_there_is() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member(MIA).await;
    let old = server.sign_in(MIA).await;
    let mia = server.sign_in(MIA).await;
    let (app, id) = set_up(&server, &mia).await;
    let path = format!("/api/v1/second-factors/{id}");
    let remove = async |who: &As| status(&server.call(who, Method::DELETE, &path, None).await);
    let add = async |who: &As| status(&post(&server, who, "/api/v1/second-factors/totp", json!({})).await);
    // A session from before, which showed a password and no more.
    assert_eq!((remove(&old).await, add(&old).await), ("403 proof_too_old".into(), "403 proof_too_old".into()));
    assert_eq!(status(&post(&server, &old, "/api/v1/recovery-codes", json!({})).await), "403 proof_too_old");
    // A set-up that an old session began cannot be confirmed by it later either.
    server.advance(SignedDuration::from_mins(16));
    assert_eq!((remove(&mia).await, add(&mia).await), ("403 proof_too_old".into(), "403 proof_too_old".into()));
    let fresh = session(&try_sign_in(&server, MIA, Some(&app.code(&server))).await);
    assert_eq!(add(&fresh).await, "201");
    // An API key has no factors, and whoever is somebody else does not find it.
    let key = server.call(&server.admin(), Method::DELETE, &path, None).await;
    assert_eq!(status(&key), "403 session_required");
    server.member("max@acme.example").await;
    let max = server.sign_in("max@acme.example").await;
    set_up(&server, &max).await;
    assert_eq!(remove(&max).await, "404 not_found");
    assert_eq!(remove(&fresh).await, "204");
    assert_eq!(status(&try_sign_in(&server, MIA, None).await), "200", "the last one is gone");
    // With an old password session the first one cannot be set up either.
    server.advance(SignedDuration::from_mins(16));
    assert_eq!(add(&fresh).await, "403 proof_too_old");
}

#[tokio::test]
async fn codes_cannot_be_guessed() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member(MIA).await;
    let mia = server.sign_in(MIA).await;
    let (app, _) = set_up(&server, &mia).await;
    server.advance(SignedDuration::from_mins(2));
    let mut seen = Vec::new();
    for guess in 0..7 {
        seen.push(status(&try_sign_in(&server, MIA, Some(&format!("{guess:06}"))).await));
    }
    let (wrong, slowed) = seen.split_at(5);
    assert!(wrong.iter().all(|seen| seen == "401 wrong_second_factor"), "{seen:?}");
    assert!(slowed.iter().all(|seen| seen == "429 too_many_requests"), "{seen:?}");
    server.advance(SignedDuration::from_mins(1));
    assert_eq!(status(&try_sign_in(&server, MIA, Some(&app.code(&server))).await), "200");
}

#[tokio::test]
async fn an_admin_helps_a_member_who_is_locked_out_but_nobody_above_them() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.member(MIA).await;
        let mia = server.sign_in(MIA).await;
        set_up(&server, &mia).await;
        let admin = server.member("adam@acme.example").await;
        let role = json!({ "builtin_role": "admin" });
        server.patch(&format!("/api/v1/members/{admin}"), role).await.ok();
        let adam = server.sign_in("adam@acme.example").await;
        let path = |id: &str| format!("/api/v1/members/{id}/second-factors");
        let listed = server.call(&adam, Method::GET, &path(&id), None).await;
        assert_eq!(listed.body["data"][0]["kind"], "totp", "{}", listed.body);
        assert!(!listed.body.to_string().contains("secret"));
        // Oneself, an owner, nobody: no.
        set_up(&server, &adam).await;
        let reset = async |who: &As, id: &str| status(&server.call(who, Method::DELETE, &path(id), None).await);
        assert_eq!(reset(&adam, &admin).await, "403 own_second_factors");
        assert_eq!(reset(&adam, &server.owner_id).await, "403 cannot_grant_more_than_you_hold");
        assert_eq!(reset(&mia, &admin).await, "403 forbidden");
        assert_eq!(reset(&adam, &id).await, "204");
        assert_eq!(reset(&adam, &id).await, "404 not_found");
        // What was open is over, and the password alone is enough again, until it is not.
        let looked = server.call(&mia, Method::GET, "/api/v1/session", None).await;
        assert_eq!(looked.status, StatusCode::UNAUTHORIZED);
        assert_eq!(status(&try_sign_in(&server, MIA, None).await), "200");
        let removed = server.events("second_factor.removed").await;
        assert_eq!(removed[0]["details"]["reset"], true, "{removed:?}");
        assert_eq!(removed[0]["actor"]["id"], json!(admin), "{removed:?}");
    }
}

/// A browser that keeps all its cookies.
pub(super) struct Browser<'a> {
    server: &'a Server,
    cookies: std::collections::BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(super) fn new(server: &'a Server) -> Self {
        Self { server, cookies: Default::default() }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = self.server.send(request.header(COOKIE, cookies.join("; "))).await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    pub(super) async fn open(&mut self, path: &str) -> Answer {
        self.send(self.server.request(Method::GET, path)).await
    }

    pub(super) async fn post(&mut self, path: &str, fields: &[(&'static str, &str)]) -> Answer {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let request = self.server.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(urlencoded(&fields))).await
    }

    async fn password(&mut self, next: &str) -> Answer {
        self.post("/sign-in", &[("email", MIA), ("password", PASSWORD), ("next", next)]).await
    }
}

fn to(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.headers[LOCATION].to_str().unwrap()
}

fn text(answer: &Answer) -> &str {
    answer.body.as_str().expect("a page")
}

/// What stands between two texts of a page.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let rest = page.split(before).nth(1).unwrap_or_else(|| panic!("{before} in {page}"));
    rest.split(after).next().unwrap()
}

#[tokio::test]
async fn in_a_browser_the_password_leads_to_the_second_factor_and_on() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.member(MIA).await;
        let mut browser = Browser::new(&server);
        assert_eq!(to(&browser.password("/security").await), "/security");
        // Set up on the page.
        let page = browser.open("/security").await;
        let token = between(text(&page), "name=\"csrf_token\" value=\"", "\"").to_owned();
        let page = browser.post("/security", &[("csrf_token", &token), ("action", "add")]).await;
        assert!(text(&page).contains("<svg"), "{}", text(&page));
        assert!(!text(&page).contains("<script") && !text(&page).contains(" style="));
        let app = App::typed(between(text(&page), "<p class=\"secret\">", "<"));
        let id = between(text(&page), "name=\"id\" value=\"", "\"").to_owned();
        let confirm = async |browser: &mut Browser<'_>, otp: &str| {
            let fields = [("csrf_token", token.as_str()), ("action", "confirm"), ("id", &id), ("otp", otp)];
            browser.post("/security", &fields).await
        };
        let again = confirm(&mut browser, "000").await;
        assert!(again.status == StatusCode::UNPROCESSABLE_ENTITY && text(&again).contains("<svg"));
        let codes = confirm(&mut browser, &app.code(&server)).await;
        let recovery = between(text(&codes), "<li>", "<").to_owned();
        assert!(text(&browser.open("/security").await).contains("10 left"));
        // Another browser is asked for it, and goes on where it wanted to.
        server.advance(SignedDuration::from_secs(30));
        let mut other = Browser::new(&server);
        assert_eq!(to(&other.open("/sign-in/second-factor").await), "/sign-in");
        assert_eq!(to(&other.password("/codex/device?user_code=AB").await), "/sign-in/second-factor");
        assert_eq!(to(&other.open("/").await), "/sign-in", "the password opened nothing");
        assert!(text(&other.open("/sign-in/second-factor").await).contains("authenticator app"));
        let wrong = other.post("/sign-in/second-factor", &[("otp", "000000")]).await;
        assert!(wrong.status == StatusCode::UNAUTHORIZED && text(&wrong).contains("role=\"alert\""));
        let code = app.code(&server);
        let done = other.post("/sign-in/second-factor", &[("otp", &code)]).await;
        assert_eq!(to(&done), "/codex/device?user_code=AB");
        assert!(text(&other.open("/").await).contains(MIA));
        // A recovery code does too; and the waiting sign-in of one browser is not another's.
        let mut third = Browser::new(&server);
        third.password("/").await;
        let stolen = Browser::new(&server).post("/sign-in/second-factor", &[("otp", &recovery)]).await;
        assert_eq!(stolen.status, StatusCode::UNAUTHORIZED);
        assert_eq!(to(&third.post("/sign-in/second-factor", &[("otp", &recovery)]).await), "/");
    }
}

#[tokio::test]
async fn a_waiting_sign_in_is_good_for_ten_minutes_and_five_codes() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member(MIA).await;
    let (app, _) = set_up(&server, &server.sign_in(MIA).await).await;
    let mut browser = Browser::new(&server);
    browser.password("/").await;
    for _ in 0..5 {
        server.advance(SignedDuration::from_secs(30));
        let wrong = browser.post("/sign-in/second-factor", &[("otp", "1")]).await;
        assert!(text(&wrong).contains("the code is wrong"), "{}", text(&wrong));
    }
    server.advance(SignedDuration::from_secs(30));
    let code = app.code(&server);
    let over = browser.post("/sign-in/second-factor", &[("otp", &code)]).await;
    assert!(over.status == StatusCode::UNAUTHORIZED && text(&over).contains("Sign in again"), "{}", text(&over));
    browser.password("/").await;
    server.advance(SignedDuration::from_mins(11));
    let code = app.code(&server);
    let over = browser.post("/sign-in/second-factor", &[("otp", &code)]).await;
    assert!(text(&over).contains("Sign in again"));
    // Suspended while it waits, and let back in: it begins anew.
    browser.password("/").await;
    let members = server.get("/api/v1/members").await.ok();
    let id = members["data"].as_array().unwrap().iter().find(|member| member["email"] == MIA).unwrap()["id"].clone();
    let path = format!("/api/v1/members/{}", id.as_str().unwrap());
    server.patch(&path, json!({ "active": false })).await.ok();
    server.patch(&path, json!({ "active": true })).await.ok();
    let over = browser.post("/sign-in/second-factor", &[("otp", &code)]).await;
    assert!(text(&over).contains("Sign in again"));
}

#[tokio::test]
async fn where_it_is_required_nobody_gets_in_with_a_password_alone() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.member(MIA).await;
        let old = server.sign_in(MIA).await;
        server.patch("/api/v1/settings", json!({ "require_mfa": true })).await.ok();
        // What rests on a password is over at once.
        let looked = server.call(&old, Method::GET, "/api/v1/session", None).await;
        assert_eq!(status(&looked), "401 unauthorized");
        // And stays over: whoever turns it off for a moment lets nobody back in.
        server.patch("/api/v1/settings", json!({ "require_mfa": false })).await.ok();
        let looked = server.call(&old, Method::GET, "/api/v1/session", None).await;
        assert_eq!(status(&looked), "401 unauthorized");
        server.patch("/api/v1/settings", json!({ "require_mfa": true })).await.ok();
        let refused = try_sign_in(&server, MIA, None).await;
        assert_eq!(status(&refused), "403 second_factor_enrolment_required");
        assert_eq!(refused.body["error"]["details"]["path"], "/sign-in");
        assert_eq!(status(&try_sign_in(&server, MIA, Some("000000")).await), "403 second_factor_enrolment_required");
        // The page sets one up on the way in.
        let (mut browser, mut slow) = (Browser::new(&server), Browser::new(&server));
        assert_eq!(to(&browser.password("/keys").await), "/sign-in/second-factor");
        slow.password("/").await;
        let page = browser.open("/sign-in/second-factor").await;
        let secret = between(text(&page), "<p class=\"secret\">", "<");
        let app = App::typed(secret);
        let other_page = slow.open("/sign-in/second-factor").await;
        let other = between(text(&other_page), "<p class=\"secret\">", "<");
        assert_ne!(other, secret, "who else has the password sees another");
        assert_eq!(to(&browser.open("/").await), "/sign-in");
        let code = app.code(&server);
        let codes = browser.post("/sign-in/second-factor", &[("otp", &code)]).await;
        assert!(text(&codes).contains("recovery codes") && text(&codes).contains("href=\"/keys\""), "{}", text(&codes));
        assert!(text(&browser.open("/").await).contains(MIA));
        // Whoever else waited with the password cannot add theirs now.
        let late = slow.post("/sign-in/second-factor", &[("otp", &App::typed(other).code(&server))]).await;
        assert!(text(&late).contains("Sign in again"), "{}", text(&late));
        // An API key is no member, and goes on.
        assert_eq!(server.get("/api/v1/settings").await.status, StatusCode::OK);
        assert_eq!(status(&try_sign_in(&server, MIA, None).await), "401 second_factor_required");
    }
}

#[tokio::test]
async fn a_link_is_no_way_around_a_second_factor() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.patch("/api/v1/settings", json!({ "require_mfa": true })).await.ok();
    let invited = server.post("/api/v1/members", json!({ "email": MIA })).await;
    let mut browser = Browser::new(&server);
    let path = invited.text("invite_url").trim_start_matches(server.url()).to_owned();
    assert_eq!(to(&browser.post(&path, &[("password", PASSWORD)]).await), "/sign-in/second-factor");
    assert_eq!(to(&browser.open("/").await), "/sign-in", "nothing is open yet");
    let page = browser.open("/sign-in/second-factor").await;
    let app = App::typed(between(text(&page), "<p class=\"secret\">", "<"));
    let code = app.code(&server);
    browser.post("/sign-in/second-factor", &[("otp", &code)]).await;
    assert!(text(&browser.open("/").await).contains(MIA));
    // Nor is the session that the owner's set-up link gives.
    let mut owner = Browser::new(&server);
    let path = server.sign_in_path.clone();
    assert_eq!(to(&owner.post(&path, &[("password", PASSWORD)]).await), "/sign-in/second-factor");
}

#[tokio::test]
async fn codex_cloud_asks_for_it() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.member(MIA).await;
        let mia = server.sign_in(MIA).await;
        let gate = async || server.call(&mia, Method::GET, "/api/v1/session", None).await.body["codex_cloud"].clone();
        assert_eq!(gate().await, json!({ "allowed": false, "reason": "not_permitted" }));
        server.patch("/api/v1/settings", json!({ "codex_cloud": true })).await.ok();
        assert_eq!(gate().await, json!({ "allowed": false, "reason": "second_factor_missing" }));
        let (_, id) = set_up(&server, &mia).await;
        assert_eq!(gate().await, json!({ "allowed": true, "reason": null }));
        let removed = server.call(&mia, Method::DELETE, &format!("/api/v1/second-factors/{id}"), None).await;
        assert_eq!(status(&removed), "204");
        assert_eq!(gate().await, json!({ "allowed": false, "reason": "second_factor_missing" }));
    }
}
