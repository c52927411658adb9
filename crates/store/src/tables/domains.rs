//! The e-mail domains of a workspace.

use jiff::Timestamp;
use provost_model::{DomainId, WorkspaceId};

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// A domain.
#[derive(Debug, Clone)]
pub struct DomainRow {
    /// Its id.
    pub id: DomainId,
    /// The domain, in lower case.
    pub domain: String,
    /// What its DNS must say.
    pub challenge: String,
    /// Since when it is known to be the workspace's.
    pub verified_at: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Adds a domain.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, row: &DomainRow) -> Result<()> {
    let sql = "INSERT INTO domains (id, workspace_id, domain, challenge, verified_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let args = [
        row.id.into(),
        ws.into(),
        row.domain.as_str().into(),
        row.challenge.as_str().into(),
        row.verified_at.into(),
        row.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Notes that a domain is the workspace's.
pub async fn set_verified(tx: &mut Tx, ws: WorkspaceId, id: DomainId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE domains SET verified_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// Removes a domain.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: DomainId) -> Result<()> {
    tx.execute("DELETE FROM domains WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// One domain.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: DomainId) -> Result<Option<DomainRow>> {
    let sql = "SELECT * FROM domains WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of the domains, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<DomainRow>> {
    let sql = "SELECT * FROM domains WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

/// Whose a domain is known to be.
pub async fn owner(tx: &mut Tx, domain: &str) -> Result<Option<WorkspaceId>> {
    let sql = "SELECT workspace_id FROM domains WHERE domain = $1 AND verified_at IS NOT NULL";
    let row = tx.row(sql, [domain.into()]).await?;
    row.map(|row| row.parse("workspace_id")).transpose()
}

fn read(row: &Row) -> Result<DomainRow> {
    Ok(DomainRow {
        id: row.parse("id")?,
        domain: row.text("domain")?,
        challenge: row.text("challenge")?,
        verified_at: row.opt_time("verified_at")?,
        created_at: row.time("created_at")?,
    })
}
