//! Assertions that were taken, so that none is taken twice.

use jiff::Timestamp;
use provost_model::{ConnectionId, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// Takes an assertion, until whose end it must be remembered; whether it was not taken before.
pub async fn take(
    tx: &mut Tx,
    ws: WorkspaceId,
    connection_id: ConnectionId,
    assertion_id: &str,
    expires_at: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO saml_assertions (workspace_id, connection_id, assertion_id, expires_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (workspace_id, connection_id, assertion_id) DO NOTHING";
    let args = [ws.into(), connection_id.into(), assertion_id.into(), expires_at.into()];
    Ok(tx.execute(sql, args).await? > 0)
}

/// Forgets those that would be refused for their age.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM saml_assertions WHERE expires_at <= $1", [now.into()]).await
}
