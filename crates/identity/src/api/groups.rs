//! `/api/v1/groups`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{GroupId, GroupSource, MemberId};
use provost_store::tables::groups::{self, GroupRow};
use provost_store::{Change, Touched};
use provost_web::{
    App, Created, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, name, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::deprovision::left_group;

/// A group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct GroupBody {
    id: GroupId,
    name: String,
    source: GroupSource,
    member_count: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<GroupRow> for GroupBody {
    fn from(row: GroupRow) -> Self {
        let GroupRow { id, name, source, member_count, created_at, updated_at } = row;
        Self { id, name, source, member_count, created_at, updated_at }
    }
}

/// A group to create, or its new name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupFields {
    name: String,
}

/// The groups, by age.
#[utoipa::path(get, path = "/api/v1/groups", tag = "Groups", params(ListQuery),
    responses((status = 200, body = List<GroupBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::GroupsRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<GroupBody>> {
    let rows = groups::list(&mut app.store.read().await?, permit.workspace.id, &query.page()?).await?;
    List::new(rows.into_iter().map(GroupBody::from).collect(), &query, |group| group.id.to_string())
}

/// Create a group.
#[utoipa::path(post, path = "/api/v1/groups", tag = "Groups", request_body = GroupFields,
    responses((status = 201, body = GroupBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    Json(body): Json<GroupFields>,
) -> Result<Created<GroupBody>> {
    let name = name("name", &body.name, 200)?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = GroupRow {
        id: GroupId::new(now),
        name,
        source: GroupSource::Manual,
        member_count: 0,
        created_at: now,
        updated_at: now,
    };
    groups::insert(&mut change, ws, &row).await?;
    change.touch(Touched::Group(row.id));
    change.record(EventType::GroupCreated, target(&row), json!({ "source": row.source }));
    change.commit().await?;
    Ok(Created(row.into()))
}

/// One group.
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "Groups", params(("id" = GroupId, Path)),
    responses((status = 200, body = GroupBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::GroupsRead>,
    State(app): State<App>,
    PathId(id): PathId<GroupId>,
) -> Result<Etag<GroupBody>> {
    let row = groups::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    row.map(|row| Etag(row.into())).ok_or_else(|| Error::not_found("group"))
}

/// Rename a group.
#[utoipa::path(patch, path = "/api/v1/groups/{id}", tag = "Groups", params(("id" = GroupId, Path)),
    request_body = GroupFields,
    responses((status = 200, body = GroupBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathId(id): PathId<GroupId>,
    headers: HeaderMap,
    Json(body): Json<GroupFields>,
) -> Result<Etag<GroupBody>> {
    let name = name("name", &body.name, 200)?;
    let mut change = permit.change(&app).await?;
    let before = find(&mut change, id).await?;
    Etag(GroupBody::from(before.clone())).check(&headers)?;
    if before.name == name {
        return Ok(Etag(before.into()));
    }
    let (ws, now) = (change.workspace_id(), change.at());
    groups::rename(&mut change, ws, id, &name, now).await?;
    let after = GroupRow { name, updated_at: now, ..before.clone() };
    change.touch(Touched::Group(id));
    let details = json!({ "changed": { "name": { "before": before.name, "after": after.name } } });
    change.record(EventType::GroupUpdated, target(&after), details);
    change.commit().await?;
    Ok(Etag(after.into()))
}

/// Delete a group. Policy rules that name it stay, and match nobody. Everything ends of members for
/// whom it was the last that let them use Codex.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", tag = "Groups", params(("id" = GroupId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathId(id): PathId<GroupId>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let row = find(&mut change, id).await?;
    Etag(GroupBody::from(row.clone())).check(&headers)?;
    let ws = change.workspace_id();
    // The roles of the group are read again: they list it no longer.
    for role in permit.workspace.roles.values().filter(|role| role.groups.contains(&id)) {
        change.touch(Touched::Role(role.id));
    }
    let members: Vec<MemberId> =
        permit.workspace.members.values().filter(|member| member.is_in(id)).map(|member| member.id).collect();
    left_group(&mut change, &permit.workspace, id, &members).await?;
    groups::delete(&mut change, ws, id).await?;
    change.touch(Touched::Group(id));
    change.record(EventType::GroupDeleted, target(&row), json!({ "member_count": row.member_count }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A group that may be changed here: one that the identity provider keeps may not.
pub(crate) async fn find(change: &mut Change, id: GroupId) -> Result<GroupRow> {
    let ws = change.workspace_id();
    let row = groups::get(change, ws, id).await?.ok_or_else(|| Error::not_found("group"))?;
    if row.source == GroupSource::Scim {
        let message = "the identity provider keeps this group through SCIM: change it there";
        return Err(Error::conflict("group_is_provisioned", message));
    }
    Ok(row)
}

pub(crate) fn target(row: &GroupRow) -> Target {
    Target::new("group", row.id, row.name.as_str())
}
