//! `/api/v1/device-logins/{user_code}/…`: a member decides on a device that wants to sign in.

use axum::extract::State;
use http::StatusCode;
use provost_web::{App, ErrorBody, PathId, Result, Session};

use crate::issuer::device::{Decision, decide};

/// Let the device sign in as oneself.
#[utoipa::path(post, path = "/api/v1/device-logins/{user_code}/approve", tag = "Device sign-in",
    params(("user_code" = String, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn approve(
    session: Session,
    State(app): State<App>,
    PathId(code): PathId<String>,
) -> Result<StatusCode> {
    decide(&app, &session, &code, Decision::Approve).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuse the device.
#[utoipa::path(post, path = "/api/v1/device-logins/{user_code}/deny", tag = "Device sign-in",
    params(("user_code" = String, Path)),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn deny(session: Session, State(app): State<App>, PathId(code): PathId<String>) -> Result<StatusCode> {
    decide(&app, &session, &code, Decision::Deny).await?;
    Ok(StatusCode::NO_CONTENT)
}
