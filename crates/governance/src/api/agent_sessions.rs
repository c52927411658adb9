//! `/api/v1/agent-sessions`: what sessions of the agent ran with, as their clients reported it.

use axum::extract::State;
use jiff::Timestamp;
use provost_model::drift::DriftState;
use provost_model::{MemberId, PolicyId};
use provost_store::tables::agent_sessions::{self, AgentSessionRow, Filter};
use provost_web::{App, Error, ErrorBody, List, ListQuery, Permit, Query, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A session of the agent. What the client did not report is null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentSession {
    /// The client's id of the thread.
    thread_id: String,
    /// Whose it is.
    member_id: MemberId,
    /// The client session or access token that the client called with.
    device: String,
    /// The client's version.
    client_version: Option<String>,
    /// Which of the client's surfaces, such as `codex_exec`.
    originator: Option<String>,
    /// The model.
    model: Option<String>,
    /// When it asks before it acts, such as `on-request`.
    approval_policy: Option<String>,
    /// What commands may touch, such as `workspace-write`.
    sandbox_policy: Option<String>,
    /// Whether commands reach the network.
    network_access: Option<bool>,
    /// Which feed told of it: `analytics` under the client's sign-in, or `otlp`.
    source: Option<String>,
    /// The policy that its device had been sent; null is none.
    policy: Option<PolicyVersion>,
    /// How it stands to that policy.
    verdict: DriftState,
    /// A sentence for each thing that says so.
    reasons: Vec<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When what was reported last began.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

/// A policy at one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PolicyVersion {
    /// The policy.
    pub(crate) id: PolicyId,
    /// Its version.
    pub(crate) version: u32,
}

impl From<(PolicyId, u32)> for PolicyVersion {
    fn from((id, version): (PolicyId, u32)) -> Self {
        Self { id, version }
    }
}

impl From<AgentSessionRow> for AgentSession {
    fn from(row: AgentSessionRow) -> Self {
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            thread_id: row.thread_id,
            member_id: row.member_id,
            device: row.device,
            client_version: said(row.client_version),
            originator: said(row.originator),
            model: said(row.model),
            approval_policy: said(row.approval_policy),
            sandbox_policy: said(row.sandbox_policy),
            network_access: said(row.network_access).map(|text| text == "on"),
            source: said(row.source),
            policy: row.policy.map(PolicyVersion::from),
            verdict: row.verdict,
            reasons: row.reasons,
            started_at: row.started_at,
            last_at: row.last_at,
        }
    }
}

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AgentSessionsQuery {
    /// Only of this member, who may be gone.
    member_id: Option<String>,
    /// Only with this verdict: `in_step`, `behind`, `contradicting` or `unknown`.
    verdict: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The sessions, latest first.
#[utoipa::path(get, path = "/api/v1/agent-sessions", tag = "Drift", params(AgentSessionsQuery),
    responses((status = 200, body = List<AgentSession>), (status = 403, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Query(query): Query<AgentSessionsQuery>,
) -> Result<List<AgentSession>> {
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    let verdict = state("verdict", query.verdict)?;
    let limit = page.limit()? + 1;
    let filter = Filter { member: member(query.member_id)?, verdict, before: before(&page)?, limit };
    let mut tx = app.store.read().await?;
    let rows = agent_sessions::list(&mut tx, permit.workspace.id, &filter).await?;
    let key = |session: &AgentSession| format!("{} {}", session.last_at.as_microsecond(), session.thread_id);
    List::new(rows.into_iter().map(AgentSession::from).collect(), &page, key)
}

fn before(page: &ListQuery) -> Result<Option<(Timestamp, String)>> {
    let Some(after) = page.after()? else { return Ok(None) };
    let place = after.split_once(' ').and_then(|(micros, thread)| {
        let at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some((at, thread.to_owned()))
    });
    let message = "`cursor` is the `next_cursor` of the page before; start again without it";
    place.map(Some).ok_or_else(|| Error::invalid("cursor", "invalid_cursor", message))
}

/// The state that a list is narrowed to.
pub(super) fn state(field: &str, text: Option<String>) -> Result<Option<DriftState>> {
    let parsed = text.map(|text| text.parse::<DriftState>()).transpose();
    parsed.map_err(|message| Error::invalid(field, "unknown_state", message))
}

/// The member that a list is narrowed to.
pub(super) fn member(id: Option<String>) -> Result<Option<MemberId>> {
    let parsed = id.map(|id| id.parse::<MemberId>()).transpose();
    parsed.map_err(|_| Error::invalid("member_id", "invalid_id", "`member_id` is the id of a member (`mem_…`)"))
}
