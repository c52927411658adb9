//! `/api/v1/policy-explain`: what binds somebody on a device and in a repository, and what becomes of a command there.

use std::collections::BTreeMap;

use axum::extract::State;
use provost_model::command::of_line;
use provost_model::effective::LayerKind;
use provost_model::{ClientVersion, Email, GroupId, MemberId};
use provost_store::tables::members;
use provost_web::{App, Error, ErrorBody, Json, Permit, Result, permits};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::explain::{Explanation, Question, Subject, Texts, explain};

/// The longest command, in bytes over all its words.
const MAX_COMMAND_BYTES: usize = 64 << 10;

/// The most words of a command.
const MAX_WORDS: usize = 4_096;

/// The longest name of a device, in bytes, as DNS has it.
const MAX_HOSTNAME_BYTES: usize = 255;

/// A question: about one of a member (by id or address) and a group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainRequest {
    member_id: Option<String>,
    email: Option<String>,
    /// Of somebody who is in this group and no other.
    group_id: Option<String>,
    /// Only this key, or what stands below it: `features`, `rules.prefix_rules`.
    key: Option<String>,
    /// What becomes of this command: a line for the shell, or its words.
    command: Option<CommandField>,
    /// The name of the device, which `remote_sandbox_config` goes by.
    hostname: Option<String>,
    /// The text of `/etc/codex/requirements.toml` there.
    system_requirements: Option<String>,
    /// The text of `/etc/codex/config.toml` there.
    system_config: Option<String>,
    /// The text of the developer's own `config.toml`.
    user_config: Option<String>,
    /// The files of a repository's `.codex`, by their paths: `.codex/config.toml`.
    #[serde(default)]
    team_config: BTreeMap<String, String>,
    /// The client's version, which rollouts go by: `0.169.0`.
    client_version: Option<String>,
}

/// A command.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum CommandField {
    /// A line, as the shell tool of a client runs it: `bash -lc LINE`.
    Line(String),
    /// Its words.
    Words(Vec<String>),
}

/// Explain what binds somebody, and what becomes of a command. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/policy-explain", tag = "Policies", request_body = ExplainRequest,
    responses((status = 200, body = Explanation), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn explain_post(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Json(body): Json<ExplainRequest>,
) -> Result<axum::Json<Explanation>> {
    let workspace = &permit.workspace;
    let version = body.client_version.as_deref().map(str::parse::<ClientVersion>).transpose();
    let version = version.map_err(|error| Error::invalid("client_version", "invalid", error.to_string()))?;
    let of_member = |field, id: Option<MemberId>| {
        let unknown = || Error::not_found("member").with_field(field);
        let member = id.and_then(|id| workspace.members.get(&id)).ok_or_else(unknown)?;
        Ok::<_, Error>(Subject::Member(member, version))
    };
    let subject = match (body.member_id, body.email, body.group_id) {
        (Some(id), None, None) => of_member("member_id", id.parse().ok())?,
        (None, Some(email), None) => {
            let row = match Email::try_from(email) {
                Ok(email) => members::get_by_email(&mut app.store.read().await?, workspace.id, &email).await?,
                Err(_) => None,
            };
            of_member("email", row.map(|row| row.id))?
        }
        (None, None, Some(group)) => {
            let group = group.parse::<GroupId>().ok().filter(|group| workspace.groups.contains_key(group));
            Subject::Group(group.ok_or_else(|| Error::not_found("group").with_field("group_id"))?)
        }
        _ => {
            let message = "ask about one of `member_id`, `email` and `group_id`";
            return Err(Error::invalid("member_id", "invalid_query", message));
        }
    };
    let hostname = body.hostname.filter(|name| !name.is_empty());
    if hostname.as_ref().is_some_and(|name| name.len() > MAX_HOSTNAME_BYTES) {
        return Err(Error::invalid("hostname", "too_long", "the name of a device has at most 255 bytes"));
    }
    let mut texts = Texts::default();
    let requirements = "/etc/codex/requirements.toml";
    texts.file(LayerKind::SystemRequirements, "system_requirements", requirements, body.system_requirements)?;
    texts.file(LayerKind::SystemConfig, "system_config", "/etc/codex/config.toml", body.system_config)?;
    texts.file(LayerKind::UserConfig, "user_config", "~/.codex/config.toml", body.user_config)?;
    texts.team_config(body.team_config)?;
    let command = body.command.map(CommandField::argv).transpose()?;
    let question = Question { key: body.key.filter(|key| !key.is_empty()), command, hostname };
    explain(&app, workspace, subject, texts, question).await.map(axum::Json)
}

impl CommandField {
    fn argv(self) -> Result<Vec<String>> {
        let argv = match self {
            Self::Line(line) if line.trim().is_empty() => Vec::new(),
            Self::Line(line) => of_line(&line).to_vec(),
            Self::Words(words) => words,
        };
        if argv.is_empty() {
            return Err(Error::invalid("command", "empty", "a command has at least one word"));
        }
        if argv.len() > MAX_WORDS || argv.iter().map(String::len).sum::<usize>() > MAX_COMMAND_BYTES {
            let message = format!("a command has at most {MAX_WORDS} words and {MAX_COMMAND_BYTES} bytes");
            return Err(Error::invalid("command", "too_long", message));
        }
        Ok(argv)
    }
}
