//! `/api/v1/default-role`: the role of members who have no other.

use axum::extract::State;
use provost_model::RoleId;
use provost_model::event::{EventType, Target};
use provost_store::Touched;
use provost_store::tables::{roles, workspaces};
use provost_web::{App, Error, ErrorBody, Json, Permit, Result, permits};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// The default role.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultRole {
    /// Null for none.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    role_id: Option<RoleId>,
}

/// The default role.
#[utoipa::path(get, path = "/api/v1/default-role", tag = "Roles",
    responses((status = 200, body = DefaultRole), (status = 403, body = ErrorBody)))]
pub(crate) async fn show(permit: Permit<permits::MembersRead>) -> axum::Json<DefaultRole> {
    axum::Json(DefaultRole { role_id: permit.workspace.default_role_id })
}

/// Choose the default role, or none.
#[utoipa::path(put, path = "/api/v1/default-role", tag = "Roles", request_body = DefaultRole,
    responses((status = 200, body = DefaultRole), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::RolesWrite>,
    State(app): State<App>,
    Json(body): Json<DefaultRole>,
) -> Result<axum::Json<DefaultRole>> {
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let mut name = None;
    if let Some(id) = body.role_id {
        let role = roles::get(&mut change, ws, id).await?;
        let role = role.ok_or_else(|| Error::invalid("role_id", "unknown_role", "there is no such role"))?;
        permit.may_grant(&app, role.permissions)?;
        name = Some(role.name);
    }
    workspaces::set_default_role(&mut change, ws, body.role_id).await?;
    change.touch(Touched::Workspace);
    let target = body.role_id.map(|id| Target::new("role", id, name.unwrap_or_default()));
    let details = json!({ "before": permit.workspace.default_role_id, "after": body.role_id });
    change.record(EventType::DefaultRoleUpdated, target, details);
    change.commit().await?;
    Ok(axum::Json(body))
}
