//! Which version of which policy a device was sent, and what it did with it.
//!
//! A device is the credential that it calls with: the id of a client session, of an access token, or of a
//! device enrolment.

use jiff::Timestamp;
use provost_model::{MemberId, PolicyId, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// What happened since the last time it was written: counts are added, times moved on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The id of the credential.
    pub device: String,
    /// The member's id; empty for a device enrolment.
    pub member_id: String,
    /// The policy and its version; none is "no policy".
    pub policy: Option<(PolicyId, u32)>,
    /// What the client says it is; empty if it does not.
    pub client_version: String,
    /// When it first was sent this.
    pub first_at: Timestamp,
    /// When it was last sent this. Turns do not move it: they have their own time.
    pub last_at: Timestamp,
    /// How often it was sent this.
    pub fetches: u32,
    /// Turns since.
    pub turns: u32,
    /// Turns since that failed or were refused.
    pub failed_turns: u32,
    /// When the last of them was.
    pub last_turn_at: Option<Timestamp>,
}

/// Adds what happened.
pub async fn add(tx: &mut Tx, rows: &[DeliveryRow]) -> Result<()> {
    let sql = "INSERT INTO policy_deliveries (workspace_id, device, member_id, policy_id, policy_version,
            client_version, first_at, last_at, fetches, turns, failed_turns, last_turn_at) VALUES $rows
        ON CONFLICT (workspace_id, device, policy_id, policy_version, client_version) DO UPDATE SET
            last_at = CASE WHEN excluded.last_at > policy_deliveries.last_at
                THEN excluded.last_at ELSE policy_deliveries.last_at END,
            fetches = policy_deliveries.fetches + excluded.fetches,
            turns = policy_deliveries.turns + excluded.turns,
            failed_turns = policy_deliveries.failed_turns + excluded.failed_turns,
            last_turn_at = COALESCE(excluded.last_turn_at, policy_deliveries.last_turn_at)";
    let values = rows.iter().map(|row| {
        let (policy_id, version) = row.policy.map(|(id, version)| (id.to_string(), version)).unwrap_or_default();
        vec![
            row.workspace_id.into(),
            row.device.as_str().into(),
            row.member_id.as_str().into(),
            policy_id.into(),
            version.into(),
            row.client_version.as_str().into(),
            row.first_at.into(),
            row.last_at.into(),
            row.fetches.into(),
            row.turns.into(),
            row.failed_turns.into(),
            row.last_turn_at.into(),
        ]
    });
    tx.insert_many(sql, values.collect()).await?;
    Ok(())
}

/// What a device was sent.
pub async fn of_device(tx: &mut Tx, ws: WorkspaceId, device: &str) -> Result<Vec<DeliveryRow>> {
    let sql = "SELECT * FROM policy_deliveries WHERE workspace_id = $1 AND device = $2";
    tx.rows(sql, [ws.into(), device.into()]).await?.iter().map(read).collect()
}

/// What devices were sent.
pub async fn of_devices(tx: &mut Tx, ws: WorkspaceId, devices: &[String]) -> Result<Vec<DeliveryRow>> {
    let sql = "SELECT * FROM policy_deliveries WHERE workspace_id = $1 AND device = $key";
    let keys: Vec<_> = devices.iter().map(|device| device.as_str().into()).collect();
    tx.rows_for(sql, &[ws.into()], &keys).await?.iter().map(read).collect()
}

/// What the devices of a member were sent since a time.
pub async fn of_member(tx: &mut Tx, ws: WorkspaceId, member: MemberId, since: Timestamp) -> Result<Vec<DeliveryRow>> {
    let sql = "SELECT * FROM policy_deliveries WHERE workspace_id = $1 AND member_id = $2 AND last_at >= $3";
    tx.rows(sql, [ws.into(), member.into(), since.into()]).await?.iter().map(read).collect()
}

/// The devices after one, in order, perhaps of one member only.
pub async fn devices(
    tx: &mut Tx,
    ws: WorkspaceId,
    member: Option<MemberId>,
    after: &str,
    limit: u32,
) -> Result<Vec<String>> {
    let rows = match member {
        None => {
            let sql = "SELECT DISTINCT device FROM policy_deliveries WHERE workspace_id = $1 AND device > $2
                ORDER BY device LIMIT $3";
            tx.rows(sql, [ws.into(), after.into(), limit.into()]).await?
        }
        Some(member) => {
            let sql = "SELECT DISTINCT device FROM policy_deliveries
                WHERE workspace_id = $1 AND device > $2 AND member_id = $3 ORDER BY device LIMIT $4";
            tx.rows(sql, [ws.into(), after.into(), member.into(), limit.into()]).await?
        }
    };
    rows.iter().map(|row| row.text("device")).collect()
}

/// Forgets what neither was sent nor used since a time.
pub async fn delete_before(tx: &mut Tx, ws: WorkspaceId, before: Timestamp) -> Result<()> {
    let sql = "DELETE FROM policy_deliveries
        WHERE workspace_id = $1 AND last_at < $2 AND COALESCE(last_turn_at, last_at) < $2";
    tx.execute(sql, [ws.into(), before.into()]).await?;
    Ok(())
}

/// Of a policy at one of its versions.
pub async fn of_version(tx: &mut Tx, ws: WorkspaceId, policy: PolicyId, version: u32) -> Result<Vec<DeliveryRow>> {
    let sql = "SELECT * FROM policy_deliveries WHERE workspace_id = $1 AND policy_id = $2 AND policy_version = $3";
    tx.rows(sql, [ws.into(), policy.into(), version.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<DeliveryRow> {
    let count = |name| Ok::<_, crate::Error>(u32::try_from(row.int(name)?).unwrap_or(u32::MAX));
    let policy_id = row.text("policy_id")?;
    let policy = if policy_id.is_empty() { None } else { Some((row.parse("policy_id")?, count("policy_version")?)) };
    Ok(DeliveryRow {
        workspace_id: row.parse("workspace_id")?,
        device: row.text("device")?,
        member_id: row.text("member_id")?,
        policy,
        client_version: row.text("client_version")?,
        first_at: row.time("first_at")?,
        last_at: row.time("last_at")?,
        fetches: count("fetches")?,
        turns: count("turns")?,
        failed_turns: count("failed_turns")?,
        last_turn_at: row.opt_time("last_turn_at")?,
    })
}
