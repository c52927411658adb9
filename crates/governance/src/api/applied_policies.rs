//! `/api/v1/applied-policies`: which policy each device was sent, and what it really ran with.

use std::collections::HashMap;

use axum::extract::State;
use jiff::Timestamp;
use provost_model::drift::{DriftState, Sent, Version, left_behind};
use provost_model::{MemberId, PolicyId, Workspace, WorkspaceId};
use provost_store::Tx;
use provost_store::tables::agent_sessions::{self, AgentSessionRow};
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_web::{App, Error, ErrorBody, List, ListQuery, Permit, Query, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::agent_sessions::{AgentSession, PolicyVersion, member, state};

/// How many devices are looked at in one go.
const BATCH: u32 = 500;

/// The policy of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppliedPolicy {
    /// Whose device it is; null for a machine without a member.
    member_id: Option<String>,
    /// The client session, access token or device enrolment that its client calls with.
    device: String,
    /// What it was sent last; null is no policy, or that it has fetched none.
    delivered: Option<PolicyVersion>,
    /// When it was last sent that; null if it has fetched nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    delivered_at: Option<Timestamp>,
    /// The version of the client that fetched it.
    client_version: Option<String>,
    /// When it last began a turn.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_turn_at: Option<Timestamp>,
    /// What it would be sent now; null is no policy.
    current: Option<PolicyVersion>,
    /// How what ran stands to what was to be run.
    state: DriftState,
    /// A sentence for each thing that says so.
    reasons: Vec<String>,
    /// The session that its client reported last.
    last_session: Option<AgentSession>,
}

/// Which devices.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AppliedPoliciesQuery {
    /// Only of this member, who may be gone.
    member_id: Option<String>,
    /// Only those that were sent this policy last.
    policy_id: Option<String>,
    /// Only in this state: `in_step`, `behind`, `contradicting` or `unknown`.
    state: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The policy of each device, by the device's id. With `state=behind` or `state=contradicting` it is the
/// list of drift.
#[utoipa::path(get, path = "/api/v1/applied-policies", tag = "Drift", params(AppliedPoliciesQuery),
    responses((status = 200, body = List<AppliedPolicy>), (status = 403, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Query(query): Query<AppliedPoliciesQuery>,
) -> Result<List<AppliedPolicy>> {
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    let (member, wanted) = (member(query.member_id)?, state("state", query.state)?);
    let policy = query.policy_id.map(|id| id.parse::<PolicyId>()).transpose();
    let policy =
        policy.map_err(|_| Error::invalid("policy_id", "invalid_id", "`policy_id` is the id of a policy (`pol_…`)"))?;
    let limit = page.limit()? as usize;
    let mut after = page.after()?.unwrap_or_default();
    let (workspace, now) = (&permit.workspace, app.store.clock().now());
    let mut tx = app.store.read().await?;
    let mut found = Vec::new();
    while found.len() <= limit {
        let devices = policy_deliveries::devices(&mut tx, workspace.id, member, &after, BATCH).await?;
        let Some(last) = devices.last() else { break };
        after.clone_from(last);
        let rows = applied(&mut tx, workspace, &devices, now).await?;
        found.extend(rows.into_iter().filter(|row| {
            wanted.is_none_or(|state| state == row.state)
                && policy.is_none_or(|id| row.delivered.is_some_and(|delivered| delivered.id == id))
        }));
    }
    List::new(found, &page, |row| row.device.clone())
}

/// The policies of these devices, in their order.
async fn applied(tx: &mut Tx, workspace: &Workspace, devices: &[String], now: Timestamp) -> Result<Vec<AppliedPolicy>> {
    let ws: WorkspaceId = workspace.id;
    let mut deliveries: HashMap<String, Vec<DeliveryRow>> = HashMap::new();
    for row in policy_deliveries::of_devices(tx, ws, devices).await? {
        deliveries.entry(row.device.clone()).or_default().push(row);
    }
    let sessions = agent_sessions::latest_of(tx, ws, devices).await?;
    let mut sessions: HashMap<String, AgentSessionRow> =
        sessions.into_iter().map(|session| (session.device.clone(), session)).collect();
    let rows = devices.iter().filter_map(|device| {
        let rows = deliveries.remove(device)?;
        Some(of_device(workspace, device, &rows, sessions.remove(device), now))
    });
    Ok(rows.collect())
}

fn of_device(
    workspace: &Workspace,
    device: &str,
    rows: &[DeliveryRow],
    session: Option<AgentSessionRow>,
    now: Timestamp,
) -> AppliedPolicy {
    let latest = rows.iter().filter(|row| row.fetches > 0).max_by_key(|row| row.last_at);
    let last_turn_at = rows.iter().filter_map(|row| row.last_turn_at).max();
    let newest = latest.or_else(|| rows.iter().max_by_key(|row| row.last_turn_at));
    let version = newest.map(|row| row.client_version.clone()).filter(|version| !version.is_empty());
    let member_id = rows.iter().map(|row| &row.member_id).find(|id| !id.is_empty()).cloned();
    let current = member_id.as_deref().map(|id| current(workspace, id, version.as_deref(), now));
    let (state, reasons) = judged(latest, current, last_turn_at, session.as_ref());
    AppliedPolicy {
        member_id,
        device: device.to_owned(),
        delivered: latest.and_then(|row| row.policy).map(PolicyVersion::from),
        delivered_at: latest.map(|row| row.last_at),
        client_version: version,
        last_turn_at,
        current: current.flatten().map(PolicyVersion::from),
        state,
        reasons,
        last_session: session.map(AgentSession::from),
    }
}

/// What a member's client would be sent now.
fn current(workspace: &Workspace, member_id: &str, client: Option<&str>, now: Timestamp) -> Version {
    let member_id: MemberId = member_id.parse().ok()?;
    let member = workspace.members.get(&member_id)?;
    let client = client.and_then(|version| version.parse().ok());
    workspace.sent(member, client, now).map(|policy| (policy.id, policy.version))
}

/// The last session that was reported says most; then, whether the device goes on without asking.
fn judged(
    latest: Option<&DeliveryRow>,
    current: Option<Version>,
    last_turn_at: Option<Timestamp>,
    session: Option<&AgentSessionRow>,
) -> (DriftState, Vec<String>) {
    if let Some(session) = session.filter(|session| session.verdict == DriftState::Contradicting) {
        return (session.verdict, session.reasons.clone());
    }
    if let (Some(row), Some(current), Some(turn)) = (latest, current, last_turn_at) {
        let sent = Sent { version: row.policy, permits: None, first_at: row.first_at, last_at: row.last_at };
        if let Some(reason) = left_behind(&sent, current, turn) {
            return (DriftState::Behind, vec![reason]);
        }
    }
    match session {
        Some(session) => (session.verdict, session.reasons.clone()),
        None => (DriftState::Unknown, vec!["Its client has reported no session.".to_owned()]),
    }
}
