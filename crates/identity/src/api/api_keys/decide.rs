//! `POST /api/v1/api-keys/{id}/approve` and `/deny`: the second person.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use provost_model::event::EventType;
use provost_model::{ApiKeyId, ApiKeyStatus, MemberId, Permission};
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::members;
use provost_store::{Change, Touched};
use provost_web::{App, Caller, Error, ErrorBody, PathId, Result, Session};
use serde_json::json;

use super::{ApiKeyBody, may_grant, target};

/// What the second person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The key works from now on.
    Approve,
    /// The key never works.
    Deny,
}

/// Approve an API key that waits. Only in a member's own session, who holds what the key is to hold,
/// and who has not seen its secret: not who asked for it, nor who made the key that it was asked for
/// with. All of those must be active members still, and that key must not be revoked.
#[utoipa::path(post, path = "/api/v1/api-keys/{id}/approve", tag = "API keys", params(("id" = ApiKeyId, Path)),
    responses((status = 200, body = ApiKeyBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn approve(
    session: Session,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Json<ApiKeyBody>> {
    decide(&app, &session.caller, id, Decision::Approve).await.map(Json)
}

/// Deny an API key that waits.
#[utoipa::path(post, path = "/api/v1/api-keys/{id}/deny", tag = "API keys", params(("id" = ApiKeyId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn deny(session: Session, State(app): State<App>, PathId(id): PathId<ApiKeyId>) -> Result<StatusCode> {
    decide(&app, &session.caller, id, Decision::Deny).await.map(|_| StatusCode::NO_CONTENT)
}

/// Decides on a key that waits, as a member in their own session.
pub(crate) async fn decide(app: &App, caller: &Caller, id: ApiKeyId, decision: Decision) -> Result<ApiKeyBody> {
    caller.require(app, Permission::ApiKeysWrite)?;
    let mut change = caller.change(app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = api_keys::get(&mut change, ws, id).await?.filter(|row| row.revoked_at.is_none());
    let mut row = row.ok_or_else(|| Error::not_found("API key"))?;
    match row.request_expires_at() {
        None => return Err(Error::conflict("not_waiting", "this key does not wait for approval")),
        Some(end) if end <= now => {
            return Err(Error::conflict(
                "request_expired",
                "nobody answered within 7 days: it must be asked for again",
            ));
        }
        Some(_) => {}
    }
    if decision == Decision::Deny {
        api_keys::revoke(&mut change, ws, id, now).await?;
        finish(change, EventType::ApiKeyDenied, &row).await?;
        return Ok(row.into());
    }
    let subject = json!({ "api_key_id": id });
    caller.require_second_person(app, &mut change, &row.known_by, "a key", subject).await?;
    may_grant(app, caller, &row.scopes)?;
    if somebody_left(&mut change, &row).await? {
        let message = "who asked for this key, or knows the key that it was asked for with, is no longer an active \
                       member, or that key is revoked: deny it";
        return Err(Error::conflict("requester_left", message));
    }
    row.status = ApiKeyStatus::Active;
    row.approved_by = Some(caller.id());
    api_keys::update(&mut change, ws, &row).await?;
    finish(change, EventType::ApiKeyApproved, &row).await?;
    Ok(row.into())
}

/// Whether somebody who knows the secret of a key that waits is out by now: whoever approves it would
/// let them in again. Asked of the database, which the change has locked.
async fn somebody_left(change: &mut Change, row: &ApiKeyRow) -> Result<bool> {
    let ws = change.workspace_id();
    if let Some(id) = row.created_by.as_deref().and_then(|id| id.parse::<ApiKeyId>().ok())
        && api_keys::get(change, ws, id).await?.is_none_or(|key| key.revoked_at.is_some())
    {
        return Ok(true);
    }
    let asker = row.created_by.iter().filter(|id| !row.known_by.contains(id));
    for id in row.known_by.iter().chain(asker).filter_map(|id| id.parse::<MemberId>().ok()) {
        if !members::is_active(change, ws, id).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn finish(mut change: Change, kind: EventType, row: &ApiKeyRow) -> Result<()> {
    change.touch(Touched::ApiKey(row.id));
    let details = json!({ "scopes": row.scopes, "last4": row.last4, "requested_by": row.created_by });
    change.record(kind, target(row), details);
    Ok(change.commit().await?)
}
