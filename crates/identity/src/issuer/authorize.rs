//! `GET /oauth/authorize`: a browser brings its member to a client on the same machine.
//!
//! Clients are public and native (RFC 8252): they are told apart by nothing but where the code is
//! sent, so it is only ever sent to loopback, and useless without the verifier (PKCE, S256).

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::request::Parts;
use jiff::SignedDuration;
use maud::html;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use provost_store::tables::authorization_codes::{self, CodeRow};
use provost_store::tables::{members, workspaces};
use provost_web::pages::Page;
use provost_web::{App, Error, Principal, Query, Result, Secret, Session};
use serde::Deserialize;

use super::method;
use crate::pages::to_sign_in;

/// How long a code works.
pub(crate) const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// What is left as it is in a query value (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a client asks for. More than this is ignored.
#[derive(Deserialize)]
pub(crate) struct Request {
    response_type: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    state: Option<String>,
    allowed_workspace_id: Option<String>,
}

pub(crate) async fn authorize(
    State(app): State<App>,
    parts: Parts,
    Query(request): Query<Request>,
) -> Result<Response> {
    // Until the redirect address is known to be good, errors stay here.
    let Some(redirect_uri) = request.redirect_uri.as_deref().filter(|uri| is_loopback(uri)) else {
        return Ok(refusal("The address that the program wants the sign-in sent to is not on this computer."));
    };
    let Some(client_id) = request.client_id.as_deref().filter(|id| is_client_id(id)) else {
        return Ok(refusal("The program did not say which one it is (client_id)."));
    };
    let send = |parameters: &[(&str, &str)]| redirect(redirect_uri, parameters, request.state.as_deref());
    if request.response_type.as_deref() != Some("code") {
        return Ok(send(&[
            ("error", "unsupported_response_type"),
            ("error_description", "response_type must be code"),
        ]));
    }
    let challenge = request.code_challenge.as_deref().filter(|challenge| is_challenge(challenge));
    let (Some(challenge), Some("S256")) = (challenge, request.code_challenge_method.as_deref()) else {
        let description = "PKCE is required: send code_challenge, with code_challenge_method=S256";
        return Ok(send(&[("error", "invalid_request"), ("error_description", description)]));
    };
    let back = parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    let Some(session) = Session::resolve(&app, &parts).await? else { return Ok(to_sign_in(&back)) };
    let workspace = &session.caller.workspace;
    if request.allowed_workspace_id.as_deref().is_some_and(|wanted| wanted != workspace.id.to_string()) {
        let description = format!("Sign in with an account of the workspace {}.", workspace.settings.name);
        return Ok(send(&[("error", "access_denied"), ("error_description", &description)]));
    }
    let Principal::Member(member) = &session.caller.principal else { unreachable!("a session is a member's") };
    let now = app.store.clock().now();
    let secret = Secret::new("code-");
    let code = CodeRow {
        workspace_id: workspace.id,
        member_id: member.id,
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        code_challenge: challenge.to_owned(),
        method: method::BROWSER.to_owned(),
        expires_at: now + CODE_LIFETIME,
        grant_id: None,
    };
    let mut tx = app.store.write().await?;
    // Who is being suspended at this moment leaves no code behind for when they are let in again.
    workspaces::wait_in_line(&mut tx, workspace.id).await?;
    if !members::is_active(&mut tx, workspace.id, member.id).await? {
        return Ok(to_sign_in(&back));
    }
    authorization_codes::insert(&mut tx, &secret.hash, &code, now).await?;
    tx.commit().await?;
    Ok(send(&[("code", &secret.text)]))
}

/// Whether a redirect address is an HTTP address on loopback, at any port (RFC 8252 §7.3).
fn is_loopback(uri: &str) -> bool {
    let Ok(parsed) = uri.parse::<http::Uri>() else { return false };
    let authority = parsed.authority().map_or("", |authority| authority.as_str());
    // The authority as a whole: a parser that stops at what it takes for the host hides the rest.
    let is_port =
        |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let is_loopback =
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| authority.strip_prefix(host).is_some_and(is_port));
    parsed.scheme_str() == Some("http") && is_loopback && !uri.contains('#') && uri.len() <= 1_000
}

/// Any short name will do: it proves nothing, and stands in the events.
pub(crate) fn is_client_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// Base64url of a SHA-256 (RFC 7636 §4.2).
fn is_challenge(challenge: &str) -> bool {
    challenge.len() == 43 && challenge.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn redirect(uri: &str, parameters: &[(&str, &str)], state: Option<&str>) -> Response {
    let state = state.map(|state| ("state", state));
    let query: Vec<String> = parameters
        .iter()
        .copied()
        .chain(state)
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, UNRESERVED)))
        .collect();
    let joint = if uri.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{uri}{joint}{}", query.join("&"))).into_response()
}

fn refusal(message: &str) -> Response {
    let body = html! { p { (message) } p { "Nothing was sent to it. Close this page, and start the sign-in again." } };
    Page::new("This sign-in cannot go on", body).with_status(StatusCode::BAD_REQUEST).into_response()
}

/// An error of the page, as a page.
impl From<Error> for super::error::OAuthError {
    fn from(error: Error) -> Self {
        Self::new(error.status(), "invalid_request", error.message())
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn codes_go_to_loopback_only() {
        for good in ["http://127.0.0.1:1455/auth/callback", "http://localhost:1455/auth/callback", "http://[::1]:9/c"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "https://127.0.0.1:1455/c",
            "http://evil.example/c",
            "http://127.0.0.1.evil.example/c",
            "http://localhost@evil.example/",
            "http://evil.example#@127.0.0.1/",
            "http://user@127.0.0.1:1/c",
            "http://127.0.0.1:1@evil.example/c",
            "http://[::1].evil.example/c",
            "//127.0.0.1/c",
            "javascript:alert(1)",
            "http://127.0.0.1:1/c#fragment",
            "http://0.0.0.0:1/c",
            "",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
