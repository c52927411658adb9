//! The issuer that Codex clients sign in to: `client-contract.md` §1 on the wire.

mod browser;
pub(super) mod device;
mod nodes;
mod refresh;
mod tokens;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION};
use http::{Method, StatusCode};
use provost_testkit::server::{Answer, As, Server};
use provost_web::hash_secret;
use serde_json::{Value, json};

pub(super) const BUNDLE: &str = "/codex/config/bundle";
pub(super) const CLIENT_ID: &str = "app_test";
pub(super) const REDIRECT: &str = "http://127.0.0.1:1455/auth/callback";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-0123456789";

/// What a client holds.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
    pub(super) id: String,
}

impl Tokens {
    pub(super) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        Self { access: answer.text("access_token"), refresh: answer.text("refresh_token"), id: answer.text("id_token") }
    }
}

/// The query of `/oauth/authorize`, as the CLI writes it.
pub(super) fn authorize_query() -> HashMap<&'static str, String> {
    let challenge = URL_SAFE_NO_PAD.encode(hash_secret(VERIFIER));
    HashMap::from([
        ("response_type", "code".to_owned()),
        ("client_id", CLIENT_ID.to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("scope", "openid profile email offline_access".to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
        ("state", "s t&te=1".to_owned()),
        ("originator", "codex_cli_rs".to_owned()),
    ])
}

/// Opens the authorization page in the session's browser.
pub(super) async fn authorize(server: &Server, session: &As, query: &HashMap<&str, String>) -> Answer {
    let query = urlencoded(query);
    let mut request = server.request(Method::GET, &format!("/oauth/authorize?{query}"));
    if let As::Session { cookie, .. } = session {
        request = request.header(COOKIE, cookie);
    }
    server.send(request).await
}

/// Where an answer redirects: the address before the query, and the query.
pub(super) fn location(answer: &Answer) -> (String, HashMap<String, String>) {
    let location = answer.headers[LOCATION].to_str().unwrap();
    let (address, query) = location.split_once('?').unwrap_or((location, ""));
    let pairs = reqwest::Url::parse(&format!("http://x/?{query}")).unwrap();
    (address.to_owned(), pairs.query_pairs().into_owned().collect())
}

/// A form, as clients write it.
pub(super) fn urlencoded(pairs: &HashMap<&str, String>) -> String {
    let mut url = reqwest::Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// A code of the session's member.
pub(super) async fn code(server: &Server, session: &As) -> String {
    let answer = authorize(server, session, &authorize_query()).await;
    location(&answer).1["code"].clone()
}

/// What exchanges a code.
pub(super) fn exchange(code: &str) -> HashMap<&'static str, String> {
    HashMap::from([
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("client_id", CLIENT_ID.to_owned()),
        ("code_verifier", VERIFIER.to_owned()),
    ])
}

/// Posts a form to the issuer.
pub(super) async fn form(server: &Server, path: &str, fields: &HashMap<&str, String>) -> Answer {
    let request = server.request(Method::POST, path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    server.send(request.body(urlencoded(fields))).await
}

/// Signs a client of the session's member in.
pub(super) async fn sign_in_client(server: &Server, session: &As) -> Tokens {
    let code = code(server, session).await;
    Tokens::of(&form(server, "/oauth/token", &exchange(&code)).await)
}

/// Renews with JSON, as the CLI does.
async fn renew(server: &Server, refresh_token: &str) -> Answer {
    let body = json!({
        "client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": refresh_token,
        "refresh_reason": "proactive_expiry",
    });
    server.call(&As::Nobody, Method::POST, "/oauth/token", Some(body)).await
}

/// The claims of a token, unchecked.
fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

/// The bundle's status for a bearer.
pub(super) async fn bundle_status(server: &Server, token: &str) -> StatusCode {
    super::client(server, token, BUNDLE).await.status
}
