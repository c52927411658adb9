//! Personal access tokens.

use jiff::Timestamp;
use provost_model::{AccessToken, AccessTokenId, MemberId, TokenHash, WorkspaceId};

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// An access token as its owner and admins see it: without its secret.
#[derive(Debug, Clone)]
pub struct AccessTokenRow {
    /// Its id.
    pub id: AccessTokenId,
    /// Whose it is.
    pub member_id: MemberId,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops working; none is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Adds a token.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, token: &AccessTokenRow, hash: &TokenHash) -> Result<()> {
    let sql = "INSERT INTO access_tokens (id, workspace_id, member_id, name, hash, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let args = [
        token.id.into(),
        ws.into(),
        token.member_id.into(),
        token.name.as_str().into(),
        hash.into(),
        token.created_at.into(),
        token.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Revokes a token.
pub async fn revoke(tx: &mut Tx, ws: WorkspaceId, id: AccessTokenId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE access_tokens SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL";
    tx.execute(sql, [ws.into(), id.into(), now.into()]).await?;
    Ok(())
}

/// Ends every token of a member; which ones, those included that were too old already.
pub async fn end_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<Vec<AccessTokenRow>> {
    let sql = "UPDATE access_tokens SET revoked_at = $3
        WHERE workspace_id = $1 AND member_id = $2 AND revoked_at IS NULL RETURNING *";
    tx.rows(sql, [ws.into(), member.into(), now.into()]).await?.iter().map(read).collect()
}

/// Notes that a token was used.
pub async fn set_last_used(tx: &mut Tx, ws: WorkspaceId, id: AccessTokenId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE access_tokens SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// One token.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: AccessTokenId) -> Result<Option<AccessTokenRow>> {
    let sql = "SELECT * FROM access_tokens WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of the tokens that are not revoked, by age: a member's, or everybody's.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, member: Option<MemberId>, page: &Page) -> Result<Vec<AccessTokenRow>> {
    let sql = "SELECT * FROM access_tokens
        WHERE workspace_id = $1 AND revoked_at IS NULL AND (CAST($2 AS TEXT) IS NULL OR member_id = $2) AND id > $3
        ORDER BY id LIMIT $4";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), member.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<AccessTokenRow> {
    Ok(AccessTokenRow {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        name: row.text("name")?,
        created_at: row.time("created_at")?,
        expires_at: row.opt_time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        last_used_at: row.opt_time("last_used_at")?,
    })
}

/// Every token that is not revoked, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<(TokenHash, AccessToken)>> {
    let sql = "SELECT * FROM access_tokens WHERE workspace_id = $1 AND revoked_at IS NULL";
    tx.rows(sql, [ws.into()]).await?.iter().map(snapshot).collect()
}

/// The hash of a token and, unless it is revoked, the token, for the snapshot.
pub(crate) async fn load(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: AccessTokenId,
) -> Result<Option<(TokenHash, Option<AccessToken>)>> {
    let sql = "SELECT * FROM access_tokens WHERE workspace_id = $1 AND id = $2";
    let Some(row) = tx.row(sql, [ws.into(), id.into()]).await? else { return Ok(None) };
    let (hash, token) = snapshot(&row)?;
    Ok(Some((hash, row.opt_time("revoked_at")?.is_none().then_some(token))))
}

fn snapshot(row: &Row) -> Result<(TokenHash, AccessToken)> {
    let token = AccessToken {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        expires_at: row.opt_time("expires_at")?,
    };
    Ok((row.hash("hash")?, token))
}
