//! Device enrolments: machines that get a policy without a signed-in member.

use jiff::Timestamp;
use provost_model::{AllowedIps, DeviceEnrolment, DeviceEnrolmentId, GroupId, TokenHash, WorkspaceId, name_key};

use super::replaced_secrets::Holder;
use super::{Page, replaced_secrets};
use crate::Result;
use crate::db::{Row, Tx};

/// A device enrolment as admins see it.
#[derive(Debug, Clone)]
pub struct DeviceEnrolmentRow {
    /// Its id.
    pub id: DeviceEnrolmentId,
    /// Its name; several may have the same.
    pub name: String,
    /// Whose policy it gives. The group may be gone.
    pub group_id: GroupId,
    /// The last four characters of its secret.
    pub last4: String,
    /// From where it works.
    pub allowed_ips: AllowedIps,
    /// Who made it: the id of a member or API key.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops; none is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When a machine last fetched through it, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it last got a new secret.
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before works, after a rotation.
    pub previous_expires_at: Option<Timestamp>,
    /// When its secret was reported as leaked.
    pub leaked_at: Option<Timestamp>,
}

/// Adds one.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, row: &DeviceEnrolmentRow, hash: &TokenHash) -> Result<()> {
    let sql = "INSERT INTO device_enrolments
        (id, workspace_id, name, name_key, group_id, hash, last4, allowed_ips, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let args = [
        row.id.into(),
        ws.into(),
        row.name.as_str().into(),
        name_key(&row.name).into(),
        row.group_id.into(),
        hash.into(),
        row.last4.as_str().into(),
        serde_json::to_string(&row.allowed_ips).expect("networks turn into JSON").into(),
        row.created_by.as_str().into(),
        row.created_at.into(),
        row.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Writes what a rotation and a report of a leak change.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, row: &DeviceEnrolmentRow) -> Result<()> {
    let sql = "UPDATE device_enrolments
        SET last4 = $3, expires_at = $4, rotated_at = $5, previous_expires_at = $6, leaked_at = $7
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        row.id.into(),
        row.last4.as_str().into(),
        row.expires_at.into(),
        row.rotated_at.into(),
        row.previous_expires_at.into(),
        row.leaked_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Gives it another secret; the one before works until a time.
pub async fn replace_secret(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: DeviceEnrolmentId,
    hash: &TokenHash,
    previous_until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let holder = Holder {
        hash: "SELECT hash FROM device_enrolments WHERE workspace_id = $1 AND id = $2",
        set_hash: "UPDATE device_enrolments SET hash = $3 WHERE workspace_id = $1 AND id = $2",
    };
    replaced_secrets::replace(tx, ws, (holder, id.to_string()), hash, previous_until, now).await
}

/// Revokes one.
pub async fn revoke(tx: &mut Tx, ws: WorkspaceId, id: DeviceEnrolmentId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE device_enrolments SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL";
    tx.execute(sql, [ws.into(), id.into(), now.into()]).await?;
    Ok(())
}

/// Notes that a machine fetched through it.
pub async fn set_last_used(tx: &mut Tx, ws: WorkspaceId, id: DeviceEnrolmentId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE device_enrolments SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// One; also one that is revoked.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: DeviceEnrolmentId) -> Result<Option<DeviceEnrolmentRow>> {
    let sql = "SELECT * FROM device_enrolments WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The one whose secret, or former secret, has this hash; also one that is revoked.
pub async fn get_by_secret(tx: &mut Tx, ws: WorkspaceId, hash: &TokenHash) -> Result<Option<DeviceEnrolmentRow>> {
    let sql = "SELECT * FROM device_enrolments WHERE workspace_id = $1 AND (hash = $2 OR id IN
        (SELECT credential_id FROM replaced_secrets WHERE workspace_id = $1 AND hash = $2))";
    tx.row(sql, [ws.into(), hash.into()]).await?.map(|row| read(&row)).transpose()
}

/// How many are not revoked.
pub async fn count(tx: &mut Tx, ws: WorkspaceId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM device_enrolments WHERE workspace_id = $1 AND revoked_at IS NULL";
    tx.row(sql, [ws.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// A page of those that are not revoked, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<DeviceEnrolmentRow>> {
    let sql = "SELECT * FROM device_enrolments WHERE workspace_id = $1 AND revoked_at IS NULL AND id > $2
        ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<DeviceEnrolmentRow> {
    Ok(DeviceEnrolmentRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        group_id: row.parse("group_id")?,
        last4: row.text("last4")?,
        allowed_ips: row.json("allowed_ips")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.opt_time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        rotated_at: row.opt_time("rotated_at")?,
        previous_expires_at: row.opt_time("previous_expires_at")?,
        leaked_at: row.opt_time("leaked_at")?,
    })
}

/// Every secret of those that are not revoked, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<(TokenHash, DeviceEnrolment)>> {
    let sql = "SELECT * FROM device_enrolments WHERE workspace_id = $1 AND revoked_at IS NULL";
    let mut found: Vec<_> = tx.rows(sql, [ws.into()]).await?.iter().map(snapshot).collect::<Result<_>>()?;
    let sql = "SELECT d.*, r.hash AS former_hash, r.expires_at AS former_end FROM device_enrolments d
        JOIN replaced_secrets r ON r.workspace_id = d.workspace_id AND r.credential_id = d.id
        WHERE d.workspace_id = $1 AND d.revoked_at IS NULL AND r.expires_at = d.previous_expires_at";
    for row in tx.rows(sql, [ws.into()]).await? {
        found.push(replaced_secrets::former(&row, snapshot(&row)?.1)?);
    }
    Ok(found)
}

/// Every secret that one ever had, with the enrolment where that secret may still work, for the snapshot.
pub(crate) async fn load(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: DeviceEnrolmentId,
) -> Result<Vec<(TokenHash, Option<DeviceEnrolment>)>> {
    let sql = "SELECT * FROM device_enrolments WHERE workspace_id = $1 AND id = $2";
    let Some(row) = tx.row(sql, [ws.into(), id.into()]).await? else { return Ok(Vec::new()) };
    replaced_secrets::all(tx, ws, &row, snapshot(&row)?).await
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
