//! Changes of policies that wait for a second person.

use jiff::Timestamp;
use provost_model::{PolicyId, PolicyProposalId, WorkspaceId};

use super::Page;
use crate::db::{Row, Tx};
use crate::{Error, Result};

/// A proposal, without what it would do ([`body`]).
#[derive(Debug, Clone)]
pub struct PolicyProposalRow {
    /// Its id.
    pub id: PolicyProposalId,
    /// What kind of change it is.
    pub kind: String,
    /// Of which policy, where it is one that is there.
    pub policy_id: Option<PolicyId>,
    /// What it was written against: it is stale when that has changed.
    pub base: String,
    /// Why, in the words of whoever asks; may be empty.
    pub note: String,
    /// Whether it waits.
    pub status: ProposalStatus,
    /// Who asks: the id of a member or API key.
    pub created_by: String,
    /// The members who stand behind that: none of them is the second person.
    pub known_by: Vec<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Who decided: the id of a member or API key.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposalStatus {
    /// It waits.
    Pending,
    /// A second person agreed, and it was done.
    Approved,
    /// Somebody else turned it down.
    Denied,
    /// Whoever asked took it back.
    Withdrawn,
}

impl ProposalStatus {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Denied, Self::Withdrawn];

    /// How it is spelled.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The one that is spelled so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Adds a proposal with what it would do, as JSON.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, row: &PolicyProposalRow, body: &str) -> Result<()> {
    let sql = "INSERT INTO policy_proposals
            (id, workspace_id, kind, policy_id, body, base, note, status, created_by, known_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let known_by = serde_json::to_string(&row.known_by).expect("a list of texts turns into JSON");
    let args = [
        row.id.into(),
        ws.into(),
        row.kind.as_str().into(),
        row.policy_id.into(),
        body.into(),
        row.base.as_str().into(),
        row.note.as_str().into(),
        row.status.as_str().into(),
        row.created_by.as_str().into(),
        known_by.into(),
        row.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Writes what was decided on a proposal that waits.
pub async fn decide(tx: &mut Tx, ws: WorkspaceId, row: &PolicyProposalRow) -> Result<()> {
    let sql = "UPDATE policy_proposals SET status = $3, decided_by = $4, decided_at = $5
        WHERE workspace_id = $1 AND id = $2 AND status = 'pending'";
    let args =
        [ws.into(), row.id.into(), row.status.as_str().into(), row.decided_by.clone().into(), row.decided_at.into()];
    tx.execute(sql, args).await?;
    Ok(())
}

/// One proposal.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: PolicyProposalId) -> Result<Option<PolicyProposalRow>> {
    let sql = "SELECT id, kind, policy_id, base, note, status, created_by, known_by, created_at, decided_by, decided_at
        FROM policy_proposals WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// What a proposal would do, as JSON.
pub async fn body(tx: &mut Tx, ws: WorkspaceId, id: PolicyProposalId) -> Result<Option<String>> {
    let sql = "SELECT body FROM policy_proposals WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| row.text("body")).transpose()
}

/// A page of the proposals (of one status), by age.
pub async fn list(
    tx: &mut Tx,
    ws: WorkspaceId,
    status: Option<ProposalStatus>,
    page: &Page,
) -> Result<Vec<PolicyProposalRow>> {
    let sql = "SELECT id, kind, policy_id, base, note, status, created_by, known_by, created_at, decided_by, decided_at
        FROM policy_proposals
        WHERE workspace_id = $1 AND id > $2 AND ($3 = '' OR status = $3) ORDER BY id LIMIT $4";
    let (after, status) = (page.after.clone().unwrap_or_default(), status.map_or("", ProposalStatus::as_str));
    tx.rows(sql, [ws.into(), after.into(), status.into(), page.limit.into()]).await?.iter().map(read).collect()
}

/// How many proposals of somebody wait.
pub async fn count_pending(tx: &mut Tx, ws: WorkspaceId, created_by: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM policy_proposals
        WHERE workspace_id = $1 AND status = 'pending' AND created_by = $2";
    let row = tx.row(sql, [ws.into(), created_by.into()]).await?;
    row.map_or(Ok(0), |row| row.int("n"))
}

fn read(row: &Row) -> Result<PolicyProposalRow> {
    let status = row.text("status")?;
    let unknown = || Error::Corrupt("policy proposal", format!("status `{status}`"));
    Ok(PolicyProposalRow {
        id: row.parse("id")?,
        kind: row.text("kind")?,
        policy_id: row.opt_parse("policy_id")?,
        base: row.text("base")?,
        note: row.text("note")?,
        status: ProposalStatus::parse(&status).ok_or_else(unknown)?,
        created_by: row.text("created_by")?,
        known_by: row.json("known_by")?,
        created_at: row.time("created_at")?,
        decided_by: row.opt_text("decided_by")?,
        decided_at: row.opt_time("decided_at")?,
    })
}
