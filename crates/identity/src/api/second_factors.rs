//! `/api/v1/second-factors`: a member's own second factors; and what admins do for who has lost theirs.

use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use provost_model::{BuiltinRole, FactorKind, MemberId, SecondFactorId};
use provost_store::tables::second_factors::{self, SecondFactorRow};
use provost_store::tables::{members, sessions};
use provost_store::{Change, Tx};
use provost_web::{
    App, Caller, Created, Error, ErrorBody, Json, PathId, Permit, Principal, Result, Session, name, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::mfa::{check_fresh, factors};

/// A second factor.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecondFactorBody {
    id: SecondFactorId,
    /// `totp` or `passkey`.
    kind: FactorKind,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<SecondFactorRow> for SecondFactorBody {
    fn from(row: SecondFactorRow) -> Self {
        let SecondFactorRow { id, kind, name, created_at, last_used_at, .. } = row;
        Self { id, kind, name, created_at, last_used_at }
    }
}

/// The second factors of a member.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecondFactors {
    /// By age; a member has at most ten.
    data: Vec<SecondFactorBody>,
    /// Always null: they fit on one page.
    next_cursor: Option<String>,
    /// How many recovery codes were not used yet.
    recovery_codes_left: i64,
}

async fn of(tx: &mut Tx, caller: &Caller, member: MemberId) -> Result<SecondFactors> {
    let ws = caller.workspace.id;
    let rows = second_factors::list(tx, ws, member).await?;
    let recovery_codes_left = second_factors::count_recovery_codes(tx, ws, member).await?;
    Ok(SecondFactors { data: rows.into_iter().map(Into::into).collect(), next_cursor: None, recovery_codes_left })
}

/// The member of a session.
pub(crate) fn own_id(session: &Session) -> MemberId {
    match &session.caller.principal {
        Principal::Member(member) => member.id,
        Principal::ApiKey(_) => unreachable!("a session is a member's"),
    }
}

/// One's own second factors.
#[utoipa::path(get, path = "/api/v1/second-factors", tag = "Second factors",
    responses((status = 200, body = SecondFactors), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(session: Session, State(app): State<App>) -> Result<axum::Json<SecondFactors>> {
    let mut tx = app.store.read().await?;
    of(&mut tx, &session.caller, own_id(&session)).await.map(axum::Json)
}

/// An authenticator app to set up.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTotp {
    /// How to call it; `Authenticator app` if absent.
    #[serde(default)]
    name: Option<String>,
}

/// An authenticator app that is being set up: it counts once a code has confirmed it.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotpSetUp {
    id: SecondFactorId,
    /// In base32, to type it.
    secret: String,
    /// What the QR code holds.
    otpauth_uri: String,
    /// The QR code.
    qr_svg: String,
}

/// Begin to set up an authenticator app. Needs a session of the last 15 minutes that showed the present
/// second factor, if there is one.
#[utoipa::path(post, path = "/api/v1/second-factors/totp", tag = "Second factors", request_body = NewTotp,
    responses((status = 201, body = TotpSetUp), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create_totp(
    session: Session,
    State(app): State<App>,
    Json(body): Json<NewTotp>,
) -> Result<Created<TotpSetUp>> {
    let made = begin_totp(&app, &session, body.name.as_deref()).await?;
    let factors::NewTotp { id, secret, uri, qr_svg } = made;
    Ok(Created(TotpSetUp { id, secret, otpauth_uri: uri, qr_svg }))
}

/// Begins to set up an app of the session's member.
pub(crate) async fn begin_totp(app: &App, session: &Session, called: Option<&str>) -> Result<factors::NewTotp> {
    let called = name("name", called.unwrap_or("Authenticator app"), 100)?;
    let member = own_id(session);
    let (ws, now) = (session.caller.workspace.id, app.store.clock().now());
    // No change yet: it counts for nothing before it is confirmed.
    let mut tx = app.store.write().await?;
    check_may_add(&mut tx, app, session).await?;
    let id = factors::begin_totp(&mut tx, app, ws, member, &called, now).await?;
    let shown = factors::show_totp(&mut tx, app, ws, member, id).await?;
    tx.commit().await?;
    shown.ok_or_else(|| Error::not_found("second factor"))
}

/// A change in which the session's member may add a factor.
pub(crate) async fn may_add(app: &App, session: &Session) -> Result<Change> {
    let mut change = session.caller.change(app).await?;
    check_may_add(&mut change, app, session).await?;
    Ok(change)
}

/// Refuses where the session's member may not add a factor.
pub(crate) async fn check_may_add(tx: &mut Tx, app: &App, session: &Session) -> Result<()> {
    let present = factors::check_may_add(tx, session.caller.workspace.id, own_id(session)).await?;
    check_fresh(session, !present.is_empty(), app.store.clock().now())
}

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    /// What the app shows.
    otp: String,
}

/// Confirm an authenticator app with its first code. The session counts as having shown it.
#[utoipa::path(post, path = "/api/v1/second-factors/totp/{id}/confirm", tag = "Second factors",
    params(("id" = SecondFactorId, Path)), request_body = Code,
    responses((status = 200, body = SecondFactorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn confirm_totp(
    session: Session,
    State(app): State<App>,
    PathId(id): PathId<SecondFactorId>,
    Json(body): Json<Code>,
) -> Result<axum::Json<SecondFactorBody>> {
    confirm(&app, &session, id, &body.otp).await.map(|row| axum::Json(row.into()))
}

/// Confirms an app of the session's member.
pub(crate) async fn confirm(app: &App, session: &Session, id: SecondFactorId, otp: &str) -> Result<SecondFactorRow> {
    let member = own_id(session);
    crate::mfa::pending::count_code(app, member)?;
    let mut change = may_add(app, session).await?;
    let row = factors::confirm_totp(&mut change, app, member, id, otp).await?;
    sessions::set_second_factor(&mut change, &session.hash, row.kind).await?;
    change.commit().await?;
    Ok(row)
}

/// Remove a second factor of one's own. With the last one go the recovery codes.
#[utoipa::path(delete, path = "/api/v1/second-factors/{id}", tag = "Second factors",
    params(("id" = SecondFactorId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    session: Session,
    State(app): State<App>,
    PathId(id): PathId<SecondFactorId>,
) -> Result<StatusCode> {
    remove(&app, &session, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a factor of the session's member.
pub(crate) async fn remove(app: &App, session: &Session, id: SecondFactorId) -> Result<()> {
    let mut change = session.caller.change(app).await?;
    check_fresh(session, true, change.at())?;
    factors::remove(&mut change, own_id(session), id).await?;
    Ok(change.commit().await?)
}

/// The second factors of a member.
#[utoipa::path(get, path = "/api/v1/members/{id}/second-factors", tag = "Second factors",
    params(("id" = MemberId, Path)),
    responses((status = 200, body = SecondFactors), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn list_of_member(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
) -> Result<axum::Json<SecondFactors>> {
    may_help(&app, &permit, id, None)?;
    let mut tx = app.store.read().await?;
    of(&mut tx, &permit, id).await.map(axum::Json)
}

/// Remove every second factor of a member who is locked out, with their recovery codes; their sessions
/// end. Make sure that it is them who asks.
#[utoipa::path(delete, path = "/api/v1/members/{id}/second-factors", tag = "Second factors",
    params(("id" = MemberId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn reset(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let row = members::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found("member"))?;
    may_help(&app, &permit, id, Some(row.builtin_role))?;
    if matches!(&permit.principal, Principal::Member(member) if member.id == id) {
        permit.record_refusal(&app, json!({ "reason": "own_second_factors" }));
        let message = "you remove your own second factors one by one, on the word of a fresh sign-in";
        return Err(Error::new(StatusCode::FORBIDDEN, "own_second_factors", message));
    }
    factors::reset(&mut change, id).await?;
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who takes a member's factor away may be on the way to become them: they must hold all that the member
/// does.
fn may_help(app: &App, caller: &Caller, id: MemberId, role: Option<BuiltinRole>) -> Result<()> {
    let member = caller.workspace.members.get(&id).ok_or_else(|| Error::not_found("member"))?;
    let held = caller.workspace.permissions(member);
    caller.may_grant(app, held.union(role.unwrap_or_default().granted()))
}
