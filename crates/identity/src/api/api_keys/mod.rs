//! `/api/v1/api-keys`: keys of the workspace for automation.

pub(crate) mod create;
pub(crate) mod decide;
pub(crate) mod rotate;
pub(crate) mod update;

use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{AllowedIps, ApiKeyId, ApiKeyStatus, Permission, PermissionSet, Scope};
use provost_store::tables::api_keys::{self, ApiKeyRow, Filter};
use provost_store::{Touched, Tx};
use provost_web::{
    AnyMember, App, Caller, Error, ErrorBody, List, ListQuery, PathId, Permit, Principal, Query, Result,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApiKeyBody {
    pub(crate) id: ApiKeyId,
    pub(crate) name: String,
    /// The last four characters of the secret.
    pub(crate) last4: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) status: ApiKeyStatus,
    /// Who made it: a member or a key; null for the command line.
    pub(crate) created_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_used_at: Option<Timestamp>,
    /// The networks that it works from; none is from anywhere.
    #[schema(value_type = Vec<String>)]
    pub(crate) allowed_ips: AllowedIps,
    /// What for, as whoever asked for it says.
    pub(crate) reason: String,
    /// The member who approved it, where that was needed.
    pub(crate) approved_by: Option<String>,
    /// Until when it waits for a second person.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) request_expires_at: Option<Timestamp>,
    /// Until when the secret before works, after a rotation.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) previous_expires_at: Option<Timestamp>,
    /// When its secret was reported as leaked.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) leaked_at: Option<Timestamp>,
    /// The secret; only in the answer to its creation or rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

impl From<ApiKeyRow> for ApiKeyBody {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            request_expires_at: row.request_expires_at(),
            id: row.id,
            name: row.name,
            last4: row.last4,
            scopes: row.scopes,
            status: row.status,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            allowed_ips: row.allowed_ips,
            reason: row.reason,
            approved_by: row.approved_by,
            previous_expires_at: row.previous_expires_at,
            leaked_at: row.leaked_at,
            key: None,
        }
    }
}

/// Which keys to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shown {
    /// Only those of this status.
    status: Option<ApiKeyStatus>,
    /// Only one's own: what a member sees who does not manage keys.
    #[serde(default)]
    mine: bool,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The API keys, by age. Who does not manage them sees those that they asked for (`mine=true`).
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "API keys", params(Shown),
    responses((status = 200, body = List<ApiKeyBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    Query(shown): Query<Shown>,
) -> Result<List<ApiKeyBody>> {
    let query = ListQuery { limit: shown.limit, cursor: shown.cursor };
    if !shown.mine {
        permit.require(&app, Permission::ApiKeysWrite)?;
    }
    let own = own_only(&app, &permit)?.or_else(|| shown.mine.then(|| permit.id()));
    let filter = Filter { created_by: own, status: shown.status };
    let (ws, now) = (permit.workspace.id, app.store.clock().now());
    let rows = api_keys::list(&mut app.store.read().await?, ws, &filter, &query.page()?, now).await?;
    List::new(rows.into_iter().map(ApiKeyBody::from).collect(), &query, |key| key.id.to_string())
}

/// One API key.
#[utoipa::path(get, path = "/api/v1/api-keys/{id}", tag = "API keys", params(("id" = ApiKeyId, Path)),
    responses((status = 200, body = ApiKeyBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<update::Tagged> {
    let row = find(&app, &permit, &mut app.store.read().await?, id).await?;
    Ok(update::tagged(row))
}

/// Revoke an API key. Also one's own request that waits for a second person: then it is taken back.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "API keys", params(("id" = ApiKeyId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<StatusCode> {
    own_only(&app, &permit)?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = find(&app, &permit, &mut change, id).await?;
    api_keys::revoke(&mut change, ws, id, now).await?;
    change.touch(Touched::ApiKey(id));
    let kind = match row.status {
        ApiKeyStatus::Active => EventType::ApiKeyRevoked,
        ApiKeyStatus::PendingApproval => EventType::ApiKeyDenied,
    };
    change.record(kind, target(&row), json!({ "last4": row.last4 }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose keys the caller sees: none is everybody's. An API key sees all or nothing.
pub(crate) fn own_only(app: &App, caller: &Caller) -> Result<Option<String>> {
    match &caller.principal {
        _ if caller.may(Permission::ApiKeysWrite) => Ok(None),
        Principal::Member(member) => Ok(Some(member.id.to_string())),
        Principal::ApiKey(_) => caller.require(app, Permission::ApiKeysWrite).map(|()| None),
    }
}

/// A key that is not revoked, and that the caller may see.
async fn find(app: &App, caller: &Caller, tx: &mut Tx, id: ApiKeyId) -> Result<ApiKeyRow> {
    let own = own_only(app, caller)?;
    let row = api_keys::get(tx, caller.workspace.id, id).await?.filter(|row| row.revoked_at.is_none());
    let row = row.filter(|row| own.is_none() || row.created_by == own);
    match row {
        Some(row) => Ok(row),
        // Whether there is one that is not theirs, a member who does not manage keys is not told.
        None if own.is_some() => Err(Error::forbidden(Permission::ApiKeysWrite)),
        None => Err(Error::not_found("API key")),
    }
}

/// Refuses whoever would come by, or hand out, a key that may more than they.
fn may_grant(app: &App, caller: &Caller, scopes: &[Scope]) -> Result<()> {
    caller.may_grant(app, scopes.iter().fold(PermissionSet::NONE, |set, scope| set.union(scope.granted())))?;
    if scopes.contains(&Scope::Scim) {
        // Who provisions decides who is in which group, and by that what everybody may.
        caller.may_grant(app, PermissionSet::all())?;
    }
    Ok(())
}

fn target(row: &ApiKeyRow) -> Target {
    Target::new("api_key", row.id, row.name.as_str())
}
