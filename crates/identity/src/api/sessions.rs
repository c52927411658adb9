//! `/api/v1/sessions`, `/api/v1/session`: a member's own session.

use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use provost_model::event::{Actor, EventType};
use provost_model::{CloudRefusal, FactorKind, MemberId, Permission};
use provost_store::tables::sessions;
use provost_web::{App, Error, ErrorBody, Json, Principal, Result, Session, SessionCookie};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::sign_in::{Begun, sign_in};

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The member's address.
    email: String,
    /// The member's password.
    password: String,
    /// A code of the authenticator app, or a recovery code, where a second factor is set up.
    #[serde(default)]
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

/// Sign in: answers with a session cookie. With a second factor set up and no `otp` the code is
/// `second_factor_required`; where the workspace requires one and there is none,
/// `second_factor_enrolment_required`.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "Sessions", request_body = SignIn, security(()),
    responses((status = 200, body = SignedIn), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 429, body = ErrorBody)))]
pub(crate) async fn create(State(app): State<App>, parts: Parts, Json(body): Json<SignIn>) -> Result<Response> {
    let otp = body.otp.as_deref().filter(|otp| !otp.trim().is_empty());
    let (member_id, begun) = sign_in(&app, &parts, &body.email, &body.password, otp, "/").await?;
    Ok(match begun {
        Begun::Session(cookie, device) => signed_in(member_id, *cookie, device),
        Begun::Waiting { cookie, methods } => {
            let mut response = second_factor_required(&methods).into_response();
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
    })
}

/// The answer to whoever has signed in.
pub(crate) fn signed_in(member_id: MemberId, cookie: SessionCookie, device: HeaderValue) -> Response {
    let answer = SignedIn { member_id, csrf_token: cookie.csrf_token };
    let cookies = AppendHeaders([(SET_COOKIE, cookie.header), (SET_COOKIE, device)]);
    (cookies, axum::Json(answer)).into_response()
}

/// The password was right, and is not enough.
fn second_factor_required(methods: &[FactorKind]) -> Error {
    if methods.is_empty() {
        let message = "this workspace requires a second factor and you have none: sign in with a browser at `/sign-in`, \
                       which sets one up";
        let error = Error::new(StatusCode::FORBIDDEN, "second_factor_enrolment_required", message);
        return error.with_details(json!({ "path": "/sign-in" }));
    }
    let message = "send a code of your second factor in `otp`, or answer with a passkey";
    let error = Error::new(StatusCode::UNAUTHORIZED, "second_factor_required", message);
    error.with_details(json!({ "methods": methods }))
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
    /// Whether it may go on to Codex cloud. (This Provost has no cloud yet: it is what it will ask.)
    codex_cloud: CloudGate,
}

/// Whether a member may go on to Codex cloud.
#[derive(Serialize, ToSchema)]
pub(crate) struct CloudGate {
    allowed: bool,
    /// `suspended`, `not_permitted` or `second_factor_missing`; null if it is allowed.
    #[schema(value_type = Option<String>)]
    reason: Option<CloudRefusal>,
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "Sessions",
    responses((status = 200, body = Current), (status = 401, body = ErrorBody)))]
pub(crate) async fn show(session: Session) -> Result<axum::Json<Current>> {
    let Session { caller, csrf_token, .. } = session;
    let Principal::Member(member) = &caller.principal else { unreachable!("a session is a member's") };
    let reason = caller.workspace.cloud_gate(member).err();
    Ok(axum::Json(Current {
        codex_cloud: CloudGate { allowed: reason.is_none(), reason },
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
