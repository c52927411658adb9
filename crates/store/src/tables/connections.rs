//! Connections to identity providers.

use jiff::Timestamp;
use provost_model::{ConnectionId, Protocol, WorkspaceId, name_key};
use serde_json::Value;

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// A connection.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionRow {
    /// Its id.
    pub id: ConnectionId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// Its name, which members see on the sign-in page.
    pub name: String,
    /// What the provider speaks.
    pub protocol: Protocol,
    /// What the protocol needs, in a shape of its own; no secret is in it.
    pub config: Value,
    /// The secret that the provider knows us by, sealed to [`seal_place`].
    pub secret_sealed: Option<Vec<u8>>,
    /// Whether members may sign in through it.
    pub enabled: bool,
    /// Whether somebody unknown whom it vouches for becomes a member.
    pub create_members: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a connection's secret is sealed to.
pub fn seal_place(id: ConnectionId) -> String {
    format!("connection/{id}")
}

/// Adds a connection.
pub async fn insert(tx: &mut Tx, row: &ConnectionRow) -> Result<()> {
    let sql = "INSERT INTO connections (id, workspace_id, name, name_key, protocol, config, secret_sealed, enabled,
            create_members, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let args = [
        row.id.into(),
        row.workspace_id.into(),
        row.name.as_str().into(),
        name_key(&row.name).into(),
        row.protocol.as_str().into(),
        row.config.to_string().into(),
        row.secret_sealed.clone().into(),
        row.enabled.into(),
        row.create_members.into(),
        row.created_at.into(),
        row.updated_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Replaces a connection.
pub async fn update(tx: &mut Tx, row: &ConnectionRow) -> Result<()> {
    let sql = "UPDATE connections SET name = $3, name_key = $4, config = $5, secret_sealed = $6, enabled = $7,
            create_members = $8, updated_at = $9
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        row.workspace_id.into(),
        row.id.into(),
        row.name.as_str().into(),
        name_key(&row.name).into(),
        row.config.to_string().into(),
        row.secret_sealed.clone().into(),
        row.enabled.into(),
        row.create_members.into(),
        row.updated_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Removes a connection, and who is who there.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: ConnectionId) -> Result<()> {
    tx.execute("DELETE FROM connections WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// One connection of a workspace.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: ConnectionId) -> Result<Option<ConnectionRow>> {
    let sql = "SELECT * FROM connections WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A connection of any workspace: for who signs in, and is nobody's yet.
pub async fn find(tx: &mut Tx, id: ConnectionId) -> Result<Option<ConnectionRow>> {
    let row = tx.row("SELECT * FROM connections WHERE id = $1", [id.into()]).await?;
    row.map(|row| read(&row)).transpose()
}

/// A page of the connections, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<ConnectionRow>> {
    let sql = "SELECT * FROM connections WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

/// The connections through which members may sign in, of every workspace: for the sign-in page.
pub async fn list_enabled(tx: &mut Tx) -> Result<Vec<ConnectionRow>> {
    let sql = "SELECT * FROM connections WHERE enabled ORDER BY id LIMIT 20";
    tx.rows(sql, []).await?.iter().map(read).collect()
}

/// How many connections members may sign in through, other than this one.
pub async fn count_other_enabled(tx: &mut Tx, ws: WorkspaceId, id: Option<ConnectionId>) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM connections WHERE workspace_id = $1 AND enabled AND id <> $2";
    let id = id.map(|id| id.to_string()).unwrap_or_default();
    tx.row(sql, [ws.into(), id.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

fn read(row: &Row) -> Result<ConnectionRow> {
    Ok(ConnectionRow {
        id: row.parse("id")?,
        workspace_id: row.parse("workspace_id")?,
        name: row.text("name")?,
        protocol: row.parse("protocol")?,
        config: row.json("config")?,
        secret_sealed: row.opt_bytes("secret_sealed")?,
        enabled: row.bool("enabled")?,
        create_members: row.bool("create_members")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
