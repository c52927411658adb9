//! `/api/v1/policies/lint`: the client's own verdict, before anybody is affected.

use provost_model::lint::{self, Problem, Severity};
use provost_web::{ErrorBody, Json, Permit, permits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}

/// Lint a policy text; nothing is stored.
#[utoipa::path(post, path = "/api/v1/policies/lint", tag = "Policies", request_body = LintRequest,
    responses((status = 200, body = LintAnswer), (status = 403, body = ErrorBody)))]
pub(crate) async fn lint(
    _permit: Permit<permits::CodexAdminister>,
    Json(body): Json<LintRequest>,
) -> axum::Json<LintAnswer> {
    let problems = lint::requirements(&body.contents);
    let defaults_problems = body.defaults.as_deref().map(lint::defaults).unwrap_or_default();
    let mut all = problems.iter().chain(&defaults_problems);
    let valid = all.all(|problem| problem.severity != Severity::Error);
    axum::Json(LintAnswer { valid, problems, defaults_problems })
}
