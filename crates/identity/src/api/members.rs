//! `/api/v1/members`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{BuiltinRole, DeprovisionId, Email, MemberId};
use provost_store::tables::members::{self, MemberRow};
use provost_store::{Change, Touched};
use provost_web::{
    App, Caller, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, optional_text, permits,
    present,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::settings::differences;
use crate::deprovision::{Cause, deprovision};
use crate::links::invite;
use crate::password;
use crate::sso::keep_break_glass;

/// A member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MemberBody {
    id: MemberId,
    #[schema(value_type = String)]
    email: Email,
    /// May be empty.
    name: String,
    /// False while suspended.
    active: bool,
    builtin_role: BuiltinRole,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Where the member sets a password; shown once, works for a week. Only on creation without a
    /// password.
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_url: Option<String>,
}

impl From<MemberRow> for MemberBody {
    fn from(row: MemberRow) -> Self {
        let MemberRow { id, email, name, active, builtin_role, created_at, updated_at } = row;
        Self { id, email, name, active, builtin_role, created_at, updated_at, invite_url: None }
    }
}

/// A member to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    email: String,
    #[serde(default)]
    name: String,
    /// Without one the answer holds an `invite_url`.
    password: Option<String>,
    #[serde(default)]
    builtin_role: BuiltinRole,
}

/// Which members.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MembersQuery {
    /// Only the member with this address.
    email: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The members, by age.
#[utoipa::path(get, path = "/api/v1/members", tag = "Members", params(MembersQuery),
    responses((status = 200, body = List<MemberBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    Query(query): Query<MembersQuery>,
) -> Result<List<MemberBody>> {
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    let mut tx = app.store.read().await?;
    let rows = match query.email {
        Some(email) => match Email::try_from(email) {
            Ok(email) => members::get_by_email(&mut tx, permit.workspace.id, &email).await?.into_iter().collect(),
            Err(_) => Vec::new(),
        },
        None => members::list(&mut tx, permit.workspace.id, &page.page()?).await?,
    };
    List::new(rows.into_iter().map(MemberBody::from).collect(), &page, |member| member.id.to_string())
}

/// Add a member.
#[utoipa::path(post, path = "/api/v1/members", tag = "Members", request_body = NewMember,
    responses((status = 201, body = MemberBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    Json(body): Json<NewMember>,
) -> Result<Response> {
    permit.may_grant(&app, body.builtin_role.granted())?;
    let email = parse_email(body.email)?;
    let name = optional_text("name", &body.name, 200)?;
    let password_hash = match &body.password {
        Some(password) => Some(password::hash("password", password).await?),
        None => None,
    };
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    if members::get_by_email(&mut change, ws, &email).await?.is_some() {
        return Err(email_taken());
    }
    let row = MemberRow {
        id: MemberId::new(now),
        email,
        name,
        active: true,
        builtin_role: body.builtin_role,
        created_at: now,
        updated_at: now,
    };
    let has_password = password_hash.is_some();
    members::insert(&mut change, ws, &row, password_hash).await?;
    let invite_path = if has_password { None } else { Some(invite(&mut change, ws, row.id, now).await?) };
    change.touch(Touched::Member(row.id));
    let details = json!({ "builtin_role": row.builtin_role, "invited": !has_password });
    change.record(EventType::MemberCreated, target(&row), details);
    change.commit().await?;
    let invite_url = invite_path.map(|path| format!("{}{path}", app.public_url));
    // The link is shown this once, so it is no part of what the tag guards.
    let tag = Etag(MemberBody::from(row.clone())).header();
    Ok((StatusCode::CREATED, [tag], axum::Json(MemberBody { invite_url, ..row.into() })).into_response())
}

/// One member.
#[utoipa::path(get, path = "/api/v1/members/{id}", tag = "Members", params(("id" = MemberId, Path)),
    responses((status = 200, body = MemberBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
) -> Result<Etag<MemberBody>> {
    let row = members::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    row.map(|row| Etag(row.into())).ok_or_else(|| Error::not_found("member"))
}

/// A change of a member: only what it names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberPatch {
    #[serde(default, deserialize_with = "present")]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    /// False suspends: sessions and tokens end at once.
    #[serde(default, deserialize_with = "present")]
    active: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    builtin_role: Option<BuiltinRole>,
}

/// Change a member.
#[utoipa::path(patch, path = "/api/v1/members/{id}", tag = "Members", params(("id" = MemberId, Path)),
    request_body = MemberPatch,
    responses((status = 200, body = MemberBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
    headers: HeaderMap,
    Json(patch): Json<MemberPatch>,
) -> Result<Response> {
    let mut change = permit.change(&app).await?;
    let before = find(&app, &permit, &mut change, id).await?;
    Etag(MemberBody::from(before.clone())).check(&headers)?;
    let mut after = before.clone();
    if let Some(email) = patch.email {
        after.email = parse_email(email)?;
    }
    if let Some(name) = patch.name {
        after.name = optional_text("name", &name, 200)?;
    }
    if let Some(role) = patch.builtin_role {
        permit.may_grant(&app, role.granted())?;
        after.builtin_role = role;
    }
    after.active = patch.active.unwrap_or(after.active);
    let changed = differences(&json!(MemberBody::from(before.clone())), &json!(MemberBody::from(after.clone())));
    if changed.is_empty() {
        return Ok(Etag(MemberBody::from(before)).into_response());
    }
    if !after.active || after.builtin_role != BuiltinRole::Owner {
        keep_an_owner(&mut change, &before).await?;
        keep_break_glass(&mut change, id).await?;
    }
    let ws = change.workspace_id();
    let namesake = members::get_by_email(&mut change, ws, &after.email).await?;
    if namesake.is_some_and(|other| other.id != id) {
        return Err(email_taken());
    }
    after.updated_at = change.at();
    members::update(&mut change, ws, &after).await?;
    change.touch(Touched::Member(id));
    let mut receipt = None;
    match (before.active, after.active) {
        (true, false) => {
            let email = after.email.as_str();
            let made = deprovision(&mut change, &permit.workspace, id, email, Cause::Suspended).await?;
            let details = json!({ "changed": changed, "deprovision_id": made });
            change.record(EventType::MemberSuspended, target(&after), details);
            receipt = Some(made);
        }
        (false, true) => change.record(EventType::MemberReactivated, target(&after), json!({ "changed": changed })),
        _ => change.record(EventType::MemberUpdated, target(&after), json!({ "changed": changed })),
    }
    change.commit().await?;
    Ok((receipt.map(said), Etag(MemberBody::from(after))).into_response())
}

/// Delete a member: sessions and tokens end at once.
#[utoipa::path(delete, path = "/api/v1/members/{id}", tag = "Members", params(("id" = MemberId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut change = permit.change(&app).await?;
    let row = find(&app, &permit, &mut change, id).await?;
    Etag(MemberBody::from(row.clone())).check(&headers)?;
    keep_an_owner(&mut change, &row).await?;
    keep_break_glass(&mut change, id).await?;
    let ws = change.workspace_id();
    let receipt = deprovision(&mut change, &permit.workspace, id, row.email.as_str(), Cause::Deleted).await?;
    members::delete(&mut change, ws, id).await?;
    change.touch(Touched::Member(id));
    change.record(EventType::MemberDeleted, target(&row), json!({ "deprovision_id": receipt }));
    change.commit().await?;
    Ok((StatusCode::NO_CONTENT, said(receipt)).into_response())
}

/// Where the receipt is, beside an answer whose shape is fixed.
pub(crate) fn said(receipt: DeprovisionId) -> [(HeaderName, String); 1] {
    [(HeaderName::from_static("x-provost-deprovision"), receipt.to_string())]
}

/// A member whom the caller may change: nobody changes who holds more power over others than they.
async fn find(app: &App, caller: &Caller, change: &mut Change, id: MemberId) -> Result<MemberRow> {
    let ws = change.workspace_id();
    let row = members::get(change, ws, id).await?.ok_or_else(|| Error::not_found("member"))?;
    let held = caller.workspace.members.get(&id).map(|member| caller.workspace.permissions(member));
    caller.may_grant(app, held.unwrap_or_default().union(row.builtin_role.granted()))?;
    Ok(row)
}

/// Refuses what would leave the workspace without an owner who can sign in.
async fn keep_an_owner(change: &mut Change, row: &MemberRow) -> Result<()> {
    let ws = change.workspace_id();
    let is_owner = row.active && row.builtin_role == BuiltinRole::Owner;
    if is_owner && members::count_other_owners(change, ws, row.id).await? == 0 {
        let message = "this is the last owner of the workspace: make another member an owner first";
        return Err(Error::conflict("last_owner", message));
    }
    Ok(())
}

fn parse_email(email: String) -> Result<Email> {
    Email::try_from(email).map_err(|error| Error::invalid("email", "invalid_email", error.to_string()))
}

fn email_taken() -> Error {
    let message = "a member with this e-mail address exists already (letter case and Unicode form do not count)";
    Error::conflict("email_taken", message).with_field("email")
}

fn target(row: &MemberRow) -> Target {
    Target::new("member", row.id, row.email.as_str())
}
