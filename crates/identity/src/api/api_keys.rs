//! `/api/v1/api-keys`: keys of the workspace for automation.

use axum::extract::State;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use provost_model::event::{EventType, Target};
use provost_model::{ApiKeyId, ApiKeyStatus, Permission, PermissionSet, Scope};
use provost_store::Touched;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_web::{
    App, Created, Error, ErrorBody, Json, List, ListQuery, PathId, Permit, Query, Result, Secret, name, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyBody {
    id: ApiKeyId,
    name: String,
    /// The last four characters of the secret.
    last4: String,
    scopes: Vec<Scope>,
    status: ApiKeyStatus,
    /// Who made it: a member or a key; null for the command line.
    created_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// The secret; only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<ApiKeyRow> for ApiKeyBody {
    fn from(row: ApiKeyRow) -> Self {
        let ApiKeyRow { id, name, last4, scopes, status, created_by, created_at, expires_at, last_used_at, .. } = row;
        Self { id, name, last4, scopes, status, created_by, created_at, expires_at, last_used_at, key: None }
    }
}

/// A key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKey {
    name: String,
    scopes: Vec<Scope>,
    /// 1 to 365; absent never expires.
    expires_in_days: Option<u32>,
}

/// The API keys, by age.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "API keys", params(ListQuery),
    responses((status = 200, body = List<ApiKeyBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<ApiKeyBody>> {
    let rows = api_keys::list(&mut app.store.read().await?, permit.workspace.id, &query.page()?).await?;
    List::new(rows.into_iter().map(ApiKeyBody::from).collect(), &query, |key| key.id.to_string())
}

/// Create an API key. Nobody can make a key that may more than they.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "API keys", request_body = NewApiKey,
    responses((status = 201, body = ApiKeyBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    Json(body): Json<NewApiKey>,
) -> Result<Created<ApiKeyBody>> {
    let name = name("name", &body.name, 100)?;
    let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| body.scopes.contains(scope)).collect();
    if scopes.is_empty() {
        return Err(Error::invalid("scopes", "empty", "a key needs at least one scope"));
    }
    if body.expires_in_days.is_some_and(|days| !(1..=365).contains(&days)) {
        return Err(Error::invalid("expires_in_days", "out_of_range", "a key lives for 1 to 365 days, or has no end"));
    }
    permit.may_grant(&app, scopes.iter().fold(PermissionSet::NONE, |set, scope| set.union(scope.granted())))?;
    if scopes.contains(&Scope::Scim) {
        permit.require(&app, Permission::MembersWrite)?;
    }
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let secret = Secret::new("pk-");
    let row = ApiKeyRow {
        id: ApiKeyId::new(now),
        name,
        last4: secret.text[secret.text.len() - 4..].to_owned(),
        scopes,
        status: ApiKeyStatus::Active,
        created_by: Some(permit.id()),
        created_at: now,
        expires_at: body.expires_in_days.map(|days| now + SignedDuration::from_hours(24 * i64::from(days))),
        revoked_at: None,
        last_used_at: None,
    };
    api_keys::insert(&mut change, ws, &row, &secret.hash).await?;
    change.touch(Touched::ApiKey(row.id));
    let details = json!({ "scopes": row.scopes, "last4": row.last4, "expires_at": row.expires_at });
    change.record(EventType::ApiKeyCreated, target(&row), details);
    change.commit().await?;
    Ok(Created(ApiKeyBody { key: Some(secret.text), ..row.into() }))
}

/// Revoke an API key.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "API keys", params(("id" = ApiKeyId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = api_keys::get(&mut change, ws, id).await?.filter(|row| row.revoked_at.is_none());
    let row = row.ok_or_else(|| Error::not_found("API key"))?;
    api_keys::revoke(&mut change, ws, id, now).await?;
    change.touch(Touched::ApiKey(id));
    change.record(EventType::ApiKeyRevoked, target(&row), json!({ "last4": row.last4 }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn target(row: &ApiKeyRow) -> Target {
    Target::new("api_key", row.id, row.name.as_str())
}
