//! `/api/v1/groups/{id}/members`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use provost_model::event::EventType;
use provost_model::{GroupId, MemberId};
use provost_store::tables::{groups, members};
use provost_store::{Change, Touched};
use provost_web::{App, Error, ErrorBody, List, ListQuery, PathId, PathIds, Permit, Query, Result, permits};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::groups::{find, target};
use super::members::said;
use crate::deprovision::left_group;

/// A member of a group.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupMember {
    id: MemberId,
    email: String,
    name: String,
}

/// The members of a group.
#[utoipa::path(get, path = "/api/v1/groups/{id}/members", tag = "Groups", params(("id" = GroupId, Path), ListQuery),
    responses((status = 200, body = List<GroupMember>), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    PathId(id): PathId<GroupId>,
    Query(query): Query<ListQuery>,
) -> Result<List<GroupMember>> {
    let workspace = &permit.workspace;
    if !workspace.groups.contains_key(&id) {
        return Err(Error::not_found("group"));
    }
    let ids = groups::member_ids(&mut app.store.read().await?, workspace.id, id, &query.page()?).await?;
    let found = ids.iter().filter_map(|id| workspace.members.get(id)).map(|member| GroupMember {
        id: member.id,
        email: member.email.to_string(),
        name: member.name.to_string(),
    });
    List::new(found.collect(), &query, |member| member.id.to_string())
}

/// Put a member in a group.
#[utoipa::path(put, path = "/api/v1/groups/{id}/members/{member_id}", tag = "Groups",
    params(("id" = GroupId, Path), ("member_id" = MemberId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn add(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathIds(id, member_id): PathIds<GroupId, MemberId>,
) -> Result<StatusCode> {
    // Whoever puts a member in a group hands out the group's roles.
    permit.may_grant(&app, permit.workspace.groups.get(&id).map(|group| group.granted).unwrap_or_default())?;
    let mut change = permit.change(&app).await?;
    let group = find(&mut change, id).await?;
    let email = member_email(&mut change, member_id).await?;
    let ws = change.workspace_id();
    if groups::add_member(&mut change, ws, id, member_id).await? {
        change.touch(Touched::Member(member_id));
        let details = json!({ "member_id": member_id, "member_email": email });
        change.record(EventType::GroupMemberAdded, target(&group), details);
        change.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Take a member out of a group. If it was the last that let them use Codex, everything of theirs ends.
#[utoipa::path(delete, path = "/api/v1/groups/{id}/members/{member_id}", tag = "Groups",
    params(("id" = GroupId, Path), ("member_id" = MemberId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn remove(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathIds(id, member_id): PathIds<GroupId, MemberId>,
) -> Result<Response> {
    let mut change = permit.change(&app).await?;
    let group = find(&mut change, id).await?;
    let email = member_email(&mut change, member_id).await?;
    let ws = change.workspace_id();
    let mut receipt = None;
    if groups::remove_member(&mut change, ws, id, member_id).await? {
        receipt = left_group(&mut change, &permit.workspace, id, &[member_id]).await?.pop();
        change.touch(Touched::Member(member_id));
        let details = json!({ "member_id": member_id, "member_email": email });
        change.record(EventType::GroupMemberRemoved, target(&group), details);
        change.commit().await?;
    }
    Ok((StatusCode::NO_CONTENT, receipt.map(said), ()).into_response())
}

/// The address of a member of this workspace.
pub(crate) async fn member_email(change: &mut Change, id: MemberId) -> Result<String> {
    let ws = change.workspace_id();
    let row = members::get(change, ws, id).await?.ok_or_else(|| Error::not_found("member"))?;
    Ok(row.email.to_string())
}
