//! `POST /api/v1/api-keys`: a key is made, or asked for.

use axum::extract::State;
use jiff::SignedDuration;
use provost_model::event::EventType;
use provost_model::{ApiKeyId, ApiKeyStatus, Permission, Scope};
use provost_store::Touched;
use provost_store::tables::api_keys::{self, ApiKeyRow, Filter};
use provost_store::tables::{Page, workspaces};
use provost_web::{
    AnyMember, App, Caller, Created, Error, ErrorBody, Json, Permit, Principal, Result, Secret, SecretKind, name,
    optional_text,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{ApiKeyBody, may_grant, target};

/// How many keys a member who does not manage them may have waiting for a second person.
const MAX_WAITING: usize = 5;
/// How many who manages them may have waiting.
const MAX_WAITING_OF_MANAGERS: usize = 50;

/// A key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiKey {
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
    /// 1 to 365; absent never expires.
    #[serde(default)]
    pub(crate) expires_in_days: Option<u32>,
    /// Networks in CIDR notation that it works from; none is from anywhere.
    #[serde(default)]
    pub(crate) allowed_ips: Vec<String>,
    /// What for. Who does not manage keys must say.
    #[serde(default)]
    pub(crate) reason: String,
}

/// Create an API key. Nobody can make a key that may more than they. It waits for a second person
/// (`pending_approval`) where the workspace wants that, and always when a member asks who does not
/// manage keys: those may ask for every scope but `admin`.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "API keys", request_body = NewApiKey,
    responses((status = 201, body = ApiKeyBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    body: Result<Json<NewApiKey>>,
) -> Result<Created<ApiKeyBody>> {
    // Who may not hears that first, whatever they send.
    super::own_only(&app, &permit)?;
    let Json(body) = body?;
    let (row, secret) = ask(&app, &permit, body).await?;
    Ok(Created(ApiKeyBody { key: Some(secret.text), ..row.into() }))
}

/// Makes a key, or notes that one is asked for. The secret is given out once and works once the key
/// is active.
pub(crate) async fn ask(app: &App, caller: &Caller, body: NewApiKey) -> Result<(ApiKeyRow, Secret)> {
    let name = name("name", &body.name, 100)?;
    let reason = optional_text("reason", &body.reason, 500)?;
    let allowed_ips = provost_web::allowed_ips(&body.allowed_ips)?;
    let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| body.scopes.contains(scope)).collect();
    if scopes.is_empty() {
        return Err(Error::invalid("scopes", "empty", "a key needs at least one scope"));
    }
    if body.expires_in_days.is_some_and(|days| !(1..=365).contains(&days)) {
        return Err(Error::invalid("expires_in_days", "out_of_range", "a key lives for 1 to 365 days, or has no end"));
    }
    let manages = caller.may(Permission::ApiKeysWrite);
    if manages {
        may_grant(app, caller, &scopes)?;
    } else {
        // Everything else is an approver's to grant; a key to the whole admin API is not for asking.
        if scopes.contains(&Scope::Admin) || !matches!(caller.principal, Principal::Member(_)) {
            caller.require(app, Permission::ApiKeysWrite)?;
        }
        if reason.is_empty() {
            // Without a reason it is no request: they try to make a key, which they may not.
            caller.require(app, Permission::ApiKeysWrite)?;
        }
    }
    let mut change = caller.change(app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let waits = !manages || workspaces::settings(&mut change, ws).await?.api_key_approval;
    if waits {
        let most = if manages { MAX_WAITING_OF_MANAGERS } else { MAX_WAITING };
        let filter = Filter { created_by: Some(caller.id()), status: Some(ApiKeyStatus::PendingApproval) };
        let page = Page { after: None, limit: 100 };
        if api_keys::list(&mut change, ws, &filter, &page, now).await?.len() >= most {
            let message = format!("{most} of your keys wait for approval already: have them decided, or take one back");
            return Err(Error::conflict("too_many_waiting", message));
        }
    }
    let secret = Secret::checked(SecretKind::ApiKey);
    let row = ApiKeyRow {
        last4: secret.last4().to_owned(),
        scopes,
        status: if waits { ApiKeyStatus::PendingApproval } else { ApiKeyStatus::Active },
        created_by: Some(caller.id()),
        expires_at: body.expires_in_days.map(|days| now + SignedDuration::from_hours(24 * i64::from(days))),
        allowed_ips,
        reason,
        known_by: caller.people(&mut change).await?,
        ..ApiKeyRow::new(ApiKeyId::new(now), &name, now)
    };
    api_keys::insert(&mut change, ws, &row, &secret.hash).await?;
    change.touch(Touched::ApiKey(row.id));
    let kind = if waits { EventType::ApiKeyRequested } else { EventType::ApiKeyCreated };
    let details = json!({
        "scopes": row.scopes, "last4": row.last4, "expires_at": row.expires_at, "allowed_ips": row.allowed_ips,
        "reason": row.reason,
    });
    change.record(kind, target(&row), details);
    change.commit().await?;
    Ok((row, secret))
}
