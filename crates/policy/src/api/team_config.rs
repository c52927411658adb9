//! `/api/v1/team-config/check`: what repositories bring along, before a developer opens them.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;
use provost_model::{Email, Policy, PolicyId};
use provost_store::tables::members;
use provost_web::{App, Error, ErrorBody, Json, Permit, Result, permits};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::team_config::rules::{AT_A_TIME, Evaluator};
use crate::team_config::{HeldAgainst, MAX_FILES, MAX_REPOSITORIES, Report, Repository, check, files};

/// The longest name of a repository, in characters.
const MAX_NAME_CHARS: usize = 200;

/// Repositories to look at, held against one of a policy and what a member gets, if either is named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeamConfigRequest {
    repositories: Vec<TeamConfigRepository>,
    /// A policy's id.
    policy_id: Option<String>,
    /// A member's address.
    email: Option<String>,
}

/// A repository.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeamConfigRepository {
    /// What it is called in the answer.
    name: String,
    /// The texts of its files, by their paths from its root: `.codex/config.toml`.
    files: BTreeMap<String, String>,
}

/// Check repositories' Team Config. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/team-config/check", tag = "Policies", request_body = TeamConfigRequest,
    responses((status = 200, body = Report), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn check_post(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Json(body): Json<TeamConfigRequest>,
) -> Result<axum::Json<Report>> {
    let workspace = &permit.workspace;
    let policy = match (body.policy_id, body.email) {
        (None, None) => None,
        (Some(id), None) => {
            let unknown = || Error::not_found("policy").with_field("policy_id");
            let id = id.parse::<PolicyId>().map_err(|_| unknown())?;
            Some(held_against(workspace.policies.get(&id).ok_or_else(unknown)?))
        }
        (None, Some(email)) => {
            let unknown = || Error::not_found("member").with_field("email");
            let email = Email::try_from(email).map_err(|_| unknown())?;
            let row = members::get_by_email(&mut app.store.read().await?, workspace.id, &email).await?;
            let member = row.and_then(|row| workspace.members.get(&row.id)).ok_or_else(unknown)?;
            workspace.delivery(member, None, app.store.clock().now()).policy.map(|policy| held_against(policy))
        }
        (Some(_), Some(_)) => {
            let message = "name one of `policy_id` and `email`, or neither";
            return Err(Error::invalid("policy_id", "invalid_query", message));
        }
    };
    if body.repositories.is_empty() || body.repositories.len() > MAX_REPOSITORIES {
        let message = format!("name 1 to {MAX_REPOSITORIES} repositories");
        return Err(Error::invalid("repositories", "bad_length", message));
    }
    let repositories = body.repositories.into_iter().enumerate();
    let repositories: Vec<_> = repositories.map(|(index, repository)| repository.read(index)).collect::<Result<_>>()?;
    let turn = AT_A_TIME.acquire().await.expect("nobody closes it");
    let checked = tokio::task::spawn_blocking(move || {
        // Also when whoever asked goes away: the work goes on without them.
        let _turn = turn;
        check(repositories, policy.as_ref(), &Evaluator::of_this_program())
    });
    let checked = checked.await.expect("a check does not panic");
    checked.map(axum::Json).map_err(|_| short_of_memory())
}

fn short_of_memory() -> Error {
    Error::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server is short of memory: try again")
}

fn held_against(policy: &Policy) -> HeldAgainst {
    HeldAgainst {
        policy: policy.name.to_string(),
        version: Some(policy.version),
        contents: policy.contents.to_string(),
        defaults: policy.defaults.as_deref().map(str::to_owned),
    }
}

impl TeamConfigRepository {
    fn read(self, index: usize) -> Result<Repository> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            let field = format!("repositories[{index}].name");
            return Err(Error::invalid(field, "invalid_name", "a name has 1 to 200 characters"));
        }
        if self.files.len() > MAX_FILES {
            let message = format!("at most {MAX_FILES} files are read: send those of `.codex` and `.agents` only");
            return Err(Error::invalid(format!("repositories[{index}].files"), "too_many", message));
        }
        let mut files = BTreeMap::new();
        for (path, text) in self.files {
            let path = files::named(&path).map_err(|message| {
                // Shown as it came, it could steer a terminal.
                let shown = path.escape_debug().take(MAX_NAME_CHARS).collect::<String>();
                Error::invalid(format!("repositories[{index}].files"), "invalid_path", format!("{shown}: {message}"))
            })?;
            files.insert(path, text.into_bytes());
        }
        Ok(Repository { name: name.to_owned(), files, problems: Vec::new() })
    }
}
