//! Exceptions: another policy for one member, for a time.

use jiff::{SignedDuration, Timestamp};
use provost_model::{MemberId, PolicyException, PolicyExceptionId, PolicyId, WorkspaceId};

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// How long one waits for an answer.
const WAITS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An exception that was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyExceptionRow {
    /// Its id.
    pub id: PolicyExceptionId,
    /// For whom.
    pub member_id: MemberId,
    /// Which policy; none leaves the choice to who approves.
    pub policy_id: Option<PolicyId>,
    /// Why.
    pub reason: String,
    /// For how long from its approval on, in minutes.
    pub minutes: u32,
    /// `pending`, `approved`, `denied`, `withdrawn`, `ended` (before its time) or `expired`.
    pub status: String,
    /// Who asked: the id of a member or API key.
    pub created_by: String,
    /// The members who stand behind who asked.
    pub known_by: Vec<String>,
    /// When they asked.
    pub created_at: Timestamp,
    /// Who approved or denied it.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl PolicyExceptionRow {
    /// Until when it can be answered.
    pub fn request_expires_at(&self) -> Timestamp {
        self.created_at + WAITS
    }
}

/// Which of them.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this member.
    pub member_id: Option<MemberId>,
    /// With this status.
    pub status: Option<String>,
}

/// Adds one.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, row: &PolicyExceptionRow) -> Result<()> {
    let sql =
        "INSERT INTO policy_exceptions (id, workspace_id, member_id, policy_id, reason, minutes, status, created_by,
            known_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let args = [
        row.id.into(),
        ws.into(),
        row.member_id.into(),
        row.policy_id.into(),
        row.reason.as_str().into(),
        row.minutes.into(),
        row.status.as_str().into(),
        row.created_by.as_str().into(),
        serde_json::to_string(&row.known_by).expect("texts turn into JSON").into(),
        row.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Writes what became of one.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, row: &PolicyExceptionRow) -> Result<()> {
    let sql =
        "UPDATE policy_exceptions SET policy_id = $3, minutes = $4, status = $5, decided_by = $6, decided_at = $7,
            expires_at = $8, ended_at = $9 WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        row.id.into(),
        row.policy_id.into(),
        row.minutes.into(),
        row.status.as_str().into(),
        row.decided_by.clone().into(),
        row.decided_at.into(),
        row.expires_at.into(),
        row.ended_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// One.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: PolicyExceptionId) -> Result<Option<PolicyExceptionRow>> {
    let sql = "SELECT * FROM policy_exceptions WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of them, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, filter: &Filter, page: &Page) -> Result<Vec<PolicyExceptionRow>> {
    let sql = "SELECT * FROM policy_exceptions WHERE workspace_id = $1 AND ($2 = '' OR member_id = $2)
        AND ($3 = '' OR status = $3) AND id > $4 ORDER BY id LIMIT $5";
    let member = filter.member_id.map(|id| id.to_string()).unwrap_or_default();
    let (status, after) = (filter.status.clone().unwrap_or_default(), page.after.clone().unwrap_or_default());
    let args = [ws.into(), member.into(), status.into(), after.into(), page.limit.into()];
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// The approved one of a member, if there is one.
pub async fn approved_of(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<Option<PolicyExceptionRow>> {
    let sql = "SELECT * FROM policy_exceptions WHERE workspace_id = $1 AND member_id = $2 AND status = 'approved'";
    tx.row(sql, [ws.into(), member.into()]).await?.map(|row| read(&row)).transpose()
}

/// How many of a member wait for an answer, and can still be given one.
pub async fn count_pending(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM policy_exceptions
        WHERE workspace_id = $1 AND member_id = $2 AND status = 'pending' AND created_at > $3";
    tx.row(sql, [ws.into(), member.into(), (now - WAITS).into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// How many run that give this policy.
pub async fn count_running(tx: &mut Tx, ws: WorkspaceId, policy: PolicyId, now: Timestamp) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM policy_exceptions
        WHERE workspace_id = $1 AND policy_id = $2 AND status = 'approved' AND expires_at > $3";
    tx.row(sql, [ws.into(), policy.into(), now.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Those whose time is over and that nobody has ended, of every workspace.
pub async fn over(tx: &mut Tx, now: Timestamp) -> Result<Vec<(WorkspaceId, PolicyExceptionId)>> {
    let sql = "SELECT workspace_id, id FROM policy_exceptions WHERE status = 'approved' AND expires_at <= $1";
    let rows = tx.rows(sql, [now.into()]).await?;
    rows.iter().map(|row| Ok((row.parse("workspace_id")?, row.parse("id")?))).collect()
}

fn read(row: &Row) -> Result<PolicyExceptionRow> {
    Ok(PolicyExceptionRow {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        policy_id: row.opt_parse("policy_id")?,
        reason: row.text("reason")?,
        minutes: u32::try_from(row.int("minutes")?).unwrap_or_default(),
        status: row.text("status")?,
        created_by: row.text("created_by")?,
        known_by: row.json("known_by")?,
        created_at: row.time("created_at")?,
        decided_by: row.opt_text("decided_by")?,
        decided_at: row.opt_time("decided_at")?,
        expires_at: row.opt_time("expires_at")?,
        ended_at: row.opt_time("ended_at")?,
    })
}

/// Those that are approved and not over, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId, now: Timestamp) -> Result<Vec<PolicyException>> {
    let sql = "SELECT id, member_id, policy_id, expires_at FROM policy_exceptions
        WHERE workspace_id = $1 AND status = 'approved' AND expires_at > $2";
    tx.rows(sql, [ws.into(), now.into()]).await?.iter().map(snapshot).collect()
}

/// One, for the snapshot: whether it is approved, and what it is.
pub(crate) async fn load(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: PolicyExceptionId,
) -> Result<Option<(bool, PolicyException)>> {
    let sql = "SELECT id, member_id, policy_id, expires_at, status FROM policy_exceptions
        WHERE workspace_id = $1 AND id = $2 AND policy_id IS NOT NULL AND expires_at IS NOT NULL";
    let Some(row) = tx.row(sql, [ws.into(), id.into()]).await? else { return Ok(None) };
    Ok(Some((row.text("status")? == "approved", snapshot(&row)?)))
}

fn snapshot(row: &Row) -> Result<PolicyException> {
    Ok(PolicyException {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        policy_id: row.parse("policy_id")?,
        expires_at: row.time("expires_at")?,
    })
}
