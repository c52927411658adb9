//! `/api/v1/roles`: custom roles.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{GroupId, MemberId, Permission, PermissionSet, RoleId};
use provost_store::tables::roles::{self, RoleRow};
use provost_store::{Change, Touched, Tx};
use provost_web::{
    App, Created, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, name, optional_text,
    permits, present,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::settings::differences;

/// A custom role.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RoleBody {
    id: RoleId,
    name: String,
    description: String,
    permissions: Vec<Permission>,
    /// The groups that have it.
    group_ids: Vec<GroupId>,
    /// The members who have it directly.
    member_ids: Vec<MemberId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl RoleBody {
    async fn of(tx: &mut Tx, row: RoleRow) -> Result<Self> {
        let group_ids = roles::group_ids(tx, row.id).await?;
        let member_ids = roles::member_ids(tx, row.id).await?;
        let RoleRow { id, name, description, permissions, created_at, updated_at } = row;
        let permissions = permissions.iter().collect();
        Ok(Self { id, name, description, permissions, group_ids, member_ids, created_at, updated_at })
    }
}

/// A role to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    name: String,
    #[serde(default)]
    description: String,
    permissions: Vec<Permission>,
}

/// The roles, by age.
#[utoipa::path(get, path = "/api/v1/roles", tag = "Roles", params(ListQuery),
    responses((status = 200, body = List<RoleBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<RoleBody>> {
    let mut tx = app.store.read().await?;
    let mut found = Vec::new();
    for row in roles::list(&mut tx, permit.workspace.id, &query.page()?).await? {
        found.push(RoleBody::of(&mut tx, row).await?);
    }
    List::new(found, &query, |role| role.id.to_string())
}

/// Create a role.
#[utoipa::path(post, path = "/api/v1/roles", tag = "Roles", request_body = NewRole,
    responses((status = 201, body = RoleBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    Json(body): Json<NewRole>,
) -> Result<Created<RoleBody>> {
    let permissions: PermissionSet = body.permissions.into_iter().collect();
    permit.may_grant(&app, permissions)?;
    let name = name("name", &body.name, 100)?;
    let description = optional_text("description", &body.description, 500)?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = RoleRow { id: RoleId::new(now), name, description, permissions, created_at: now, updated_at: now };
    roles::insert(&mut change, ws, &row).await?;
    change.touch(Touched::Role(row.id));
    change.record(EventType::RoleCreated, target(&row), json!({ "permissions": row.permissions }));
    let body = RoleBody::of(&mut change, row).await?;
    change.commit().await?;
    Ok(Created(body))
}

/// One role.
#[utoipa::path(get, path = "/api/v1/roles/{id}", tag = "Roles", params(("id" = RoleId, Path)),
    responses((status = 200, body = RoleBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    PathId(id): PathId<RoleId>,
) -> Result<Etag<RoleBody>> {
    let mut tx = app.store.read().await?;
    let row = roles::get(&mut tx, permit.workspace.id, id).await?.ok_or_else(|| Error::not_found("role"))?;
    Ok(Etag(RoleBody::of(&mut tx, row).await?))
}

/// A change of a role: only what it names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolePatch {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    description: Option<String>,
    #[serde(default, deserialize_with = "present")]
    permissions: Option<Vec<Permission>>,
}

/// Change a role: takes effect at once for everybody who has it.
#[utoipa::path(patch, path = "/api/v1/roles/{id}", tag = "Roles", params(("id" = RoleId, Path)),
    request_body = RolePatch,
    responses((status = 200, body = RoleBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    PathId(id): PathId<RoleId>,
    headers: HeaderMap,
    Json(patch): Json<RolePatch>,
) -> Result<Etag<RoleBody>> {
    let mut change = permit.change(&app).await?;
    let before = find(&mut change, id).await?;
    let before_body = RoleBody::of(&mut change, before.clone()).await?;
    Etag(before_body.clone()).check(&headers)?;
    let mut after = before.clone();
    if let Some(text) = patch.name {
        after.name = name("name", &text, 100)?;
    }
    if let Some(text) = patch.description {
        after.description = optional_text("description", &text, 500)?;
    }
    if let Some(permissions) = patch.permissions {
        after.permissions = permissions.into_iter().collect();
        permit.may_grant(&app, after.permissions.without(before.permissions))?;
    }
    let after_body = RoleBody::of(&mut change, after.clone()).await?;
    let changed = differences(&json!(before_body), &json!(after_body));
    if changed.is_empty() {
        return Ok(Etag(before_body));
    }
    after.updated_at = change.at();
    let ws = change.workspace_id();
    roles::update(&mut change, ws, &after).await?;
    change.touch(Touched::Role(id));
    change.record(EventType::RoleUpdated, target(&after), json!({ "changed": changed }));
    let body = RoleBody::of(&mut change, after).await?;
    change.commit().await?;
    Ok(Etag(body))
}

/// Delete a role: whoever had it loses what it granted at once.
#[utoipa::path(delete, path = "/api/v1/roles/{id}", tag = "Roles", params(("id" = RoleId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    PathId(id): PathId<RoleId>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let row = find(&mut change, id).await?;
    let body = RoleBody::of(&mut change, row.clone()).await?;
    Etag(body.clone()).check(&headers)?;
    if permit.workspace.default_role_id == Some(id) {
        let message = "this is the default role: choose another default role first";
        return Err(Error::conflict("role_in_use", message));
    }
    let ws = change.workspace_id();
    roles::delete(&mut change, ws, id).await?;
    change.touch(Touched::Role(id));
    for member in body.member_ids {
        change.touch(Touched::Member(member));
    }
    change.record(EventType::RoleDeleted, target(&row), json!({ "permissions": row.permissions }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A role of this workspace.
pub(crate) async fn find(change: &mut Change, id: RoleId) -> Result<RoleRow> {
    let ws = change.workspace_id();
    roles::get(change, ws, id).await?.ok_or_else(|| Error::not_found("role"))
}

/// A role, as the target of an event.
pub(crate) fn target(row: &RoleRow) -> Target {
    Target::new("role", row.id, row.name.as_str())
}
