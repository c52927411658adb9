//! `/api/v1/sessions`, `/api/v1/session`: a member's own session.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use provost_model::event::{Actor, EventType};
use provost_model::{MemberId, Permission};
use provost_store::tables::sessions;
use provost_web::{App, ErrorBody, Json, Principal, Result, Session, SessionCookie};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::sign_in::sign_in;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The member's address.
    email: String,
    /// The member's password.
    password: String,
    /// A one-time password, where a second factor is set up.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the fixed API; no account has a second factor yet")]
    otp: Option<String>,
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// Who signed in.
    member_id: MemberId,
    /// Send it in `x-csrf-token` on every write.
    csrf_token: String,
}

/// Sign in: answers with a session cookie.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "Sessions", request_body = SignIn, security(()),
    responses((status = 200, body = SignedIn), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn create(State(app): State<App>, parts: Parts, Json(body): Json<SignIn>) -> Result<Response> {
    let (member_id, cookie) = sign_in(&app, &parts, &body.email, &body.password).await?;
    let answer = SignedIn { member_id, csrf_token: cookie.csrf_token };
    Ok(([(SET_COOKIE, cookie.header)], axum::Json(answer)).into_response())
}

/// The member of a session.
#[derive(Serialize, ToSchema)]
pub(crate) struct Current {
    /// Its id.
    member_id: MemberId,
    /// Its address.
    email: String,
    /// What it may do.
    permissions: Vec<Permission>,
    /// The workspace.
    workspace_id: provost_model::WorkspaceId,
    /// Send it in `x-csrf-token` on every write.
    csrf_token: String,
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "Sessions",
    responses((status = 200, body = Current), (status = 401, body = ErrorBody)))]
pub(crate) async fn show(session: Session) -> Result<axum::Json<Current>> {
    let Session { caller, csrf_token, .. } = session;
    let Principal::Member(member) = &caller.principal else { unreachable!("a session is a member's") };
    Ok(axum::Json(Current {
        member_id: member.id,
        email: member.email.to_string(),
        permissions: caller.permissions().iter().collect(),
        workspace_id: caller.workspace.id,
        csrf_token,
    }))
}

/// Sign out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "Sessions",
    responses((status = 204), (status = 401, body = ErrorBody)))]
pub(crate) async fn delete(State(app): State<App>, session: Session, parts: Parts) -> Result<Response> {
    end(&app, &session).await?;
    let mut headers = HeaderMap::new();
    headers.insert(SET_COOKIE, SessionCookie::clear(&parts));
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Ends a session.
pub(crate) async fn end(app: &App, session: &Session) -> Result<()> {
    let caller = &session.caller;
    let actor: Actor = caller.actor();
    let mut change = app.store.change(caller.workspace.id, actor, caller.origin.clone()).await?;
    sessions::delete(&mut change, &session.hash).await?;
    change.record(EventType::SignedOut, None, json!({}));
    Ok(change.commit().await?)
}
