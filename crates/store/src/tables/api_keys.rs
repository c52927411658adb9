//! API keys of the workspace.

use jiff::Timestamp;
use provost_model::{ApiKey, ApiKeyId, ApiKeyStatus, Scope, TokenHash, WorkspaceId};

use super::Page;
use crate::db::{Row, Tx};
use crate::{Error, Result};

/// An API key as admins see it: without its secret.
#[derive(Debug, Clone)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// The last four characters of its secret.
    pub last4: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Whether it works yet.
    pub status: ApiKeyStatus,
    /// Who made it: the id of a member or API key; none for the command line.
    pub created_by: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops working; none is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// Adds a key.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, key: &ApiKeyRow, hash: &TokenHash) -> Result<()> {
    let sql = "INSERT INTO api_keys
            (id, workspace_id, name, hash, last4, scopes, status, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let args = [
        key.id.into(),
        ws.into(),
        key.name.as_str().into(),
        hash.into(),
        key.last4.as_str().into(),
        serde_json::to_string(&key.scopes).expect("scopes turn into JSON").into(),
        key.status.as_str().into(),
        key.created_by.clone().into(),
        key.created_at.into(),
        key.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Revokes a key.
pub async fn revoke(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL";
    tx.execute(sql, [ws.into(), id.into(), now.into()]).await?;
    Ok(())
}

/// The keys that somebody made up to a time and that are not revoked.
pub async fn made_by(tx: &mut Tx, ws: WorkspaceId, maker: &str, until: Timestamp) -> Result<Vec<ApiKeyRow>> {
    let sql = "SELECT * FROM api_keys
        WHERE workspace_id = $1 AND created_by = $2 AND created_at <= $3 AND revoked_at IS NULL ORDER BY id";
    tx.rows(sql, [ws.into(), maker.into(), until.into()]).await?.iter().map(read).collect()
}

/// Notes that a key was used.
pub async fn set_last_used(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE api_keys SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// One key.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of the keys that are not revoked, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<ApiKeyRow>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND revoked_at IS NULL AND id > $2
        ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<ApiKeyRow> {
    let status = match row.text("status")?.as_str() {
        "active" => ApiKeyStatus::Active,
        "pending_approval" => ApiKeyStatus::PendingApproval,
        other => return Err(Error::Corrupt("API key", format!("status `{other}`"))),
    };
    Ok(ApiKeyRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        last4: row.text("last4")?,
        scopes: row.json("scopes")?,
        status,
        created_by: row.opt_text("created_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.opt_time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        last_used_at: row.opt_time("last_used_at")?,
    })
}

/// Every key that is not revoked, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<(TokenHash, ApiKey)>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND revoked_at IS NULL";
    tx.rows(sql, [ws.into()]).await?.iter().map(snapshot).collect()
}

/// The hash of a key and, unless it is revoked, the key, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId) -> Result<Option<(TokenHash, Option<ApiKey>)>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND id = $2";
    let Some(row) = tx.row(sql, [ws.into(), id.into()]).await? else { return Ok(None) };
    let (hash, key) = snapshot(&row)?;
    Ok(Some((hash, row.opt_time("revoked_at")?.is_none().then_some(key))))
}

fn snapshot(row: &Row) -> Result<(TokenHash, ApiKey)> {
    let key = read(row)?;
    let snapshot = ApiKey {
        id: key.id,
        name: key.name.into(),
        scopes: key.scopes.into(),
        status: key.status,
        expires_at: key.expires_at,
    };
    Ok((row.hash("hash")?, snapshot))
}
