//! Secrets of API keys and access tokens that a rotation replaced. Each works until its end, and is
//! remembered after it: a node must forget it, and when it leaks it is told whose it was.

use jiff::Timestamp;
use provost_model::{TokenHash, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// Notes that a secret was replaced and works until a time. Of the secrets before it none works any
/// longer: there is at most one previous.
pub(crate) async fn insert(
    tx: &mut Tx,
    ws: WorkspaceId,
    credential: &str,
    hash: &TokenHash,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE replaced_secrets SET expires_at = $3
        WHERE workspace_id = $1 AND credential_id = $2 AND expires_at >= $3";
    // A microsecond before now, so that an overlap of nothing is told from it.
    let ended = now - jiff::SignedDuration::from_micros(1);
    tx.execute(sql, [ws.into(), credential.into(), ended.into()]).await?;
    let sql = "INSERT INTO replaced_secrets (hash, workspace_id, credential_id, expires_at) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, [hash.into(), ws.into(), credential.into(), until.into()]).await?;
    Ok(())
}

/// The secrets that a credential had, each with its end.
pub(crate) async fn of(tx: &mut Tx, ws: WorkspaceId, credential: &str) -> Result<Vec<(TokenHash, Timestamp)>> {
    let sql = "SELECT hash, expires_at FROM replaced_secrets WHERE workspace_id = $1 AND credential_id = $2";
    let rows = tx.rows(sql, [ws.into(), credential.into()]).await?;
    rows.iter().map(|row| Ok((row.hash("hash")?, row.time("expires_at")?))).collect()
}

/// The earlier of the end of a credential and the end of one of its secrets.
pub(crate) fn earlier(end: Option<Timestamp>, secret: Timestamp) -> Option<Timestamp> {
    Some(end.map_or(secret, |end| end.min(secret)))
}
