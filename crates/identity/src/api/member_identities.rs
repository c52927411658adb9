//! `/api/v1/members/{id}/identities`: as whom the identity providers know a member.

use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{ConnectionId, MemberId, PermissionSet};
use provost_store::tables::identities::{self, IdentityRow};
use provost_store::tables::members;
use provost_web::{App, Error, ErrorBody, List, ListQuery, PathId, Permit, Result, permits};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

/// A member as one provider knows them.
#[derive(Serialize, ToSchema)]
pub(crate) struct IdentityBody {
    connection_id: ConnectionId,
    /// What the provider calls them: it stays when the address changes.
    subject: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
}

impl From<IdentityRow> for IdentityBody {
    fn from(row: IdentityRow) -> Self {
        let IdentityRow { connection_id, subject, created_at, last_used_at } = row;
        Self { connection_id, subject, created_at, last_used_at }
    }
}

/// As whom the identity providers know a member.
#[utoipa::path(get, path = "/api/v1/members/{id}/identities", tag = "Identity providers",
    params(("id" = MemberId, Path)),
    responses((status = 200, body = List<IdentityBody>), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::MembersRead>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
) -> Result<List<IdentityBody>> {
    let mut tx = app.store.read().await?;
    let ws = permit.workspace.id;
    members::get(&mut tx, ws, id).await?.ok_or_else(|| Error::not_found("member"))?;
    let rows = identities::of_member(&mut tx, ws, id).await?;
    let all = ListQuery { limit: Some(1_000), cursor: None };
    List::new(rows.into_iter().map(IdentityBody::from).collect(), &all, |row| row.subject.clone())
}

/// Forget as whom the identity providers know a member: at the next sign-in their address decides
/// again. For somebody whom a provider has made anew.
#[utoipa::path(delete, path = "/api/v1/members/{id}/identities", tag = "Identity providers",
    params(("id" = MemberId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::MembersWrite>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
) -> Result<StatusCode> {
    // Who comes next with that address is that member.
    permit.may_grant(&app, PermissionSet::all())?;
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let row = members::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found("member"))?;
    let forgotten = identities::delete_of_member(&mut change, ws, id).await?;
    let target = Target::new("member", id, row.email.as_str());
    change.record(EventType::MemberUpdated, target, json!({ "identities_forgotten": forgotten }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
