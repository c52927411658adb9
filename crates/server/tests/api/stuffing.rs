//! Who guesses passwords, and the member who signs in meanwhile.

use http::Method;
use http::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, Database, PASSWORD, Server};
use serde_json::json;

use super::status;

const MIA: &str = "mia@acme.example";
const LIMITS: &str = "[limits]\nsign_in_attempts_per_minute = 5\n";

async fn sign_in(server: &Server, email: &str, password: &str, cookie: Option<&str>) -> Answer {
    let mut request = server.request(Method::POST, "/api/v1/sessions");
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    server.send(request.json(&json!({ "email": email, "password": password }))).await
}

fn device_cookie(answer: &Answer) -> String {
    let mut cookies = answer.headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
    let cookie = cookies.rfind(|cookie| cookie.starts_with("provost-device="));
    cookie.expect("a browser that signed in is known from then on").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_members_own_browser_gets_in_however_hard_others_guess() {
    let server = Server::start_with(Database::Sqlite, LIMITS).await;
    server.member(MIA).await;
    let device = device_cookie(&sign_in(&server, MIA, PASSWORD, None).await);
    server.advance(SignedDuration::from_mins(2));
    // An hour of it, as fast as the limit lets go through, from the member's own address.
    for _ in 0..12 {
        server.advance(SignedDuration::from_mins(5));
        let mut refused = 0;
        for _ in 0..12 {
            let guess = sign_in(&server, MIA, "a guess of some length", None).await;
            if guess.status == 429 {
                refused += 1;
                let seconds: u64 = guess.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
                assert!((1..=60).contains(&seconds), "{seconds}");
            }
        }
        assert!(refused >= 6, "the attack is slowed");
        assert_eq!(status(&sign_in(&server, MIA, PASSWORD, Some(&device)).await), "200");
    }
    // The cookie opens nothing by itself, is worth nothing for another account, and has a limit too.
    server.member("max@acme.example").await;
    for _ in 0..6 {
        sign_in(&server, MIA, "a guess of some length", None).await;
    }
    let other = sign_in(&server, "max@acme.example", PASSWORD, Some(&device)).await;
    assert_eq!(status(&other), "429 too_many_requests", "from that address, without a cookie of its own");
    let forged = format!("{}x", &device[..device.len() - 1]);
    assert_eq!(status(&sign_in(&server, MIA, PASSWORD, Some(&forged)).await), "429 too_many_requests");
    let mut said = Vec::new();
    for _ in 0..8 {
        said.push(status(&sign_in(&server, MIA, "a guess of some length", Some(&device)).await));
    }
    assert!(said.contains(&"401 unauthorized".to_owned()), "{said:?}");
    assert_eq!(said.last().unwrap(), "429 too_many_requests", "{said:?}");
}

#[tokio::test]
async fn who_was_slowed_is_let_in_within_a_minute() {
    let server = Server::start_with(Database::Sqlite, LIMITS).await;
    server.member(MIA).await;
    for _ in 0..20 {
        sign_in(&server, MIA, "a guess of some length", None).await;
    }
    let slowed = sign_in(&server, MIA, PASSWORD, None).await;
    let seconds: i64 = slowed.headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    server.advance(SignedDuration::from_secs(seconds));
    assert_eq!(status(&sign_in(&server, MIA, PASSWORD, None).await), "200");
}

#[tokio::test]
async fn a_storm_leaves_a_line_in_the_trail_and_not_a_book() {
    let server = Server::start_with(Database::Sqlite, super::PATIENT).await;
    server.member(MIA).await;
    for n in 0..30 {
        let email = if n % 3 == 0 { "nobody@acme.example" } else { MIA };
        sign_in(&server, email, "a guess of some length", None).await;
    }
    let failed = server.events("sign_in.failed").await;
    let mut reasons: Vec<&str> = failed.iter().map(|event| event["details"]["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["unknown_account", "wrong_password"], "the first of each at once: {failed:?}");
}
