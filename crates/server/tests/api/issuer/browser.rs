//! Sign-in through the browser: code and PKCE.

use http::header::{LOCATION, RETRY_AFTER};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{As, Database, Server};
use serde_json::{Value, json};

use super::super::{BOTH, PATIENT};
use super::*;

async fn start() -> (Server, As) {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    (server, mia)
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_that_work() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.member("mia@acme.example").await;
        let mia = server.sign_in("mia@acme.example").await;
        let answer = authorize(&server, &mia, &authorize_query()).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let (address, query) = location(&answer);
        assert_eq!(address, REDIRECT);
        assert_eq!(query["state"], "s t&te=1");
        let answer = form(&server, "/oauth/token", &exchange(&query["code"])).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let tokens = Tokens::of(&answer);
        assert_eq!((answer.text("token_type").as_str(), answer.body["expires_in"].as_i64()), ("Bearer", Some(3600)));
        for token in [&tokens.access, &tokens.id] {
            let claims = claims(token);
            let about = &claims["https://api.openai.com/auth"];
            assert_eq!(claims["iss"], server.url());
            assert_eq!(claims["email"], "mia@acme.example");
            assert_eq!(about["chatgpt_plan_type"], "enterprise");
            assert_eq!(about["chatgpt_account_id"], server.workspace_id.as_str());
            assert_eq!(about["chatgpt_user_id"], id.as_str());
        }
        assert_eq!(claims(&tokens.id)["aud"], CLIENT_ID);
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::OK);
        let signed_in = server.events("client.signed_in").await;
        assert_eq!(signed_in.len(), 1);
        assert_eq!(signed_in[0]["details"], json!({ "method": "browser", "client_id": CLIENT_ID }));
        assert_eq!(signed_in[0]["actor"]["email"], "mia@acme.example");
    }
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_what_the_first_got() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.member("mia@acme.example").await;
        let mia = server.sign_in("mia@acme.example").await;
        let code = code(&server, &mia).await;
        let tokens = Tokens::of(&form(&server, "/oauth/token", &exchange(&code)).await);
        let other = sign_in_client(&server, &mia).await;
        let answer = form(&server, "/oauth/token", &exchange(&code)).await;
        assert_eq!((answer.status, answer.text("error").as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::UNAUTHORIZED);
        assert_eq!(renew(&server, &tokens.refresh).await.body["error"]["code"], "refresh_token_invalidated");
        assert_eq!(bundle_status(&server, &other.access).await, StatusCode::OK, "other sessions go on");
        let ended = server.events("client.signed_out").await;
        assert_eq!((ended.len(), &ended[0]["details"]["reason"]), (1, &json!("code_replayed")));
    }
}

#[tokio::test]
async fn of_many_exchanges_at_once_one_wins_and_nothing_it_got_lasts() {
    let (server, mia) = start().await;
    let code = code(&server, &mia).await;
    let fields = exchange(&code);
    let answers = futures_util::future::join_all((0..8).map(|_| form(&server, "/oauth/token", &fields))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::OK).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 400)), "{answers:?}");
}

#[tokio::test]
async fn a_code_is_good_for_who_asked_for_it_only() {
    let (server, mia) = start().await;
    let code = code(&server, &mia).await;
    for (field, wrong) in [
        ("code_verifier", "another-verifier-of-forty-three-characters-or-more"),
        ("client_id", "app_other"),
        ("redirect_uri", "http://127.0.0.1:1456/auth/callback"),
        ("code", "code-unknown"),
    ] {
        let mut fields = exchange(&code);
        fields.insert(field, wrong.to_owned());
        let answer = form(&server, "/oauth/token", &fields).await;
        assert_eq!(
            (answer.status, answer.text("error").as_str()),
            (StatusCode::BAD_REQUEST, "invalid_grant"),
            "{field}"
        );
    }
    for field in ["code", "code_verifier", "client_id", "redirect_uri"] {
        let mut fields = exchange(&code);
        fields.remove(field);
        let answer = form(&server, "/oauth/token", &fields).await;
        assert_eq!(
            (answer.status, answer.text("error").as_str()),
            (StatusCode::BAD_REQUEST, "invalid_request"),
            "{field}"
        );
        assert_eq!(answer.text("error_description"), format!("{field} is missing"));
    }
    // None of that used it up.
    Tokens::of(&form(&server, "/oauth/token", &exchange(&code)).await);
}

#[tokio::test]
async fn a_code_is_good_for_five_minutes() {
    let (server, mia) = start().await;
    let code = code(&server, &mia).await;
    server.advance(SignedDuration::from_secs(301));
    let answer = form(&server, "/oauth/token", &exchange(&code)).await;
    assert_eq!((answer.status, answer.text("error").as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    assert!(answer.text("error_description").contains("too old"));
}

#[tokio::test]
async fn a_code_is_never_sent_off_this_computer() {
    let (server, mia) = start().await;
    for evil in [
        "https://evil.example/cb",
        "http://evil.example/cb",
        "https://127.0.0.1:1455/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://localhost@evil.example/cb",
        "http://127.0.0.1:1455@evil.example/cb",
        "http://127.0.0.1:1455/cb#x",
        "http://127.0.0.1:1455\\@evil.example/",
        "http://[::1].evil.example/",
        "http://2130706433/cb",
        "javascript:alert(1)",
        "//127.0.0.1/cb",
        "http://127.0.0.1:1455/\r\nset-cookie: a=b",
        "",
    ] {
        let mut query = authorize_query();
        query.insert("redirect_uri", evil.to_owned());
        let answer = authorize(&server, &mia, &query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{evil}");
        assert!(!answer.headers.contains_key(LOCATION), "{evil}");
        assert!(answer.body.as_str().unwrap().contains("cannot go on"), "{evil}");
    }
    let mut query = authorize_query();
    query.remove("client_id");
    assert_eq!(authorize(&server, &mia, &query).await.status, StatusCode::BAD_REQUEST);
    for good in ["http://localhost:9/cb", "http://[::1]:9/cb", "http://127.0.0.1/cb?keep=1"] {
        let mut query = authorize_query();
        query.insert("redirect_uri", good.to_owned());
        let answer = authorize(&server, &mia, &query).await;
        assert!(location(&answer).1.contains_key("code"), "{good}");
        assert!(answer.headers[LOCATION].to_str().unwrap().starts_with(good), "{good}");
    }
}

#[tokio::test]
async fn what_is_wrong_otherwise_goes_back_to_the_client() {
    let (server, mia) = start().await;
    let other_workspace = "0198c1f0-0000-7000-8000-000000000000";
    for (field, value, error) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("short"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("allowed_workspace_id", Some(other_workspace), "access_denied"),
    ] {
        let mut query = authorize_query();
        match value {
            Some(value) => query.insert(field, value.to_owned()),
            None => query.remove(field),
        };
        let answer = authorize(&server, &mia, &query).await;
        let (address, query) = location(&answer);
        assert_eq!((address.as_str(), query["error"].as_str()), (REDIRECT, error), "{field}");
        assert_eq!(query["state"], "s t&te=1");
        assert!(!query.contains_key("code"));
        assert!(query["error_description"].len() > 10);
    }
    let mut query = authorize_query();
    query.insert("allowed_workspace_id", server.workspace_id.clone());
    assert!(location(&authorize(&server, &mia, &query).await).1.contains_key("code"));
}

#[tokio::test]
async fn who_is_not_signed_in_comes_back_after_it() {
    let (server, _) = start().await;
    let answer = authorize(&server, &As::Nobody, &authorize_query()).await;
    let (address, query) = location(&answer);
    assert_eq!((answer.status, address.as_str()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(query["next"].starts_with("/oauth/authorize?"), "{}", query["next"]);
    assert!(query["next"].contains("state=s+t%26te%3D1"), "{}", query["next"]);
}

#[tokio::test]
async fn the_token_endpoint_answers_bad_requests_as_rfc_6749_asks() {
    let (server, mia) = start().await;
    let post = async |content_type: &str, body: String| {
        let request = server.request(Method::POST, "/oauth/token").header("content-type", content_type).body(body);
        server.send(request).await
    };
    let token_exchange = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&requested_token=openai-api-key&subject_token=x";
    for (content_type, body, status, error) in [
        ("application/x-www-form-urlencoded", token_exchange, 400, "unsupported_grant_type"),
        ("application/x-www-form-urlencoded", "", 400, "unsupported_grant_type"),
        ("application/x-www-form-urlencoded", "grant_type=a&grant_type=b", 400, "invalid_request"),
        ("application/x-www-form-urlencoded", "grant_type=refresh_token", 400, "invalid_request"),
        ("application/json", "{", 400, "invalid_request"),
        ("application/json", "[]", 400, "invalid_request"),
        ("application/json", r#"{"grant_type":7}"#, 400, "invalid_request"),
        ("text/plain", "grant_type=refresh_token", 415, "invalid_request"),
    ] {
        let answer = post(content_type, body.to_owned()).await;
        assert_eq!((answer.status.as_u16(), &answer.body["error"]), (status, &Value::from(error)), "{body}");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let large = post("application/json", format!(r#"{{"code":"{}"}}"#, "x".repeat(2 << 20))).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    // JSON does for a code too.
    let code = code(&server, &mia).await;
    Tokens::of(&post("application/json", json!(exchange(&code)).to_string()).await);
    assert!(!large.headers.contains_key(RETRY_AFTER));
}

#[tokio::test]
async fn a_member_who_was_suspended_meanwhile_is_refused_in_the_guide_s_words() {
    let (server, mia) = start().await;
    let code = code(&server, &mia).await;
    let As::Session { member_id, .. } = &mia else { unreachable!("a session") };
    server.patch(&format!("/api/v1/members/{member_id}"), json!({ "active": false })).await.ok();
    let answer = form(&server, "/oauth/token", &exchange(&code)).await;
    assert_eq!((answer.status, answer.text("error").as_str()), (StatusCode::FORBIDDEN, "access_denied"));
    let words = "403 - Unauthorized. Contact your ChatGPT administrator for access.";
    assert_eq!(answer.text("error_description"), words);
    assert_eq!(server.events("client.refused").await[0]["details"]["reason"], "suspended");
}
