//! `PATCH /api/v1/api-keys/{id}`: the name, and from where it works.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use provost_model::event::EventType;
use provost_model::{ApiKeyId, ApiKeyStatus};
use provost_store::Touched;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::workspaces;
use provost_web::{
    App, Error, ErrorBody, Etag, Json, PathId, Permit, Principal, Result, address, name, permits, present,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{ApiKeyBody, may_grant, target};
use crate::api::settings::differences;

/// A key with the tag of what can be changed of it: its use does not change that.
pub(crate) struct Tagged(ApiKeyRow);

pub(super) fn tagged(row: ApiKeyRow) -> Tagged {
    Tagged(row)
}

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        ([Etag(editable(&self.0)).header()], axum::Json(ApiKeyBody::from(self.0))).into_response()
    }
}

fn editable(row: &ApiKeyRow) -> Value {
    json!({ "name": row.name, "allowed_ips": row.allowed_ips })
}

/// What to change of a key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeyPatch {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    /// Networks in CIDR notation that it works from; none is from anywhere.
    #[serde(default, deserialize_with = "present")]
    allowed_ips: Option<Vec<String>>,
}

/// Rename an API key, or change from where it works. What waits for approval stays as it was asked
/// for; and where keys need approval, who asked for one cannot widen alone from where it works.
#[utoipa::path(patch, path = "/api/v1/api-keys/{id}", tag = "API keys", params(("id" = ApiKeyId, Path)),
    request_body = ApiKeyPatch,
    responses((status = 200, body = ApiKeyBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
    parts: Parts,
    headers: HeaderMap,
    Json(patch): Json<ApiKeyPatch>,
) -> Result<Tagged> {
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let row = api_keys::get(&mut change, ws, id).await?.filter(|row| row.revoked_at.is_none());
    let mut row = row.ok_or_else(|| Error::not_found("API key"))?;
    let before = Etag(editable(&row));
    before.check(&headers)?;
    if row.status != ApiKeyStatus::Active {
        return Err(Error::conflict("not_active", "this key waits for approval: deny it and ask again"));
    }
    if let Some(text) = &patch.name {
        row.name = name("name", text, 100)?;
    }
    if let Some(texts) = &patch.allowed_ips {
        let wanted = provost_web::allowed_ips(texts)?;
        if wanted != row.allowed_ips {
            may_grant(&app, &permit, &row.scopes)?;
        }
        let is_itself = matches!(&permit.principal, Principal::ApiKey(key) if key.id == id);
        if is_itself && !wanted.allow(address(&parts)) {
            let message = "this would lock out the key that you are using: include the address that you call from";
            return Err(Error::invalid("allowed_ips", "locks_out_caller", message));
        }
        let needs_approval = workspaces::settings(&mut change, ws).await?.api_key_approval;
        if needs_approval && !wanted.is_within(&row.allowed_ips) {
            let known = permit.people(&mut change).await?;
            if known.is_empty() || known.iter().any(|member| row.known_by.contains(member)) {
                let message = "where keys need approval, another member must widen from where a key works";
                return Err(Error::new(StatusCode::FORBIDDEN, "approval_required", message));
            }
        }
        row.allowed_ips = wanted;
    }
    let changed = differences(&before.0, &editable(&row));
    if !changed.is_empty() {
        api_keys::update(&mut change, ws, &row).await?;
        change.touch(Touched::ApiKey(id));
        change.record(EventType::ApiKeyUpdated, target(&row), json!({ "changed": changed }));
        change.commit().await?;
    }
    Ok(Tagged(row))
}
