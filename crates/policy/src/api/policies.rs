//! `/api/v1/policies`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use jiff::Timestamp;
use provost_model::lint::{self, Problem, Severity};
use provost_model::{ClientVersion, PolicyId, Workspace};
use provost_store::Change;
use provost_store::tables::policies::{self, PolicyRow};
use provost_web::{App, Error, ErrorBody, Etag, Json, List, ListQuery, PathId, Permit, Query, Result, name, permits};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::authors::Author;
use super::policy_proposals::ProposalBody;
use crate::client_versions::SeenVersion;
use crate::proposals::{PolicyDraft, ProposedChange, Written, in_use, submit};
use crate::telemetry;

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
    /// What the linter has to say, and what there is to say of it in this workspace; an error never gets here.
    warnings: Vec<Problem>,
    /// What the client versions seen in the last 30 days make of it; only in the answer to publishing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_versions: Option<Vec<SeenVersion>>,
    /// Who wrote this version: a member or a key.
    created_by: String,
    /// The same with a name; null if they are gone.
    author: Option<Author>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Why, in the author's words; may be empty.
    note: String,
    /// Of a version that puts back an earlier one: which.
    restores: Option<i64>,
    /// The member who agreed to it, where a second person had to.
    approved_by: Option<String>,
}

impl PolicyBody {
    /// A version, with its author as they are called now.
    pub(crate) fn of(row: PolicyRow, workspace: &Workspace) -> Self {
        let mut warnings = problems(&row.contents, row.defaults.as_deref());
        warnings.extend(telemetry::warning(workspace, &row.contents));
        let author = Author::of(&row.created_by, workspace);
        let PolicyRow { id, name, version, contents, defaults, created_by, created_at, note, restores, approved_by } =
            row;
        Self {
            id,
            name,
            version,
            contents,
            defaults,
            warnings,
            client_versions: None,
            created_by,
            author,
            created_at,
            note,
            restores,
            approved_by,
        }
    }

    /// What versions are ordered by.
    pub(crate) fn version_key(&self) -> String {
        self.version.to_string()
    }
}

impl IntoResponse for PolicyBody {
    fn into_response(self) -> Response {
        ([tag(self.id, self.version).header()], axum::Json(self)).into_response()
    }
}

/// The tag of a version: a version never changes, whatever else is shown with it.
fn tag(id: PolicyId, version: i64) -> Etag<(PolicyId, i64)> {
    Etag((id, version))
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
    /// Client versions, such as "0.98.0", that this policy may keep from loading it although they are in use.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    allow_client_versions: Vec<ClientVersion>,
    /// Why, for whoever reads the versions later: at most 1,000 characters.
    note: Option<String>,
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
    let rows = rows.into_iter().map(|row| PolicyBody::of(row, &permit.workspace));
    List::new(rows.collect(), &query, |policy| policy.id.to_string())
}

/// Publish a policy. One that would stop a client is refused, and nothing is stored.
#[utoipa::path(post, path = "/api/v1/policies", tag = "Policies", request_body = PolicyFields,
    responses((status = 201, body = PolicyBody), (status = 202, body = ProposalBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Json(body): Json<PolicyFields>,
) -> Result<Written> {
    let PolicyFields { name, contents, defaults, allow_client_versions, note } = body;
    let policy = PolicyDraft { name, contents, defaults };
    let proposed = ProposedChange::CreatePolicy { policy, allow_client_versions };
    let in_use = in_use::ask(&app, &permit.workspace, &proposed).await?;
    let change = permit.change(&app).await?;
    submit(&app, &permit, change, proposed, note, in_use).await
}

/// One policy.
#[utoipa::path(get, path = "/api/v1/policies/{id}", tag = "Policies", params(("id" = PolicyId, Path)),
    responses((status = 200, body = PolicyBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
) -> Result<PolicyBody> {
    let row = policies::get(&mut app.store.read().await?, permit.workspace.id, id).await?;
    row.map(|row| PolicyBody::of(row, &permit.workspace)).ok_or_else(|| Error::not_found("policy"))
}

/// Publish the next version of a policy. What is equal already stays the version it is.
#[utoipa::path(put, path = "/api/v1/policies/{id}", tag = "Policies", params(("id" = PolicyId, Path)),
    request_body = PolicyFields,
    responses((status = 200, body = PolicyBody), (status = 202, body = ProposalBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    headers: HeaderMap,
    Json(body): Json<PolicyFields>,
) -> Result<Written> {
    let PolicyFields { name, contents, defaults, allow_client_versions, note } = body;
    let policy = PolicyDraft { name, contents, defaults };
    let proposed = ProposedChange::UpdatePolicy { policy_id: id, policy, allow_client_versions };
    let in_use = in_use::ask(&app, &permit.workspace, &proposed).await?;
    let mut change = permit.change(&app).await?;
    check_tag(&mut change, id, &headers, &permit.workspace).await?;
    submit(&app, &permit, change, proposed, note, in_use).await
}

/// Delete a policy that no rule names.
#[utoipa::path(delete, path = "/api/v1/policies/{id}", tag = "Policies", params(("id" = PolicyId, Path)),
    responses((status = 202, body = ProposalBody), (status = 204), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    headers: HeaderMap,
) -> Result<Written> {
    let mut change = permit.change(&app).await?;
    check_tag(&mut change, id, &headers, &permit.workspace).await?;
    submit(&app, &permit, change, ProposedChange::DeletePolicy { policy_id: id }, None, Vec::new()).await
}

/// Whether a write of a policy may go on (`If-Match`). Whoever was too late is told what came in between.
pub(crate) async fn check_tag(
    change: &mut Change,
    id: PolicyId,
    headers: &HeaderMap,
    workspace: &Workspace,
) -> Result<()> {
    /// So many versions are looked through for the one that the caller saw, and so many are told.
    const LOOKED_AT: u32 = 200;
    const TOLD: usize = 20;
    let ws = change.workspace_id();
    let version = policies::version(change, ws, id).await?.ok_or_else(|| Error::not_found("policy"))?;
    let Err(error) = tag(id, version).check(headers) else { return Ok(()) };
    let mut heads = policies::list_heads(change, ws, id, LOOKED_AT).await?;
    // What is only rolled out, or was called off, came in between for nobody.
    heads.retain(|head| head.version <= version);
    let seen = heads.iter().position(|head| tag(id, head.version).check(headers).is_ok());
    // What was seen is not known, or too old: the newest is told.
    let since = heads.iter().take(seen.unwrap_or(1).min(TOLD)).map(|head| {
        let author = Author::of(&head.created_by, workspace);
        json!({
            "version": head.version, "created_by": head.created_by, "author": author, "created_at": head.created_at,
            "note": head.note,
        })
    });
    let since: Vec<_> = since.collect();
    let seen = seen.map(|index| heads[index].version);
    Err(error.with_details(json!({ "version": version, "your_version": seen, "since": since })))
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

/// Refuses what would stop a client.
pub(crate) fn check(draft: PolicyDraft) -> Result<PolicyDraft> {
    let name = name("name", &draft.name, 100)?;
    refuse_errors(&draft.contents, draft.defaults.as_deref())?;
    Ok(PolicyDraft { name, ..draft })
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
