//! `/api/v1/workload-identities`: whose tokens may be exchanged for access (RFC 8693).

use std::collections::BTreeMap;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{MemberId, Pattern, WorkloadIdentityId};
use provost_store::tables::access_tokens;
use provost_store::tables::workload_identities::{self, WorkloadIdentityRow};
use provost_store::{Change, Touched};
use provost_web::{
    App, Caller, Created, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, fetch, name,
    permits, present,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;

use super::settings::differences;

/// The most identities of a workspace.
const MAX_IDENTITIES: i64 = 200;
/// The most claims that an identity asks for.
const MAX_CLAIMS: usize = 20;
/// What has a check of its own.
const NOT_CONDITIONS: [&str; 7] = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti"];

/// A workload identity.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkloadIdentityBody {
    id: WorkloadIdentityId,
    name: String,
    /// Who signs the tokens.
    issuer: String,
    /// For whom the tokens are.
    audience: String,
    /// What the subject of a token must fit: `*` stands for any run of characters but `:`, `**` for
    /// any run at all.
    subject_pattern: String,
    /// What other claims must fit, by name.
    claims: BTreeMap<String, String>,
    /// As whom it acts.
    member_id: MemberId,
    /// How long the access lasts that a token is exchanged for.
    max_minutes: u32,
    enabled: bool,
    /// Who made it: a member or a key; null where that is not known.
    created_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When a token was last exchanged.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<WorkloadIdentityRow> for WorkloadIdentityBody {
    fn from(row: WorkloadIdentityRow) -> Self {
        let WorkloadIdentityRow { id, name, issuer, audience, subject_pattern, claims, member_id, .. } = row;
        let WorkloadIdentityRow { max_minutes, enabled, created_by, created_at, updated_at, last_used_at, .. } = row;
        Self {
            id,
            name,
            issuer,
            audience,
            subject_pattern,
            claims,
            member_id,
            max_minutes,
            enabled,
            created_by,
            created_at,
            updated_at,
            last_used_at,
        }
    }
}

/// A workload identity to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWorkloadIdentity {
    name: String,
    issuer: String,
    audience: String,
    subject_pattern: String,
    #[serde(default)]
    claims: BTreeMap<String, String>,
    member_id: MemberId,
    /// 5 to 60; 15 if absent.
    #[serde(default = "a_quarter")]
    max_minutes: u32,
    #[serde(default = "yes")]
    enabled: bool,
}

fn a_quarter() -> u32 {
    15
}

fn yes() -> bool {
    true
}

/// What to change of a workload identity.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkloadIdentityPatch {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    issuer: Option<String>,
    #[serde(default, deserialize_with = "present")]
    audience: Option<String>,
    #[serde(default, deserialize_with = "present")]
    subject_pattern: Option<String>,
    #[serde(default, deserialize_with = "present")]
    claims: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "present")]
    member_id: Option<MemberId>,
    #[serde(default, deserialize_with = "present")]
    max_minutes: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    enabled: Option<bool>,
}

/// The workload identities, by age.
#[utoipa::path(get, path = "/api/v1/workload-identities", tag = "Workload identities", params(ListQuery),
    responses((status = 200, body = List<WorkloadIdentityBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<WorkloadIdentityBody>> {
    let mut tx = app.store.read().await?;
    let rows = workload_identities::list(&mut tx, permit.workspace.id, &query.page()?).await?;
    List::new(rows.into_iter().map(WorkloadIdentityBody::from).collect(), &query, |row| row.id.to_string())
}

/// One workload identity.
#[utoipa::path(get, path = "/api/v1/workload-identities/{id}", tag = "Workload identities",
    params(("id" = WorkloadIdentityId, Path)),
    responses((status = 200, body = WorkloadIdentityBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    PathId(id): PathId<WorkloadIdentityId>,
) -> Result<impl axum::response::IntoResponse> {
    let row = workload_identities::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    let row = row.ok_or_else(|| Error::not_found("workload identity"))?;
    Ok(([Etag(editable(&row)).header()], axum::Json(WorkloadIdentityBody::from(row))))
}

/// Create a workload identity. It acts as a member who may no more than whoever creates it, and its
/// issuer must serve OpenID Connect Discovery.
#[utoipa::path(post, path = "/api/v1/workload-identities", tag = "Workload identities",
    request_body = NewWorkloadIdentity,
    responses((status = 201, body = WorkloadIdentityBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    Json(body): Json<NewWorkloadIdentity>,
) -> Result<Created<WorkloadIdentityBody>> {
    let now = app.store.clock().now();
    let mut row = WorkloadIdentityRow {
        id: WorkloadIdentityId::new(now),
        workspace_id: permit.workspace.id,
        name: name("name", &body.name, 100)?,
        issuer: body.issuer,
        audience: body.audience,
        subject_pattern: body.subject_pattern,
        claims: body.claims,
        member_id: body.member_id,
        max_minutes: body.max_minutes,
        enabled: body.enabled,
        created_by: Some(permit.id()),
        makers: Vec::new(),
        created_at: now,
        updated_at: now,
        last_used_at: None,
    };
    check(&app, &permit, &row)?;
    // Before the change begins: nobody waits in line behind somebody else's server.
    check_issuer(&app, &row.issuer).await?;
    let mut change = permit.change(&app).await?;
    (row.created_at, row.updated_at) = (change.at(), change.at());
    row.makers = and_makers(Vec::new(), &permit, &mut change).await?;
    if workload_identities::count(&mut change, row.workspace_id).await? >= MAX_IDENTITIES {
        let message = format!("a workspace has at most {MAX_IDENTITIES} workload identities: delete one");
        return Err(Error::conflict("too_many", message));
    }
    workload_identities::insert(&mut change, &row).await?;
    change.record(EventType::WorkloadIdentityCreated, target(&row), editable(&row));
    change.commit().await?;
    Ok(Created(row.into()))
}

/// Change a workload identity. What it was given ends when it is disabled, or acts as another member.
#[utoipa::path(patch, path = "/api/v1/workload-identities/{id}", tag = "Workload identities",
    params(("id" = WorkloadIdentityId, Path)), request_body = WorkloadIdentityPatch,
    responses((status = 200, body = WorkloadIdentityBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    PathId(id): PathId<WorkloadIdentityId>,
    headers: HeaderMap,
    Json(patch): Json<WorkloadIdentityPatch>,
) -> Result<impl axum::response::IntoResponse> {
    if let Some(issuer) = &patch.issuer {
        check_url(&app, issuer)?;
        check_issuer(&app, issuer).await?;
    }
    let mut change = permit.change(&app).await?;
    let before = workload_identities::get(&mut change, permit.workspace.id, id).await?;
    let before = before.ok_or_else(|| Error::not_found("workload identity"))?;
    Etag(editable(&before)).check(&headers)?;
    let mut row = WorkloadIdentityRow {
        name: patch.name.map_or_else(|| Ok(before.name.clone()), |text| name("name", &text, 100))?,
        issuer: patch.issuer.unwrap_or_else(|| before.issuer.clone()),
        audience: patch.audience.unwrap_or_else(|| before.audience.clone()),
        subject_pattern: patch.subject_pattern.unwrap_or_else(|| before.subject_pattern.clone()),
        claims: patch.claims.unwrap_or_else(|| before.claims.clone()),
        member_id: patch.member_id.unwrap_or(before.member_id),
        max_minutes: patch.max_minutes.unwrap_or(before.max_minutes),
        enabled: patch.enabled.unwrap_or(before.enabled),
        updated_at: change.at(),
        ..before.clone()
    };
    let changed = differences(&editable(&before), &editable(&row));
    // Turning it off, or renaming it, takes nothing that its member may.
    if changed.keys().any(|field| field != "name" && field != "enabled") || (row.enabled && !before.enabled) {
        check(&app, &permit, &row)?;
        row.makers = and_makers(row.makers, &permit, &mut change).await?;
    }
    if !changed.is_empty() {
        workload_identities::update(&mut change, &row).await?;
        if !row.enabled || row.member_id != before.member_id {
            end_tokens(&mut change, id).await?;
        }
        change.record(EventType::WorkloadIdentityUpdated, target(&row), json!({ "changed": changed }));
        change.commit().await?;
    }
    Ok(([Etag(editable(&row)).header()], axum::Json(WorkloadIdentityBody::from(row))))
}

/// Delete a workload identity. What it was given ends.
#[utoipa::path(delete, path = "/api/v1/workload-identities/{id}", tag = "Workload identities",
    params(("id" = WorkloadIdentityId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::ApiKeysWrite>,
    State(app): State<App>,
    PathId(id): PathId<WorkloadIdentityId>,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let ws = change.workspace_id();
    let row = workload_identities::get(&mut change, ws, id).await?;
    let row = row.ok_or_else(|| Error::not_found("workload identity"))?;
    let ended = end_tokens(&mut change, id).await?;
    workload_identities::delete(&mut change, ws, id).await?;
    change.record(EventType::WorkloadIdentityDeleted, target(&row), json!({ "access_tokens": ended }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the access tokens that an identity was given; how many.
async fn end_tokens(change: &mut Change, id: WorkloadIdentityId) -> Result<usize> {
    let (ws, now) = (change.workspace_id(), change.at());
    let ended = access_tokens::revoke_of_workload(change, ws, id, None, now).await?;
    for token in &ended {
        change.touch(Touched::AccessToken(*token));
    }
    Ok(ended.len())
}

/// Whose work an identity is once the caller has chosen what it does.
async fn and_makers(mut makers: Vec<String>, caller: &Caller, change: &mut Change) -> Result<Vec<String>> {
    let people = caller.people(change).await?;
    for id in std::iter::once(caller.id()).chain(people) {
        if !makers.contains(&id) {
            makers.push(id);
        }
    }
    Ok(makers)
}

fn editable(row: &WorkloadIdentityRow) -> Value {
    json!({
        "name": row.name, "issuer": row.issuer, "audience": row.audience, "subject_pattern": row.subject_pattern,
        "claims": row.claims, "member_id": row.member_id, "max_minutes": row.max_minutes, "enabled": row.enabled,
    })
}

/// Whether an identity can be, and whether the caller may make it act as its member.
fn check(app: &App, caller: &Caller, row: &WorkloadIdentityRow) -> Result<()> {
    check_url(app, &row.issuer)?;
    let is_text = |text: &str| !text.is_empty() && text.len() <= 500 && !text.chars().any(char::is_control);
    if !is_text(&row.audience) {
        let message = "the audience is what the token is asked for: 1 to 500 bytes, no control characters";
        return Err(Error::invalid("audience", "invalid_audience", message));
    }
    check_pattern("subject_pattern", &row.subject_pattern)?;
    if row.claims.len() > MAX_CLAIMS {
        return Err(Error::invalid("claims", "too_many", format!("at most {MAX_CLAIMS} claims")));
    }
    for (claim, pattern) in &row.claims {
        let field = format!("claims.{}", claim.chars().take(100).collect::<String>());
        if !is_text(claim) || claim.len() > 100 || NOT_CONDITIONS.contains(&claim.as_str()) {
            let message = "this is no claim to set a condition on: name another, in up to 100 bytes";
            return Err(Error::invalid(field, "invalid_claim", message));
        }
        check_pattern(&field, pattern)?;
    }
    if !(5..=60).contains(&row.max_minutes) {
        return Err(Error::invalid("max_minutes", "out_of_range", "the access lasts for 5 to 60 minutes"));
    }
    let member = caller.workspace.members.get(&row.member_id);
    let member = member.ok_or_else(|| Error::invalid("member_id", "unknown_member", "there is no such member"))?;
    caller.may_grant(app, caller.workspace.permissions(member))
}

fn check_pattern(field: &str, text: &str) -> Result<()> {
    let invalid = |what: &str| Error::invalid(field, "invalid_pattern", format!("the pattern {what}"));
    let pattern = Pattern::parse(text).map_err(invalid)?;
    if pattern.begins_with_wildcard() && field == "subject_pattern" {
        let message =
            "the pattern begins with a wildcard, so anybody's token would do: begin with what is always there";
        return Err(Error::invalid(field, "too_wide", message));
    }
    Ok(())
}

fn check_url(app: &App, issuer: &str) -> Result<()> {
    let invalid = |message: String| Error::invalid("issuer", "invalid_issuer", message);
    let url = Url::parse(issuer).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    let url = url.filter(|_| issuer.len() <= 500 && !issuer.chars().any(|c| c.is_whitespace() || c.is_control()));
    let url = url.ok_or_else(|| invalid("the issuer is a URL as in the `iss` of its tokens".to_owned()))?;
    fetch::check_url(&url, app.upstream_addresses).map_err(|error| invalid(error.to_string()))
}

async fn check_issuer(app: &App, issuer: &str) -> Result<()> {
    let checked = app.issuer_keys.check_issuer(app, issuer).await;
    checked.map_err(|error| Error::invalid("issuer", "issuer_unavailable", error.to_string()))
}

fn target(row: &WorkloadIdentityRow) -> Target {
    Target::new("workload_identity", row.id, row.name.as_str())
}
