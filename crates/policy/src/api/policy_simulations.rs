//! `/api/v1/policy-simulations`: what a change of policies would do, held against what was recorded.

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use provost_model::Permission;
use provost_model::event::{EventType, Target};
use provost_web::{App, Error, ErrorBody, Json, Permit, Query, Result, nullable, permits, present};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::simulate::{
    ExportFormat, ExportList, Finding, SimulatedCommand, SimulatedMember, SimulatedSession, Simulation,
    SimulationSummary, Simulations, collect, export, find,
};

/// How many of each list an answer holds that is no export.
const LISTED: usize = 100;

/// What would change, and how far to look back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulationRequest {
    /// From 1 to 90.
    #[serde(default = "thirty")]
    pub(crate) days: u32,
    /// New texts of policies, and new policies.
    #[serde(default)]
    pub(crate) policies: Vec<ProposedPolicy>,
    /// All rules, in their new order; left out, they stay.
    #[serde(default, deserialize_with = "present")]
    pub(crate) rules: Option<Vec<ProposedRule>>,
    /// The name or id of the policy for whom no rule matches, null for none; left out, it stays.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub(crate) fallback: Option<Option<String>>,
    /// New groups, and who comes into groups or leaves them.
    #[serde(default)]
    pub(crate) groups: Vec<ProposedGroup>,
    /// Toggles; what is left out stays.
    #[serde(default, deserialize_with = "present")]
    pub(crate) settings: Option<ProposedSettings>,
}

/// A policy as it would be published, to everybody at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposedPolicy {
    /// The name or id of a policy; a name that is not there is a new policy's.
    pub(crate) policy: String,
    /// `requirements.toml`.
    pub(crate) contents: String,
    /// `config.toml`; null for none, left out as it is.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub(crate) defaults: Option<Option<String>>,
}

/// A rule: members of the group get the policy.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposedRule {
    /// Its name or id; one of `groups` too.
    pub(crate) group: String,
    /// Its name or id; one of `policies` too.
    pub(crate) policy: String,
}

/// A group as it would be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposedGroup {
    /// The name or id of a group; a name that is not there is a new group's.
    pub(crate) group: String,
    /// Ids or addresses of members who come in.
    #[serde(default)]
    pub(crate) add: Vec<String>,
    /// Ids or addresses of members who leave.
    #[serde(default)]
    pub(crate) remove: Vec<String>,
}

/// Toggles of the settings, which grant permissions to everybody.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposedSettings {
    pub(crate) codex_local: Option<bool>,
    pub(crate) device_code_login: Option<bool>,
    pub(crate) codex_access_tokens: Option<bool>,
    pub(crate) codex_cloud: Option<bool>,
    pub(crate) agent_internet_access: Option<bool>,
    pub(crate) slack_post_answers: Option<bool>,
    pub(crate) administer_codex: Option<bool>,
}

/// How to answer.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SimulationQuery {
    /// `jsonl` or `csv`: every finding, as it is found. Left out: figures, and the first of each list.
    #[param(value_type = Option<String>)]
    format: Option<ExportFormat>,
    /// Which list a CSV holds: `members`, `sessions` or `commands`.
    #[param(value_type = Option<String>)]
    list: Option<ExportList>,
}

/// What it comes to, and the first hundred of each list.
#[derive(Serialize, ToSchema)]
pub(crate) struct SimulationAnswer {
    summary: SimulationSummary,
    /// Members with another policy or text, or other permissions.
    members: Vec<SimulatedMember>,
    /// Sessions that would be judged differently.
    sessions: Vec<SimulatedSession>,
    /// Commands that would be decided differently.
    commands: Vec<SimulatedCommand>,
}

/// Say what a change of policies, rules, groups or toggles would do. Nothing of it is done; that somebody asked is
/// recorded, since the words of recorded commands are read.
#[utoipa::path(post, path = "/api/v1/policy-simulations", tag = "Policies", params(SimulationQuery),
    request_body = SimulationRequest,
    responses((status = 200, body = SimulationAnswer), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(crate) async fn simulate(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Extension(simulations): Extension<Simulations>,
    Query(query): Query<SimulationQuery>,
    headers: HeaderMap,
    Json(body): Json<SimulationRequest>,
) -> Result<Response> {
    // An answer that is kept is held in memory first, and an export may be larger than that.
    if query.format.is_some() && headers.contains_key("idempotency-key") {
        let message = "an export is not kept: send it without `Idempotency-Key`; asking again changes nothing";
        return Err(Error::bad_request("idempotency_key_not_taken", message));
    }
    if !(1..=90).contains(&body.days) {
        return Err(Error::invalid("days", "out_of_range", "`days` is between 1 and 90"));
    }
    let list = match (query.format, query.list) {
        (Some(ExportFormat::Csv), None) => {
            let message = "a CSV holds one list: `members`, `sessions` or `commands`";
            return Err(Error::invalid("list", "missing", message));
        }
        (_, list) => list.unwrap_or(ExportList::Commands),
    };
    let (days, details) = (body.days, details(&body, query.format.is_some()));
    let now = app.store.clock().now();
    let workspace = permit.workspace.clone();
    // Texts of a megabyte are linted: not on a thread that serves others.
    let about = workspace.clone();
    let proposal = tokio::task::spawn_blocking(move || find(&about, body, now));
    let proposal = proposal.await.expect("looking names up does not panic")?;
    let turn = simulations
        .0
        .try_acquire_owned()
        .map_err(|_| Error::too_many("another simulation is running on this node: try again when it is over", 10))?;
    // Before anything is read: there is no reading without a trace.
    let mut change = permit.change(&app).await?;
    let target = Target::new("workspace", workspace.id, workspace.settings.name.as_str());
    change.record(EventType::PolicySimulated, target, details);
    change.commit().await?;
    let with_emails = permit.may(Permission::MembersRead);
    let room = if query.format.is_some() { usize::MAX } else { LISTED };
    let simulation = Simulation { workspace, proposal, days, now, room, with_emails };
    if let Some(format) = query.format {
        return Ok(export(app, simulation, (format, list), turn));
    }
    let (summary, found) = collect(&app, simulation).await?;
    drop(turn);
    let mut answer = SimulationAnswer { summary, members: Vec::new(), sessions: Vec::new(), commands: Vec::new() };
    for finding in found {
        match finding {
            Finding::Member(row) => answer.members.push(*row),
            Finding::Session(row) => answer.sessions.push(*row),
            Finding::Command(row) => answer.commands.push(*row),
        }
    }
    Ok(axum::Json(answer).into_response())
}

fn thirty() -> u32 {
    30
}

/// What the event says of the question: no texts.
fn details(body: &SimulationRequest, is_export: bool) -> serde_json::Value {
    let short = |text: &str| text.chars().take(100).collect::<String>();
    let policies: Vec<_> = body.policies.iter().take(20).map(|policy| short(&policy.policy)).collect();
    let groups: Vec<_> = body.groups.iter().take(20).map(|group| short(&group.group)).collect();
    json!({
        "days": body.days, "policies": policies, "rules": body.rules.as_ref().map(Vec::len), "groups": groups,
        "fallback": body.fallback.is_some(), "settings": body.settings, "export": is_export,
    })
}
