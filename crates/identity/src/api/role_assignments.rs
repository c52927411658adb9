//! `/api/v1/roles/{id}/groups/{group_id}`, `/api/v1/roles/{id}/members/{member_id}`: who has a role.

use axum::extract::State;
use http::StatusCode;
use provost_model::event::EventType;
use provost_model::{GroupId, MemberId, RoleId};
use provost_store::tables::{groups, roles};
use provost_store::{Change, Touched};
use provost_web::{App, Error, ErrorBody, PathIds, Permit, Result, permits};
use serde_json::{Value, json};

use super::group_members::member_email;
use super::roles::{find, target};

/// Give a role to a group.
#[utoipa::path(put, path = "/api/v1/roles/{id}/groups/{group_id}", tag = "Roles",
    params(("id" = RoleId, Path), ("group_id" = GroupId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn assign_to_group(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    PathIds(id, group_id): PathIds<RoleId, GroupId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let role = find(&mut change, id).await?;
    permit.may_grant(&app, role.permissions)?;
    let details = group_details(&mut change, group_id).await?;
    if roles::assign_to_group(&mut change, id, group_id).await? {
        change.touch(Touched::Role(id));
        change.record(EventType::RoleAssigned, target(&role), details);
        change.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Take a role from a group.
#[utoipa::path(delete, path = "/api/v1/roles/{id}/groups/{group_id}", tag = "Roles",
    params(("id" = RoleId, Path), ("group_id" = GroupId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn unassign_from_group(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    PathIds(id, group_id): PathIds<RoleId, GroupId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let role = find(&mut change, id).await?;
    let details = group_details(&mut change, group_id).await?;
    if roles::unassign_from_group(&mut change, id, group_id).await? {
        change.touch(Touched::Role(id));
        change.record(EventType::RoleUnassigned, target(&role), details);
        change.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Give a role to a member.
#[utoipa::path(put, path = "/api/v1/roles/{id}/members/{member_id}", tag = "Roles",
    params(("id" = RoleId, Path), ("member_id" = MemberId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn assign_to_member(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    PathIds(id, member_id): PathIds<RoleId, MemberId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let role = find(&mut change, id).await?;
    permit.may_grant(&app, role.permissions)?;
    let email = member_email(&mut change, member_id).await?;
    if roles::assign_to_member(&mut change, id, member_id).await? {
        change.touch(Touched::Member(member_id));
        let details = json!({ "member_id": member_id, "member_email": email });
        change.record(EventType::RoleAssigned, target(&role), details);
        change.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Take a role from a member.
#[utoipa::path(delete, path = "/api/v1/roles/{id}/members/{member_id}", tag = "Roles",
    params(("id" = RoleId, Path), ("member_id" = MemberId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn unassign_from_member(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    PathIds(id, member_id): PathIds<RoleId, MemberId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let role = find(&mut change, id).await?;
    let email = member_email(&mut change, member_id).await?;
    if roles::unassign_from_member(&mut change, id, member_id).await? {
        change.touch(Touched::Member(member_id));
        let details = json!({ "member_id": member_id, "member_email": email });
        change.record(EventType::RoleUnassigned, target(&role), details);
        change.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn group_details(change: &mut Change, id: GroupId) -> Result<Value> {
    let ws = change.workspace_id();
    let group = groups::get(change, ws, id).await?.ok_or_else(|| Error::not_found("group"))?;
    Ok(json!({ "group_id": id, "group_name": group.name }))
}
