//! `/api/v1/policies/lint`: the client's own verdict, before anybody is affected.

use axum::extract::State;
use provost_model::lint::{self, Problem, Severity};
use provost_web::{App, ErrorBody, Json, Permit, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::client_versions::{self, SeenVersion};
use crate::telemetry;

/// A policy text to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LintRequest {
    /// `requirements.toml`.
    contents: String,
    /// `config.toml`, to be looked at too.
    defaults: Option<String>,
}

/// What clients would say.
#[derive(Serialize, ToSchema)]
pub(crate) struct LintAnswer {
    /// Whether clients would start with it.
    valid: bool,
    /// What is wrong with `contents`, in its order.
    problems: Vec<Problem>,
    /// What is wrong with `defaults`, in its order.
    defaults_problems: Vec<Problem>,
    /// What the client versions seen in the last 30 days make of `contents`, the oldest first.
    client_versions: Vec<SeenVersion>,
}

/// Lint a policy text; nothing is stored.
#[utoipa::path(post, path = "/api/v1/policies/lint", tag = "Policies", request_body = LintRequest,
    responses((status = 200, body = LintAnswer), (status = 403, body = ErrorBody)))]
pub(crate) async fn lint(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Json(body): Json<LintRequest>,
) -> Result<axum::Json<LintAnswer>> {
    let client_versions = client_versions::of(&app, permit.workspace.id, &body.contents).await?;
    let workspace = permit.workspace.clone();
    let work = move || {
        let defaults_problems = body.defaults.as_deref().map(lint::defaults).unwrap_or_default();
        let mut problems = lint::requirements(&body.contents);
        if let Some(warning) = telemetry::warning(&workspace, &body.contents) {
            let place = (warning.line, warning.column);
            let index = problems.partition_point(|problem| (problem.line, problem.column) <= place);
            problems.insert(index, warning);
        }
        (problems, defaults_problems)
    };
    // A text may be a megabyte long, and other requests wait for this thread.
    let work = tokio::task::spawn_blocking(work).await;
    let (problems, defaults_problems) = work.expect("linting does not panic");
    let mut all = problems.iter().chain(&defaults_problems);
    let valid = all.all(|problem| problem.severity != Severity::Error);
    Ok(axum::Json(LintAnswer { valid, problems, defaults_problems, client_versions }))
}
