//! `POST /api/v1/access-tokens/{id}/rotate`: a new secret, while the old one goes on for a while.

use axum::Json as Answer;
use axum::extract::State;
use jiff::SignedDuration;
use provost_model::event::EventType;
use provost_model::{AccessTokenId, Permission};
use provost_store::Touched;
use provost_store::tables::access_tokens;
use provost_web::{App, Error, ErrorBody, Json, PathId, Principal, Result, Secret, SecretKind, Session};
use serde_json::json;

use super::{AccessTokenBody, target};
use crate::api::api_keys::rotate::Rotation;

/// Give an access token of one's own a new secret. It lives as long again as it was made for, within
/// the cap of now.
#[utoipa::path(post, path = "/api/v1/access-tokens/{id}/rotate", tag = "Access tokens",
    params(("id" = AccessTokenId, Path)), request_body = Rotation,
    responses((status = 200, body = AccessTokenBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn rotate(
    session: Session,
    State(app): State<App>,
    PathId(id): PathId<AccessTokenId>,
    Json(rotation): Json<Rotation>,
) -> Result<Answer<AccessTokenBody>> {
    let caller = &session.caller;
    caller.require(&app, Permission::CodexAccessTokensCreate)?;
    let Principal::Member(member) = &caller.principal else { unreachable!("a session is a member's") };
    let overlap = rotation.overlap()?;
    let mut change = caller.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = access_tokens::get(&mut change, ws, id).await?;
    let row = row.filter(|row| row.revoked_at.is_none() && row.member_id == member.id);
    let mut row = row.ok_or_else(|| Error::not_found("access token"))?;
    if row.workload_identity_id.is_some() {
        return Err(Error::conflict("of_a_workload", "a workload's token is not renewed: exchange for another"));
    }
    if row.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::conflict("expired", "this token has expired: make another"));
    }
    let cap = caller.workspace.settings.access_token_max_days;
    let cap = cap.map(|days| now + SignedDuration::from_hours(24 * i64::from(days)));
    let again = row.expires_at.map(|end| now + end.duration_since(row.rotated_at.unwrap_or(row.created_at)));
    row.expires_at = match (again, cap) {
        (Some(again), Some(cap)) => Some(again.min(cap)),
        (again, cap) => again.or(cap),
    };
    let secret = Secret::checked(SecretKind::AccessToken);
    access_tokens::replace_secret(&mut change, ws, id, &secret.hash, now + overlap, now).await?;
    row.rotated_at = Some(now);
    row.previous_expires_at = (!overlap.is_zero()).then(|| now + overlap);
    row.leaked_at = None;
    access_tokens::update(&mut change, ws, &row).await?;
    change.touch(Touched::AccessToken(id));
    let details = json!({ "expires_at": row.expires_at, "previous_expires_at": row.previous_expires_at });
    change.record(EventType::AccessTokenRotated, target(&row), details);
    change.commit().await?;
    Ok(Answer(AccessTokenBody { token: Some(secret.text), ..row.into() }))
}
