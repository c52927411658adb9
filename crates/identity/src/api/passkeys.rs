//! `/api/v1/second-factors/passkeys`, `/api/v1/sessions/passkey`: passkeys, as a second factor.

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use provost_web::{App, Created, ErrorBody, Json, Principal, Result, Session, name};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::second_factors::{SecondFactorBody, check_may_add, own_id};
use super::sessions::{SignedIn, signed_in};
use crate::mfa::{device, passkeys, pending};

/// What to ask a new passkey: the argument of the browser's `navigator.credentials.create`, its bytes in
/// base64url. Needs a session of the last 15 minutes that showed the present second factor, if there is one.
#[utoipa::path(post, path = "/api/v1/second-factors/passkeys/options", tag = "Second factors",
    responses((status = 200, body = Object), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn options(session: Session, State(app): State<App>) -> Result<axum::Json<Value>> {
    let Principal::Member(member) = &session.caller.principal else { unreachable!("a session is a member's") };
    let mut tx = app.store.write().await?;
    check_may_add(&mut tx, &app, &session).await?;
    let asked = passkeys::begin_registration(&mut tx, &app, &session, member).await?;
    tx.commit().await?;
    Ok(axum::Json(asked))
}

/// A passkey to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPasskey {
    /// How to call it; `Passkey` if absent.
    #[serde(default)]
    name: Option<String>,
    /// What the browser's `navigator.credentials.create` answered, its bytes in base64url.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Add a passkey. The session counts as having shown it.
#[utoipa::path(post, path = "/api/v1/second-factors/passkeys", tag = "Second factors", request_body = NewPasskey,
    responses((status = 201, body = SecondFactorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    session: Session,
    State(app): State<App>,
    Json(body): Json<NewPasskey>,
) -> Result<Created<SecondFactorBody>> {
    let called = name("name", body.name.as_deref().unwrap_or("Passkey"), 100)?;
    let row = passkeys::register(&app, &session, own_id(&session), &called, body.credential).await?;
    Ok(Created(row.into()))
}

/// What to ask a passkey for a sign-in whose password was right: the argument of the browser's
/// `navigator.credentials.get`, its bytes in base64url.
#[utoipa::path(post, path = "/api/v1/sessions/passkey/options", tag = "Sessions", security(()),
    responses((status = 200, body = Object), (status = 401, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn sign_in_options(State(app): State<App>, parts: Parts) -> Result<axum::Json<Value>> {
    let pending = pending::find(&app, &parts).await?.ok_or_else(pending::over)?;
    passkeys::begin_authentication(&app, &pending).await.map(axum::Json)
}

/// What a passkey answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyAnswer {
    /// What the browser's `navigator.credentials.get` answered, its bytes in base64url.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Finish a sign-in with a passkey, after the password: answers with a session cookie.
#[utoipa::path(post, path = "/api/v1/sessions/passkey", tag = "Sessions", request_body = PasskeyAnswer, security(()),
    responses((status = 200, body = SignedIn), (status = 401, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn sign_in(State(app): State<App>, parts: Parts, Json(body): Json<PasskeyAnswer>) -> Result<Response> {
    let pending = pending::find(&app, &parts).await?.ok_or_else(pending::over)?;
    let cookie = passkeys::finish(&app, &parts, &pending, body.credential).await?;
    let device = device::remember(&app, &parts, &pending.email);
    let clear = AppendHeaders([(SET_COOKIE, pending::clear(&parts))]);
    Ok((StatusCode::OK, clear, signed_in(pending.row.member_id, cookie, device)).into_response())
}
