//! `POST /api/v1/api-keys/{id}/rotate`: a new secret, while the old one goes on for a while.

use axum::extract::State;
use http::StatusCode;
use jiff::SignedDuration;
use provost_model::event::EventType;
use provost_model::{ApiKeyId, ApiKeyStatus, Permission};
use provost_store::Touched;
use provost_store::tables::{api_keys, workspaces};
use provost_web::{AnyMember, App, Error, ErrorBody, Json, PathId, Permit, Principal, Result, Secret, SecretKind};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{ApiKeyBody, may_grant, target};

/// How a secret is replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the secret before still works: 0 to 168, 24 if absent.
    #[serde(default = "a_day")]
    overlap_hours: u32,
}

fn a_day() -> u32 {
    24
}

impl Rotation {
    /// How long both secrets work.
    pub(crate) fn overlap(&self) -> Result<SignedDuration> {
        if self.overlap_hours > 168 {
            let message = "the secret before works for 0 to 168 hours (a week)";
            return Err(Error::invalid("overlap_hours", "out_of_range", message));
        }
        Ok(SignedDuration::from_hours(i64::from(self.overlap_hours)))
    }
}

/// Give an API key a new secret. A key may do this for itself, and who asked for it; another who
/// manages keys may where they hold what the key holds, and no second person is needed.
#[utoipa::path(post, path = "/api/v1/api-keys/{id}/rotate", tag = "API keys", params(("id" = ApiKeyId, Path)),
    request_body = Rotation,
    responses((status = 200, body = ApiKeyBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn rotate(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
    body: Result<Json<Rotation>>,
) -> Result<axum::Json<ApiKeyBody>> {
    let manages = permit.may(Permission::ApiKeysWrite);
    let is_itself = matches!(&permit.principal, Principal::ApiKey(key) if key.id == id);
    if !is_itself {
        super::own_only(&app, &permit)?;
    }
    let overlap = body?.0.overlap()?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = api_keys::get(&mut change, ws, id).await?.filter(|row| row.revoked_at.is_none());
    let asked_for_it = |row: &api_keys::ApiKeyRow| row.created_by.as_deref() == Some(permit.id().as_str());
    let row = row.filter(|row| is_itself || manages || asked_for_it(row));
    let mut row = row.ok_or_else(|| Error::not_found("API key"))?;
    if row.status != ApiKeyStatus::Active {
        return Err(Error::conflict("not_active", "this key waits for approval and does not work yet"));
    }
    if row.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::conflict("expired", "this key has expired: make another"));
    }
    // What a second person approved for somebody is still theirs to renew.
    let is_theirs = is_itself || (asked_for_it(&row) && row.approved_by.is_some());
    if !is_theirs {
        permit.require(&app, Permission::ApiKeysWrite)?;
        may_grant(&app, &permit, &row.scopes)?;
        if workspaces::settings(&mut change, ws).await?.api_key_approval && !asked_for_it(&row) {
            let message = "where keys need approval, only who asked for a key gets its new secret: ask for a key";
            return Err(Error::new(StatusCode::FORBIDDEN, "approval_required", message));
        }
    }
    let secret = Secret::checked(SecretKind::ApiKey);
    api_keys::replace_secret(&mut change, ws, id, &secret.hash, now + overlap, now).await?;
    // It lives as long again as it was made for.
    row.expires_at = row.expires_at.map(|end| now + end.duration_since(row.rotated_at.unwrap_or(row.created_at)));
    row.last4 = secret.last4().to_owned();
    row.rotated_at = Some(now);
    row.previous_expires_at = (!overlap.is_zero()).then(|| now + overlap);
    row.leaked_at = None;
    for member in permit.known_by(&mut change).await? {
        if !row.known_by.contains(&member) {
            row.known_by.push(member);
        }
    }
    api_keys::update(&mut change, ws, &row).await?;
    change.touch(Touched::ApiKey(id));
    let details = json!({
        "last4": row.last4, "expires_at": row.expires_at, "previous_expires_at": row.previous_expires_at,
    });
    change.record(EventType::ApiKeyRotated, target(&row), details);
    change.commit().await?;
    Ok(axum::Json(ApiKeyBody { key: Some(secret.text), ..row.into() }))
}
