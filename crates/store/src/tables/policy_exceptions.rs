//! Exceptions: another policy for one member, for a time.

use jiff::Timestamp;
use provost_model::{PolicyException, PolicyExceptionId, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

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
