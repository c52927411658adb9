//! Sends a browser to its identity provider (saml-bindings-2.0 §3.4, HTTP-Redirect).

use std::io::Write;

use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use jiff::{SignedDuration, Timestamp, Unit};
use maud::html;
use provost_store::tables::connections::ConnectionRow;
use provost_store::tables::saml_requests::{self, SamlRequestRow};
use provost_web::pages::Page;
use provost_web::{App, Error, Result, Secret};
use url::Url;

use super::browser;
use super::config::Config;
use super::xml::{ASSERTION, PROTOCOL};
use super::{acs_url, entity_id};
use crate::sso;

/// How long somebody may take to sign in at their identity provider.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_mins(15);

/// Begins a sign-in through a SAML connection: to the identity provider, with a request that only
/// this browser can have answered.
pub(crate) async fn begin(app: &App, parts: &Parts, connection: &ConnectionRow, next: &str) -> Result<Response> {
    let config = Config::kept(&connection.config);
    let Some((config, sso_url)) = config.and_then(|config| config.sso_url.clone().map(|url| (config, url))) else {
        return Ok(not_set_up());
    };
    if let Some(url) = browser::elsewhere(app, parts) {
        return Ok(Redirect::to(&url).into_response());
    }
    let Ok(mut url) = Url::parse(&sso_url) else { return Ok(not_set_up()) };
    let now = app.store.clock().now();
    let relay_state = Secret::new("");
    let in_browser = Secret::new("");
    // An id must not begin with a digit (xs:ID).
    let request_id = format!("_{}", Secret::new("").text);
    let row = SamlRequestRow {
        workspace_id: connection.workspace_id,
        connection_id: connection.id,
        request_id: request_id.clone(),
        browser: in_browser.hash,
        next: next.to_owned(),
        expires_at: now + PATIENCE,
    };
    let mut tx = app.store.write().await?;
    saml_requests::delete_expired(&mut tx, now).await?;
    if saml_requests::count(&mut tx).await? >= sso::MAX_WAITING {
        return Err(Error::too_many("too many sign-ins wait: try again in some minutes", 60));
    }
    saml_requests::insert(&mut tx, &relay_state.hash, &row, now).await?;
    tx.commit().await?;
    let id = connection.id.to_string();
    let request = authn_request(&request_id, now, &sso_url, &entity_id(app, &id), &acs_url(app, &id), &config);
    url.query_pairs_mut().append_pair("SAMLRequest", &deflated(&request)).append_pair("RelayState", &relay_state.text);
    let cookie = browser::cookie(parts, &relay_state.hash, &in_browser.text, PATIENCE);
    Ok(([(SET_COOKIE, cookie)], Redirect::to(url.as_str())).into_response())
}

fn authn_request(id: &str, now: Timestamp, to: &str, issuer: &str, acs_url: &str, config: &Config) -> String {
    let now = now.round(Unit::Second).unwrap_or(now);
    // What renders the pages escapes XML as well.
    let format = config.name_id_format.as_deref();
    html! {
        samlp:AuthnRequest xmlns:samlp=(PROTOCOL) xmlns:saml=(ASSERTION) ID=(id)
            Version="2.0" IssueInstant=(now) Destination=(to)
            ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" AssertionConsumerServiceURL=(acs_url) {
            saml:Issuer { (issuer) }
            samlp:NameIDPolicy AllowCreate="true" Format=[format] {}
        }
    }
    .into_string()
}

/// DEFLATE (RFC 1951), then Base64, as §3.4.4.1 says.
fn deflated(text: &str) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("writing to memory does not fail");
    STANDARD.encode(encoder.finish().expect("writing to memory does not fail"))
}

fn not_set_up() -> Response {
    let body = html! {
        p { "The connection to your identity provider waits for its metadata. Ask an owner of the workspace to add it." }
        p { a href="/sign-in" { "Sign in another way" } }
    };
    Page::new("This way to sign in is not set up yet", body).with_status(StatusCode::CONFLICT).into_response()
}
