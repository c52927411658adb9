//! Sign-ins through SAML that browsers have begun.

use jiff::Timestamp;
use provost_model::{ConnectionId, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// A sign-in that waits for the identity provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlRequestRow {
    /// The workspace of the connection.
    pub workspace_id: WorkspaceId,
    /// The connection.
    pub connection_id: ConnectionId,
    /// The id that the answer must name.
    pub request_id: String,
    /// What the secret in the browser's cookie hashes to.
    pub browser: TokenHash,
    /// Where to go after it: a path of our own.
    pub next: String,
    /// Until when the answer is awaited.
    pub expires_at: Timestamp,
}

/// Adds one, under what its `RelayState` hashes to.
pub async fn insert(tx: &mut Tx, hash: &TokenHash, row: &SamlRequestRow, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO saml_requests
            (hash, workspace_id, connection_id, request_id, browser, next, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let args = [
        hash.into(),
        row.workspace_id.into(),
        row.connection_id.into(),
        row.request_id.as_str().into(),
        (&row.browser).into(),
        row.next.as_str().into(),
        now.into(),
        row.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Takes the one that this browser began through this connection, if it is still awaited: it is gone
/// with this. Another browser's stays where it is.
pub async fn take(
    tx: &mut Tx,
    ws: WorkspaceId,
    connection_id: ConnectionId,
    hash: &TokenHash,
    browser: &TokenHash,
    now: Timestamp,
) -> Result<Option<SamlRequestRow>> {
    let sql = "DELETE FROM saml_requests
        WHERE workspace_id = $1 AND connection_id = $2 AND hash = $3 AND browser = $4 AND expires_at > $5
        RETURNING *";
    let args = [ws.into(), connection_id.into(), hash.into(), browser.into(), now.into()];
    let Some(row) = tx.row(sql, args).await? else { return Ok(None) };
    Ok(Some(SamlRequestRow {
        workspace_id: row.parse("workspace_id")?,
        connection_id: row.parse("connection_id")?,
        request_id: row.text("request_id")?,
        browser: row.hash("browser")?,
        next: row.text("next")?,
        expires_at: row.time("expires_at")?,
    }))
}

/// How many wait.
pub async fn count(tx: &mut Tx) -> Result<i64> {
    tx.row("SELECT COUNT(*) AS n FROM saml_requests", []).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Forgets those that were never answered.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM saml_requests WHERE expires_at <= $1", [now.into()]).await
}
