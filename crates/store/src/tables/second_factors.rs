//! Second factors of local accounts, and their recovery codes.

use jiff::Timestamp;
use provost_model::{FactorKind, MemberId, SecondFactorId, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// A second factor.
#[derive(Debug, Clone)]
pub struct SecondFactorRow {
    /// Its id.
    pub id: SecondFactorId,
    /// Whose.
    pub member_id: MemberId,
    /// TOTP or passkey.
    pub kind: FactorKind,
    /// How its member calls it.
    pub name: String,
    /// What it is checked with, sealed to [`seal_place`].
    pub sealed: Vec<u8>,
    /// Of TOTP: the last time step that was used.
    pub last_step: Option<i64>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its member showed that it works; before, it counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// What a factor is sealed to.
pub fn seal_place(id: SecondFactorId) -> String {
    format!("second_factor:{id}")
}

/// Adds one.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, row: &SecondFactorRow) -> Result<()> {
    let sql = "INSERT INTO second_factors
            (id, workspace_id, member_id, kind, name, sealed, created_at, confirmed_at, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let args = [
        row.id.into(),
        ws.into(),
        row.member_id.into(),
        row.kind.as_str().into(),
        row.name.as_str().into(),
        row.sealed.as_slice().into(),
        row.created_at.into(),
        row.confirmed_at.into(),
        row.last_used_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// One of a member's, confirmed or not.
pub async fn get(
    tx: &mut Tx,
    ws: WorkspaceId,
    member: MemberId,
    id: SecondFactorId,
) -> Result<Option<SecondFactorRow>> {
    let sql = "SELECT * FROM second_factors WHERE workspace_id = $1 AND member_id = $2 AND id = $3";
    tx.row(sql, [ws.into(), member.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The confirmed factors of a member, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<Vec<SecondFactorRow>> {
    let sql = "SELECT * FROM second_factors
        WHERE workspace_id = $1 AND member_id = $2 AND confirmed_at IS NOT NULL ORDER BY id";
    tx.rows(sql, [ws.into(), member.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<SecondFactorRow> {
    Ok(SecondFactorRow {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        kind: row.parse("kind")?,
        name: row.text("name")?,
        sealed: row.bytes("sealed")?,
        last_step: row.opt_int("last_step")?,
        created_at: row.time("created_at")?,
        confirmed_at: row.opt_time("confirmed_at")?,
        last_used_at: row.opt_time("last_used_at")?,
    })
}

/// Takes a time step of a TOTP factor; false if it, or a later one, was taken before.
pub async fn take_step(tx: &mut Tx, ws: WorkspaceId, id: SecondFactorId, step: i64, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE second_factors SET last_step = $3, last_used_at = $4
        WHERE workspace_id = $1 AND id = $2 AND (last_step IS NULL OR last_step < $3)";
    Ok(tx.execute(sql, [ws.into(), id.into(), step.into(), now.into()]).await? > 0)
}

/// Notes that a passkey was used, and what is known of it since.
pub async fn note_use(tx: &mut Tx, ws: WorkspaceId, id: SecondFactorId, sealed: &[u8], now: Timestamp) -> Result<()> {
    let sql = "UPDATE second_factors SET sealed = $3, last_used_at = $4 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), sealed.into(), now.into()]).await?;
    Ok(())
}

/// Makes one count.
pub async fn confirm(tx: &mut Tx, ws: WorkspaceId, id: SecondFactorId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE second_factors SET confirmed_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), now.into()]).await?;
    Ok(())
}

/// Removes one of a member's; whether it was there.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, member: MemberId, id: SecondFactorId) -> Result<bool> {
    let sql = "DELETE FROM second_factors WHERE workspace_id = $1 AND member_id = $2 AND id = $3";
    Ok(tx.execute(sql, [ws.into(), member.into(), id.into()]).await? > 0)
}

/// Removes all of a member's that were never confirmed.
pub async fn delete_unconfirmed(tx: &mut Tx, ws: WorkspaceId, member: MemberId, before: Timestamp) -> Result<()> {
    let sql = "DELETE FROM second_factors
        WHERE workspace_id = $1 AND member_id = $2 AND confirmed_at IS NULL AND created_at < $3";
    tx.execute(sql, [ws.into(), member.into(), before.into()]).await?;
    Ok(())
}

/// Replaces the recovery codes of a member; none takes them away.
pub async fn set_recovery_codes(
    tx: &mut Tx,
    ws: WorkspaceId,
    member: MemberId,
    hashes: &[TokenHash],
    now: Timestamp,
) -> Result<()> {
    let sql = "DELETE FROM recovery_codes WHERE workspace_id = $1 AND member_id = $2";
    tx.execute(sql, [ws.into(), member.into()]).await?;
    for hash in hashes {
        let sql = "INSERT INTO recovery_codes (hash, workspace_id, member_id, created_at) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, [hash.into(), ws.into(), member.into(), now.into()]).await?;
    }
    Ok(())
}

/// How many recovery codes a member has left.
pub async fn count_recovery_codes(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM recovery_codes WHERE workspace_id = $1 AND member_id = $2";
    tx.row(sql, [ws.into(), member.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Takes a recovery code: it works once.
pub async fn take_recovery_code(tx: &mut Tx, ws: WorkspaceId, member: MemberId, hash: &TokenHash) -> Result<bool> {
    let sql = "DELETE FROM recovery_codes WHERE workspace_id = $1 AND member_id = $2 AND hash = $3";
    Ok(tx.execute(sql, [ws.into(), member.into(), hash.into()]).await? > 0)
}

/// Forgets what was begun and never confirmed.
pub async fn delete_abandoned(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM second_factors WHERE confirmed_at IS NULL AND created_at < $1", [before.into()]).await
}
