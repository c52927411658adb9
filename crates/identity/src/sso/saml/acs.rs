//! `POST /sign-in/saml/{connection_id}/acs`: the assertion consumer service, where an identity
//! provider has the browser post its response (saml-bindings-2.0 §3.5).

use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::SET_COOKIE;
use http::request::Parts;
use jiff::SignedDuration;
use provost_model::{ConnectionId, Email, SignInMethod};
use provost_store::tables::connections::ConnectionRow;
use provost_store::tables::{saml_assertions, saml_requests};
use provost_web::{App, PathId, Result, hash_secret};
use serde::Deserialize;

use super::assertion::Assertion;
use super::config::Config;
use super::response::{self, Expected};
use super::{acs_url, browser, entity_id, find};
use crate::pages::safe_next;
use crate::sso::Refusal;
use crate::sso::{self, Arrival};

#[derive(Deserialize)]
pub(crate) struct Fields {
    #[serde(rename = "SAMLResponse")]
    response: Option<String>,
    #[serde(rename = "RelayState")]
    relay_state: Option<String>,
}

pub(crate) async fn submit(
    State(app): State<App>,
    PathId(id): PathId<ConnectionId>,
    parts: Parts,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    sso::count_step(&app, &parts, "saml")?;
    let connection = find(&app, id).await?;
    let relay_state = fields.relay_state.as_deref().unwrap_or_default();
    let (assertion, next) = match consume(&app, &parts, &connection, fields.response.as_deref(), relay_state).await? {
        Ok(arrived) => arrived,
        Err(refusal) => return Ok(refused(&app, &parts, &connection, refusal)),
    };
    let arrival = Arrival {
        subject: assertion.subject,
        email: assertion.email.and_then(|email| Email::try_from(email).ok()),
        // SAML has no word for it: the provider that an owner connected answers for the addresses it sends.
        email_verified: true,
        name: assertion.name,
        groups: assertion.groups,
    };
    let answer = sso::arrive(&app, &parts, &connection, arrival, SignInMethod::Saml, &next).await?;
    let cookie = browser::cookie(&parts, &hash_secret(relay_state), "", SignedDuration::ZERO);
    Ok(with_cookie(answer, cookie))
}

/// Whom the response is about and where to go then, or why it is refused. The request is used up with
/// the first answer, whatever that says, and the assertion with its acceptance.
async fn consume(
    app: &App,
    parts: &Parts,
    connection: &ConnectionRow,
    field: Option<&str>,
    relay_state: &str,
) -> Result<Result<(Assertion, String), Refusal>> {
    let now = app.store.clock().now();
    let (ws, id) = (connection.workspace_id, connection.id);
    let Some(config) = Config::kept(&connection.config) else {
        return Ok(Err(Refusal::forbidden("not_set_up", "this connection is not set up yet")));
    };
    let hash = hash_secret(relay_state);
    let request = match browser::read(parts, &hash) {
        Some(secret) => {
            let mut tx = app.store.write().await?;
            let request = saml_requests::take(&mut tx, ws, id, &hash, &hash_secret(secret), now).await?;
            tx.commit().await?;
            request
        }
        None => None,
    };
    if request.is_none() && !config.allow_idp_initiated {
        let message = "this browser did not begin it here, or too long ago: begin at the sign-in page, not at the \
                       identity provider's, and allow cookies";
        return Ok(Err(Refusal::forbidden("not_requested", message)));
    }
    let expected = Expected {
        entity_id: &entity_id(app, &id.to_string()),
        acs_url: &acs_url(app, &id.to_string()),
        idp_entity_id: config.idp_entity_id.as_deref().unwrap_or_default(),
        trusted: &config.trusted(),
        request_id: request.as_ref().map(|request| request.request_id.as_str()),
        attributes: &config.names(),
        now,
    };
    let text = response::decode(field.unwrap_or_default());
    let assertion = match text.and_then(|text| response::accept(&text, &expected)) {
        Ok(assertion) => assertion,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut tx = app.store.write().await?;
    let is_new = saml_assertions::take(&mut tx, ws, id, &assertion.id, assertion.expires_at).await?;
    tx.commit().await?;
    if !is_new {
        return Ok(Err(Refusal::forbidden("replayed", "it was used already: sign in again")));
    }
    // Without a request the RelayState is the provider's, and may say which page: one of ours.
    let next = request.map_or_else(|| safe_next(Some(relay_state)).to_owned(), |request| request.next);
    Ok(Ok((assertion, next)))
}

fn refused(app: &App, parts: &Parts, connection: &ConnectionRow, refusal: Refusal) -> Response {
    let message = format!("The answer of your identity provider was not accepted: {}.", refusal.message);
    sso::refuse(app, parts, connection, &Refusal { message, ..refusal })
}

fn with_cookie(answer: Response, cookie: HeaderValue) -> Response {
    let mut answer = answer.into_response();
    answer.headers_mut().append(SET_COOKIE, cookie);
    answer
}
