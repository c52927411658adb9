//! Device enrolments: machines that get a policy without a signed-in member.

use provost_model::{DeviceEnrolment, DeviceEnrolmentId, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// Those that are not revoked, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<(TokenHash, DeviceEnrolment)>> {
    let sql = "SELECT * FROM device_enrolments WHERE workspace_id = $1 AND revoked_at IS NULL";
    tx.rows(sql, [ws.into()]).await?.iter().map(snapshot).collect()
}

/// One by its secret's hash, if it is not revoked, for the snapshot.
pub(crate) async fn load(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: DeviceEnrolmentId,
) -> Result<Option<(TokenHash, Option<DeviceEnrolment>)>> {
    let sql = "SELECT * FROM device_enrolments WHERE workspace_id = $1 AND id = $2";
    let Some(row) = tx.row(sql, [ws.into(), id.into()]).await? else { return Ok(None) };
    let (hash, enrolment) = snapshot(&row)?;
    let is_revoked = row.opt_time("revoked_at")?.is_some();
    Ok(Some((hash, (!is_revoked).then_some(enrolment))))
}

fn snapshot(row: &Row) -> Result<(TokenHash, DeviceEnrolment)> {
    let enrolment = DeviceEnrolment {
        id: row.parse("id")?,
        name: row.text("name")?.into(),
        group_id: row.parse("group_id")?,
        expires_at: row.opt_time("expires_at")?,
        allowed_ips: row.json("allowed_ips")?,
    };
    Ok((row.hash("hash")?, enrolment))
}
