//! Sign-ins through OpenID Connect that browsers have begun.

use jiff::Timestamp;
use provost_model::{ConnectionId, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// A sign-in that waits for the provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSignInRow {
    /// Into which workspace.
    pub workspace_id: WorkspaceId,
    /// Through which connection.
    pub connection_id: ConnectionId,
    /// The hash of the cookie of the browser that began it.
    pub browser: TokenHash,
    /// What the ID token must hold.
    pub nonce: String,
    /// The PKCE verifier.
    pub verifier: String,
    /// Where it goes on to: a path of our own.
    pub next: String,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// Notes one, under the hash of its state.
pub async fn insert(tx: &mut Tx, hash: &TokenHash, row: &OidcSignInRow, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO oidc_sign_ins (hash, workspace_id, connection_id, browser, nonce, verifier, next,
            created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let args = [
        hash.into(),
        row.workspace_id.into(),
        row.connection_id.into(),
        (&row.browser).into(),
        row.nonce.as_str().into(),
        row.verifier.as_str().into(),
        row.next.as_str().into(),
        now.into(),
        row.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Takes one: there is a second time for nobody.
pub async fn take(tx: &mut Tx, hash: &TokenHash) -> Result<Option<OidcSignInRow>> {
    let sql = "DELETE FROM oidc_sign_ins WHERE hash = $1
        RETURNING workspace_id, connection_id, browser, nonce, verifier, next, expires_at";
    let Some(row) = tx.row(sql, [hash.into()]).await? else { return Ok(None) };
    Ok(Some(OidcSignInRow {
        workspace_id: row.parse("workspace_id")?,
        connection_id: row.parse("connection_id")?,
        browser: row.hash("browser")?,
        nonce: row.text("nonce")?,
        verifier: row.text("verifier")?,
        next: row.text("next")?,
        expires_at: row.time("expires_at")?,
    }))
}

/// How many wait.
pub async fn count(tx: &mut Tx) -> Result<i64> {
    tx.row("SELECT COUNT(*) AS n FROM oidc_sign_ins", []).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Forgets those that are too old.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM oidc_sign_ins WHERE expires_at < $1", [now.into()]).await
}
