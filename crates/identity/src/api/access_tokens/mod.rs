//! `/api/v1/access-tokens`: personal access tokens, for programmatic use of Codex.

pub(crate) mod rotate;

use axum::extract::State;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use provost_model::event::{EventType, Target};
use provost_model::{AccessTokenId, AllowedIps, MemberId, Permission, WorkloadIdentityId};
use provost_store::Touched;
use provost_store::tables::access_tokens::{self, AccessTokenRow};
use provost_web::{
    AnyMember, App, Caller, Created, Error, ErrorBody, Json, List, ListQuery, PathId, Permit, Principal, Query, Result,
    Secret, SecretKind, Session, name,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// The longest lifetime that can be asked for, in days.
pub(crate) const MAX_DAYS: u32 = 3_650;

/// An access token, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessTokenBody {
    id: AccessTokenId,
    name: String,
    /// Whose it is: usage counts as this member's.
    created_by: MemberId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// The networks that it works from; none is from anywhere.
    #[schema(value_type = Vec<String>)]
    allowed_ips: AllowedIps,
    /// The workload identity whose exchange made it; null for one that its member made.
    workload_identity_id: Option<WorkloadIdentityId>,
    /// Until when the secret before works, after a rotation.
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_expires_at: Option<Timestamp>,
    /// When its secret was reported as leaked.
    #[schema(value_type = Option<String>, format = DateTime)]
    leaked_at: Option<Timestamp>,
    /// The secret; only in the answer to its creation or rotation.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<AccessTokenRow> for AccessTokenBody {
    fn from(row: AccessTokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            created_by: row.member_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            allowed_ips: row.allowed_ips,
            workload_identity_id: row.workload_identity_id,
            previous_expires_at: row.previous_expires_at,
            leaked_at: row.leaked_at,
            token: None,
        }
    }
}

/// A token to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccessToken {
    name: String,
    /// Null never expires, where the workspace allows that.
    #[serde(default)]
    expires_in_days: Option<u32>,
    /// Networks in CIDR notation that it works from; none is from anywhere.
    #[serde(default)]
    allowed_ips: Vec<String>,
}

/// The access tokens: one's own; owners and admins see everybody's.
#[utoipa::path(get, path = "/api/v1/access-tokens", tag = "Access tokens", params(ListQuery),
    responses((status = 200, body = List<AccessTokenBody>), (status = 401, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<AccessTokenBody>> {
    let mut tx = app.store.read().await?;
    let rows = access_tokens::list(&mut tx, permit.workspace.id, own_only(&app, &permit)?, &query.page()?).await?;
    List::new(rows.into_iter().map(AccessTokenBody::from).collect(), &query, |token| token.id.to_string())
}

/// Create an access token of one's own.
#[utoipa::path(post, path = "/api/v1/access-tokens", tag = "Access tokens", request_body = NewAccessToken,
    responses((status = 201, body = AccessTokenBody), (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    session: Session,
    State(app): State<App>,
    Json(body): Json<NewAccessToken>,
) -> Result<Created<AccessTokenBody>> {
    let caller = &session.caller;
    caller.require(&app, Permission::CodexAccessTokensCreate)?;
    let Principal::Member(member) = &caller.principal else { unreachable!("a session is a member's") };
    let name = name("name", &body.name, 100)?;
    let allowed_ips = provost_web::allowed_ips(&body.allowed_ips)?;
    check_lifetime(body.expires_in_days, caller.workspace.settings.access_token_max_days)?;
    let mut change = caller.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let secret = Secret::checked(SecretKind::AccessToken);
    let row = AccessTokenRow {
        expires_at: body.expires_in_days.map(|days| now + SignedDuration::from_hours(24 * i64::from(days))),
        allowed_ips,
        ..AccessTokenRow::new(AccessTokenId::new(now), member.id, &name, now)
    };
    access_tokens::insert(&mut change, ws, &row, &secret.hash).await?;
    change.touch(Touched::AccessToken(row.id));
    change.record(
        EventType::AccessTokenCreated,
        target(&row),
        json!({ "expires_at": row.expires_at, "allowed_ips": row.allowed_ips }),
    );
    change.commit().await?;
    Ok(Created(AccessTokenBody { token: Some(secret.text), ..row.into() }))
}

/// Revoke an access token: one's own; owners and admins revoke anybody's.
#[utoipa::path(delete, path = "/api/v1/access-tokens/{id}", tag = "Access tokens",
    params(("id" = AccessTokenId, Path)),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    PathId(id): PathId<AccessTokenId>,
) -> Result<StatusCode> {
    let own = own_only(&app, &permit)?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = access_tokens::get(&mut change, ws, id).await?;
    let row = row.filter(|row| row.revoked_at.is_none() && own.is_none_or(|member| member == row.member_id));
    let row = row.ok_or_else(|| Error::not_found("access token"))?;
    access_tokens::revoke(&mut change, ws, id, now).await?;
    change.touch(Touched::AccessToken(id));
    change.record(EventType::AccessTokenRevoked, target(&row), json!({ "member_id": row.member_id }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose tokens the caller sees: none is everybody's.
fn own_only(app: &App, caller: &Caller) -> Result<Option<MemberId>> {
    match &caller.principal {
        _ if caller.may(Permission::MembersWrite) => Ok(None),
        Principal::Member(member) => Ok(Some(member.id)),
        Principal::ApiKey(_) => caller.require(app, Permission::MembersWrite).map(|()| None),
    }
}

fn check_lifetime(days: Option<u32>, cap: Option<u32>) -> Result<()> {
    let refuse = |message: String| Err(Error::invalid("expires_in_days", "lifetime_too_long", message));
    match (days, cap) {
        (Some(0), _) => Err(Error::invalid("expires_in_days", "out_of_range", "a token lives for at least 1 day")),
        (Some(days), Some(cap)) if days > cap => {
            refuse(format!("the workspace allows at most {cap} days: ask for {cap} or fewer"))
        }
        (None, Some(cap)) => {
            refuse(format!("the workspace allows no token without an end: ask for {cap} days or fewer"))
        }
        (Some(days), _) if days > MAX_DAYS => refuse(format!("a token lives for at most {MAX_DAYS} days")),
        _ => Ok(()),
    }
}

fn target(row: &AccessTokenRow) -> Target {
    Target::new("access_token", row.id, row.name.as_str())
}
