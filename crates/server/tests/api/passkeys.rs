//! Passkeys as a second factor, with an authenticator in software.

use http::header::{COOKIE, SET_COOKIE};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, Database, Server};
use serde_json::{Value, json};

use super::authenticator::SoftPasskey;
use super::mfa::{session, try_sign_in};
use super::{BOTH, PATIENT, status};

const MIA: &str = "mia@acme.example";
/// Passkeys are bound to a name.
const URL: &str = "https://provost.example";

async fn start(database: Database) -> Server {
    Server::start_with(database, &format!("public_url = \"{URL}\"\n{PATIENT}")).await
}

async fn post(server: &Server, who: &As, path: &str, body: Value) -> Answer {
    server.call(who, Method::POST, path, Some(body)).await
}

/// Adds a passkey to the session's member.
async fn add(server: &Server, who: &As, passkey: &mut SoftPasskey, name: &str) -> Answer {
    let options = post(server, who, "/api/v1/second-factors/passkeys/options", json!({})).await;
    assert_eq!(options.status, StatusCode::OK, "{}", options.body);
    let credential = passkey.create(&options.body);
    post(server, who, "/api/v1/second-factors/passkeys", json!({ "name": name, "credential": credential })).await
}

/// Sign-ins that wait, by the cookie of each.
struct Waiting {
    cookie: String,
}

impl Waiting {
    async fn begin(server: &Server) -> Self {
        let asked = try_sign_in(server, MIA, None).await;
        assert_eq!(status(&asked), "401 second_factor_required");
        let cookie = asked.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { cookie }
    }

    async fn post(&self, server: &Server, path: &str, body: Value) -> Answer {
        let request = server.request(Method::POST, path).header(COOKIE, &self.cookie);
        server.send(request.json(&body)).await
    }

    async fn options(&self, server: &Server) -> Answer {
        self.post(server, "/api/v1/sessions/passkey/options", json!({})).await
    }

    async fn answer(&self, server: &Server, credential: &Value) -> Answer {
        self.post(server, "/api/v1/sessions/passkey", json!({ "credential": credential })).await
    }
}

#[tokio::test]
async fn a_passkey_is_added_and_signs_in_after_the_password() {
    for database in BOTH {
        let server = start(database).await;
        server.member(MIA).await;
        let mia = server.sign_in(MIA).await;
        let mut laptop = SoftPasskey::new(server.url());
        let added = add(&server, &mia, &mut laptop, "Laptop").await;
        assert_eq!(status(&added), "201");
        assert_eq!((added.text("kind").as_str(), added.text("name").as_str()), ("passkey", "Laptop"));
        let mut phone = SoftPasskey::new(server.url());
        assert_eq!(status(&add(&server, &mia, &mut phone, "Phone").await), "201", "several, by their names");
        let waiting = Waiting::begin(&server).await;
        for passkey in [&mut laptop, &mut phone] {
            let waiting = Waiting::begin(&server).await;
            let options = waiting.options(&server).await;
            let signed_in = waiting.answer(&server, &passkey.get(&options.body)).await;
            let session = session(&signed_in);
            let me = server.call(&session, Method::GET, "/api/v1/session", None).await;
            assert_eq!(me.text("email"), MIA);
            // What was taken once is over: the sign-in, and the answer.
            assert_eq!(status(&waiting.options(&server).await), "401 sign_in_expired");
        }
        // What one sign-in was asked opens no other.
        let other = Waiting::begin(&server).await;
        let options = waiting.options(&server).await;
        other.options(&server).await;
        let answer = laptop.get(&options.body);
        assert_eq!(status(&other.answer(&server, &answer).await), "401 wrong_second_factor");
        assert_eq!(status(&waiting.answer(&server, &answer).await), "200");
        let events = server.events("sign_in.succeeded").await;
        assert!(events.iter().any(|event| event["details"]["second_factor"] == "passkey"), "{events:?}");
    }
}

#[tokio::test]
async fn what_is_not_the_passkeys_own_answer_is_refused() {
    let server = start(Database::Sqlite).await;
    server.member(MIA).await;
    let mia = server.sign_in(MIA).await;
    // Nothing was asked.
    let mut laptop = SoftPasskey::new(server.url());
    let made_up = json!({ "publicKey": { "rp": { "id": "provost.example" }, "challenge": "AAAA",
        "authenticatorSelection": { "userVerification": "required" } } });
    let body = json!({ "credential": laptop.create(&made_up) });
    assert_eq!(status(&post(&server, &mia, "/api/v1/second-factors/passkeys", body).await), "409 no_challenge");
    // Another site, and one that did not ask who is there.
    let mut phished = SoftPasskey::new("https://evil.example");
    assert_eq!(status(&add(&server, &mia, &mut phished, "x").await), "422 passkey_refused credential");
    let mut lazy = SoftPasskey::new(server.url());
    lazy.verifies_user = false;
    assert_eq!(status(&add(&server, &mia, &mut lazy, "x").await), "422 passkey_refused credential");
    let body = json!({ "credential": { "id": "x" } });
    let nonsense = post(&server, &mia, "/api/v1/second-factors/passkeys", body).await;
    assert_eq!(status(&nonsense), "422 invalid_credential credential");
    assert_eq!(status(&add(&server, &mia, &mut laptop, "Laptop").await), "201");
    let with = async |alter: &dyn Fn(&mut SoftPasskey), laptop: &mut SoftPasskey| {
        server.advance(SignedDuration::from_secs(60));
        let waiting = Waiting::begin(&server).await;
        let options = waiting.options(&server).await;
        alter(laptop);
        let answer = laptop.get(&options.body);
        (status(&waiting.answer(&server, &answer).await), waiting, answer)
    };
    let url = server.url().to_owned();
    let wrong = "401 wrong_second_factor";
    assert_eq!(with(&|laptop| laptop.verifies_user = false, &mut laptop).await.0, wrong);
    laptop.verifies_user = true;
    assert_eq!(with(&|laptop| laptop.origin = "https://evil.example".into(), &mut laptop).await.0, wrong);
    laptop.origin = url;
    let (said, waiting, answer) = with(&|_| {}, &mut laptop).await;
    assert_eq!(said, "200");
    assert_eq!(status(&waiting.answer(&server, &answer).await), "401 sign_in_expired", "a replay");
    // A copy of it, whose counter is behind.
    assert_eq!(with(&SoftPasskey::set_back, &mut laptop).await.0, wrong);
    // Too late.
    let waiting = Waiting::begin(&server).await;
    let options = waiting.options(&server).await;
    server.advance(SignedDuration::from_mins(6));
    let answer = laptop.get(&options.body);
    assert_eq!(status(&waiting.answer(&server, &answer).await), "409 no_challenge");
    // Without a password before, nothing is asked at all.
    let nobody = post(&server, &As::Nobody, "/api/v1/sessions/passkey/options", json!({})).await;
    assert_eq!(status(&nobody), "401 sign_in_expired");
}

#[tokio::test]
async fn at_an_address_without_a_name_there_are_none() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member(MIA).await;
    let mia = server.sign_in(MIA).await;
    let refused = post(&server, &mia, "/api/v1/second-factors/passkeys/options", json!({})).await;
    assert_eq!(status(&refused), "409 passkeys_unavailable");
}
