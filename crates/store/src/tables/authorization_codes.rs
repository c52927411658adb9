//! Authorization codes: what a browser brings back to its client, to be exchanged once.

use jiff::Timestamp;
use provost_model::{GrantId, MemberId, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// An authorization code.
#[derive(Debug, Clone)]
pub struct CodeRow {
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Who.
    pub member_id: MemberId,
    /// For which client.
    pub client_id: String,
    /// Where it was sent; the exchange must name the same.
    pub redirect_uri: String,
    /// PKCE, method S256.
    pub code_challenge: String,
    /// How the member signed the client in: `device_code` or `browser`.
    pub method: String,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// The client session that it became; a second exchange ends that one (RFC 6749 §4.1.2).
    pub grant_id: Option<GrantId>,
}

/// Adds a code.
pub async fn insert(tx: &mut Tx, hash: &TokenHash, code: &CodeRow, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO authorization_codes
            (hash, workspace_id, member_id, client_id, redirect_uri, code_challenge, method, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let args = [
        hash.into(),
        code.workspace_id.into(),
        code.member_id.into(),
        code.client_id.as_str().into(),
        code.redirect_uri.as_str().into(),
        code.code_challenge.as_str().into(),
        code.method.as_str().into(),
        now.into(),
        code.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// The code with this hash.
pub async fn get(tx: &mut Tx, hash: &TokenHash) -> Result<Option<CodeRow>> {
    let Some(row) = tx.row("SELECT * FROM authorization_codes WHERE hash = $1", [hash.into()]).await? else {
        return Ok(None);
    };
    Ok(Some(CodeRow {
        workspace_id: row.parse("workspace_id")?,
        member_id: row.parse("member_id")?,
        client_id: row.text("client_id")?,
        redirect_uri: row.text("redirect_uri")?,
        code_challenge: row.text("code_challenge")?,
        method: row.text("method")?,
        expires_at: row.time("expires_at")?,
        grant_id: row.opt_parse("grant_id")?,
    }))
}

/// Uses a code up; whether this was the first time.
pub async fn consume(tx: &mut Tx, hash: &TokenHash, grant: GrantId) -> Result<bool> {
    let sql = "UPDATE authorization_codes SET grant_id = $2 WHERE hash = $1 AND grant_id IS NULL";
    Ok(tx.execute(sql, [hash.into(), grant.into()]).await? > 0)
}

/// Ends the codes of a member that were not exchanged; how many. They stay for a while, so that whoever
/// brings one still hears why it is refused.
pub async fn expire_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<u64> {
    let sql = "UPDATE authorization_codes SET expires_at = $3
        WHERE workspace_id = $1 AND member_id = $2 AND grant_id IS NULL AND expires_at > $3";
    tx.execute(sql, [ws.into(), member.into(), now.into()]).await
}

/// Forgets codes that nobody can use any more.
pub async fn delete_expired(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM authorization_codes WHERE expires_at < $1", [before.into()]).await
}
