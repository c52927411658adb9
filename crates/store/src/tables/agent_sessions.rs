//! What sessions of the agent ran with, as their clients reported it.

use jiff::Timestamp;
use provost_model::drift::DriftState;
use provost_model::{MemberId, PolicyId, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSessionRow {
    /// The client's id of the thread.
    pub thread_id: String,
    /// Whose it is.
    pub member_id: MemberId,
    /// The id of the credential that its client called with.
    pub device: String,
    /// What the client says it is; empty if it does not.
    pub client_version: String,
    /// Which of the client's surfaces; empty if it does not say.
    pub originator: String,
    /// The model; empty if it does not say.
    pub model: String,
    /// When it asks; empty if it does not say.
    pub approval_policy: String,
    /// What commands may touch; empty if it does not say.
    pub sandbox_policy: String,
    /// Whether commands reach the network: `on`, `off`; empty if it does not say.
    pub network_access: String,
    /// The better of the feeds that told of it: `analytics`, `otlp`.
    pub source: String,
    /// What its device had been sent.
    pub policy: Option<(PolicyId, u32)>,
    /// How it stands to that.
    pub verdict: DriftState,
    /// What says so.
    pub reasons: Vec<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub last_at: Timestamp,
}

/// Which sessions.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this member only.
    pub member: Option<MemberId>,
    /// With this verdict only.
    pub verdict: Option<DriftState>,
    /// Those heard of before this, and of those heard of just then the ones with a lesser id.
    pub before: Option<(Timestamp, String)>,
    /// At most so many.
    pub limit: u32,
}

/// Takes a session in hand, which may be a new one, and locks it; as it is. None if the thread is another
/// member's.
pub async fn take(tx: &mut Tx, ws: WorkspaceId, new: &AgentSessionRow) -> Result<Option<AgentSessionRow>> {
    let sql = "INSERT INTO agent_sessions (workspace_id, thread_id, member_id, device, client_version, originator,
            model, approval_policy, sandbox_policy, network_access, source, policy_id, policy_version, verdict,
            reasons, started_at, last_at)
        VALUES ($1, $2, $3, $4, '', '', '', '', '', '', '', '', 0, 'unknown', '[]', $5, $6)
        ON CONFLICT (workspace_id, thread_id) DO UPDATE SET last_at = CASE
            WHEN excluded.last_at > agent_sessions.last_at THEN excluded.last_at ELSE agent_sessions.last_at END
        WHERE agent_sessions.member_id = excluded.member_id RETURNING *";
    let args = [
        ws.into(),
        new.thread_id.as_str().into(),
        new.member_id.into(),
        new.device.as_str().into(),
        new.started_at.into(),
        new.last_at.into(),
    ];
    tx.row(sql, args).await?.map(|row| read(&row)).transpose()
}

/// Writes what is known of a session by now.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, session: &AgentSessionRow) -> Result<()> {
    let sql = "UPDATE agent_sessions SET device = $3, client_version = $4, originator = $5, model = $6,
            approval_policy = $7, sandbox_policy = $8, network_access = $9, source = $10, policy_id = $11,
            policy_version = $12, verdict = $13, reasons = $14, started_at = $15, last_at = $16
        WHERE workspace_id = $1 AND thread_id = $2";
    let (policy_id, version) = session.policy.map(|(id, version)| (id.to_string(), version)).unwrap_or_default();
    let reasons = serde_json::to_string(&session.reasons).expect("texts turn into JSON");
    let args = [
        ws.into(),
        session.thread_id.as_str().into(),
        session.device.as_str().into(),
        session.client_version.as_str().into(),
        session.originator.as_str().into(),
        session.model.as_str().into(),
        session.approval_policy.as_str().into(),
        session.sandbox_policy.as_str().into(),
        session.network_access.as_str().into(),
        session.source.as_str().into(),
        policy_id.into(),
        version.into(),
        session.verdict.as_str().into(),
        reasons.into(),
        session.started_at.into(),
        session.last_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// The sessions, latest first.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, filter: &Filter) -> Result<Vec<AgentSessionRow>> {
    let (at, id) = filter.before.clone().unwrap_or((Timestamp::MAX, String::new()));
    let mut args = vec![ws.into(), at.into(), id.into(), filter.limit.into()];
    args.extend(filter.member.map(Into::into));
    args.extend(filter.verdict.map(|verdict| verdict.as_str().into()));
    // Each along an index of its own.
    let sql = match (filter.member, filter.verdict) {
        (None, None) => {
            "SELECT * FROM agent_sessions WHERE workspace_id = $1
                AND (last_at < $2 OR (last_at = $2 AND thread_id < $3))
                ORDER BY last_at DESC, thread_id DESC LIMIT $4"
        }
        (Some(_), None) => {
            "SELECT * FROM agent_sessions WHERE workspace_id = $1
                AND (last_at < $2 OR (last_at = $2 AND thread_id < $3)) AND member_id = $5
                ORDER BY last_at DESC, thread_id DESC LIMIT $4"
        }
        (None, Some(_)) => {
            "SELECT * FROM agent_sessions WHERE workspace_id = $1
                AND (last_at < $2 OR (last_at = $2 AND thread_id < $3)) AND verdict = $5
                ORDER BY last_at DESC, thread_id DESC LIMIT $4"
        }
        (Some(_), Some(_)) => {
            "SELECT * FROM agent_sessions WHERE workspace_id = $1
                AND (last_at < $2 OR (last_at = $2 AND thread_id < $3)) AND member_id = $5 AND verdict = $6
                ORDER BY last_at DESC, thread_id DESC LIMIT $4"
        }
    };
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// The session of each of these devices that was heard of last.
pub async fn latest_of(tx: &mut Tx, ws: WorkspaceId, devices: &[String]) -> Result<Vec<AgentSessionRow>> {
    let sql = "SELECT * FROM agent_sessions s WHERE workspace_id = $1 AND device = $key AND last_at = (
            SELECT MAX(last_at) FROM agent_sessions o WHERE o.workspace_id = s.workspace_id AND o.device = s.device)";
    let keys: Vec<_> = devices.iter().map(|device| device.as_str().into()).collect();
    tx.rows_for(sql, &[ws.into()], &keys).await?.iter().map(read).collect()
}

/// Forgets those that were not heard of since a time.
pub async fn delete_before(tx: &mut Tx, ws: WorkspaceId, before: Timestamp) -> Result<()> {
    let sql = "DELETE FROM agent_sessions WHERE workspace_id = $1 AND last_at < $2";
    tx.execute(sql, [ws.into(), before.into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<AgentSessionRow> {
    let policy_id = row.text("policy_id")?;
    let version = u32::try_from(row.int("policy_version")?).unwrap_or(u32::MAX);
    Ok(AgentSessionRow {
        thread_id: row.text("thread_id")?,
        member_id: row.parse("member_id")?,
        device: row.text("device")?,
        client_version: row.text("client_version")?,
        originator: row.text("originator")?,
        model: row.text("model")?,
        approval_policy: row.text("approval_policy")?,
        sandbox_policy: row.text("sandbox_policy")?,
        network_access: row.text("network_access")?,
        source: row.text("source")?,
        policy: if policy_id.is_empty() { None } else { Some((row.parse("policy_id")?, version)) },
        verdict: row.parse("verdict")?,
        reasons: row.json("reasons")?,
        started_at: row.time("started_at")?,
        last_at: row.time("last_at")?,
    })
}
