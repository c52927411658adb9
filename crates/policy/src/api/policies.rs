//! `/api/v1/policies`.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use provost_model::PolicyId;
use provost_model::event::{EventType, Target};
use provost_model::lint::{self, Problem, Severity};
use provost_store::tables::policies::{self, PolicyRow};
use provost_store::tables::policy_rules;
use provost_store::{Change, Touched};
use provost_web::{
    App, Created, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, name, permits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// A policy, at one of its versions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PolicyBody {
    id: PolicyId,
    name: String,
    version: i64,
    /// `requirements.toml`.
    contents: String,
    /// `config.toml`: where clients start from.
    defaults: Option<String>,
    /// What the linter has to say; an error never gets here.
    warnings: Vec<Problem>,
    /// Who wrote this version: a member or a key.
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<PolicyRow> for PolicyBody {
    fn from(row: PolicyRow) -> Self {
        let warnings = problems(&row.contents, row.defaults.as_deref());
        let PolicyRow { id, name, version, contents, defaults, created_by, created_at } = row;
        Self { id, name, version, contents, defaults, warnings, created_by, created_at }
    }
}

impl PolicyBody {
    /// What versions are ordered by.
    pub(crate) fn version_key(&self) -> String {
        self.version.to_string()
    }
}

/// A policy to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFields {
    name: String,
    /// `requirements.toml`.
    contents: String,
    /// `config.toml`.
    defaults: Option<String>,
}

impl PolicyFields {
    pub(crate) fn new(name: String, contents: String, defaults: Option<String>) -> Self {
        Self { name, contents, defaults }
    }

    pub(crate) fn into_parts(self) -> (String, String, Option<String>) {
        (self.name, self.contents, self.defaults)
    }
}

/// The policies, by age.
#[utoipa::path(get, path = "/api/v1/policies", tag = "Policies", params(ListQuery),
    responses((status = 200, body = List<PolicyBody>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<List<PolicyBody>> {
    let rows = policies::list(&mut app.store.read().await?, permit.workspace.id, &query.page()?).await?;
    List::new(rows.into_iter().map(PolicyBody::from).collect(), &query, |policy| policy.id.to_string())
}

/// Publish a policy. One that would stop a client is refused, and nothing is stored.
#[utoipa::path(post, path = "/api/v1/policies", tag = "Policies", request_body = PolicyFields,
    responses((status = 201, body = PolicyBody), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Json(body): Json<PolicyFields>,
) -> Result<Created<PolicyBody>> {
    let fields = check(body)?;
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = PolicyRow {
        id: PolicyId::new(now),
        name: fields.name,
        version: 1,
        contents: fields.contents,
        defaults: fields.defaults,
        created_by: permit.id(),
        created_at: now,
    };
    policies::insert(&mut change, ws, &row).await?;
    change.touch(Touched::Policy(row.id));
    change.record(EventType::PolicyCreated, target(&row), json!({ "version": row.version }));
    change.commit().await?;
    Ok(Created(row.into()))
}

/// One policy.
#[utoipa::path(get, path = "/api/v1/policies/{id}", tag = "Policies", params(("id" = PolicyId, Path)),
    responses((status = 200, body = PolicyBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
) -> Result<Etag<PolicyBody>> {
    let row = policies::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    row.map(|row| Etag(row.into())).ok_or_else(|| Error::not_found("policy"))
}

/// Publish the next version of a policy. What is equal already stays the version it is.
#[utoipa::path(put, path = "/api/v1/policies/{id}", tag = "Policies", params(("id" = PolicyId, Path)),
    request_body = PolicyFields,
    responses((status = 200, body = PolicyBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    headers: HeaderMap,
    Json(body): Json<PolicyFields>,
) -> Result<Etag<PolicyBody>> {
    let mut change = permit.change(&app).await?;
    let before = find(&mut change, id).await?;
    Etag(PolicyBody::from(before.clone())).check(&headers)?;
    let fields = check(body)?;
    if (&before.name, &before.contents, &before.defaults) == (&fields.name, &fields.contents, &fields.defaults) {
        return Ok(Etag(before.into()));
    }
    let (ws, now) = (change.workspace_id(), change.at());
    let after = PolicyRow {
        id,
        name: fields.name,
        version: before.version + 1,
        contents: fields.contents,
        defaults: fields.defaults,
        created_by: permit.id(),
        created_at: now,
    };
    policies::update(&mut change, ws, &after).await?;
    change.touch(Touched::Policy(id));
    let changed = changed_fields(&before, &after);
    change.record(EventType::PolicyUpdated, target(&after), json!({ "version": after.version, "changed": changed }));
    change.commit().await?;
    Ok(Etag(after.into()))
}

/// Delete a policy that no rule names.
#[utoipa::path(delete, path = "/api/v1/policies/{id}", tag = "Policies", params(("id" = PolicyId, Path)),
    responses((status = 204), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    headers: HeaderMap,
) -> Result<StatusCode> {
    let mut change = permit.change(&app).await?;
    let row = find(&mut change, id).await?;
    Etag(PolicyBody::from(row.clone())).check(&headers)?;
    let ws = change.workspace_id();
    let positions = policy_rules::positions_of(&mut change, ws, id).await?;
    let is_fallback = policy_rules::fallback(&mut change, ws).await? == Some(id);
    if is_fallback || !positions.is_empty() {
        let by_rules = (!positions.is_empty()).then(|| format!("the rules at positions {positions:?}"));
        let by_fallback = is_fallback.then(|| "the fallback".to_owned());
        let users: Vec<String> = by_rules.into_iter().chain(by_fallback).collect();
        let message = format!("the policy is used by {}: change that first", users.join(" and "));
        let details = json!({ "positions": positions, "is_fallback": is_fallback });
        return Err(Error::conflict("policy_in_use", message).with_details(details));
    }
    policies::delete(&mut change, ws, id).await?;
    change.touch(Touched::Policy(id));
    change.record(EventType::PolicyDeleted, target(&row), json!({ "version": row.version }));
    change.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What the linter says of both texts; the defaults' keys are told apart by their prefix.
fn problems(contents: &str, defaults: Option<&str>) -> Vec<Problem> {
    let mut problems = lint::requirements(contents);
    for mut problem in defaults.map(lint::defaults).unwrap_or_default() {
        problem.key = Some(problem.key.map_or_else(|| "defaults".to_owned(), |key| format!("defaults:{key}")));
        problems.push(problem);
    }
    problems
}

/// The fields in which two versions differ.
pub(crate) fn changed_fields(before: &PolicyRow, after: &PolicyRow) -> Vec<&'static str> {
    let fields = [
        ("name", before.name != after.name),
        ("contents", before.contents != after.contents),
        ("defaults", before.defaults != after.defaults),
    ];
    fields.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect()
}

/// Refuses what would stop a client.
pub(crate) fn check(fields: PolicyFields) -> Result<PolicyFields> {
    let name = name("name", &fields.name, 100)?;
    refuse_errors(&fields.contents, fields.defaults.as_deref())?;
    Ok(PolicyFields { name, ..fields })
}

/// Refuses texts that would stop a client.
pub(crate) fn refuse_errors(contents: &str, defaults: Option<&str>) -> Result<()> {
    let problems = problems(contents, defaults);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let Some(first) = errors.clone().next() else { return Ok(()) };
    let (count, line) = (errors.count(), first.line);
    let more = if count > 1 { format!(" (and {} more, see details.problems)", count - 1) } else { String::new() };
    let is_default = first.key.as_ref().is_some_and(|key| key.starts_with("defaults"));
    let field = if is_default { "defaults" } else { "contents" };
    let message = format!("clients would refuse to start with this policy: line {line}: {}{more}", first.message);
    Err(Error::invalid(field, "policy_invalid", message).with_details(json!({ "problems": problems })))
}

async fn find(change: &mut Change, id: PolicyId) -> Result<PolicyRow> {
    let ws = change.workspace_id();
    policies::get(change, ws, id).await?.ok_or_else(|| Error::not_found("policy"))
}

pub(crate) fn target(row: &PolicyRow) -> Target {
    Target::new("policy", row.id, row.name.as_str())
}
