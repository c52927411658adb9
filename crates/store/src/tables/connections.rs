//! stand-in
#![allow(missing_docs)]
use crate::Result;
use crate::db::Tx;
use provost_model::{ConnectionId, WorkspaceId};
use serde_json::Value;
pub struct ConnectionRow {
    pub id: ConnectionId,
    pub workspace_id: WorkspaceId,
    pub config: Value,
    pub protocol: String,
    pub enabled: bool,
    pub create_members: bool,
}
pub async fn find(tx: &mut Tx, id: ConnectionId) -> Result<Option<ConnectionRow>> {
    let Some(row) = tx.row("SELECT * FROM connections WHERE id = $1", [id.into()]).await? else { return Ok(None) };
    Ok(Some(ConnectionRow {
        id: row.parse("id")?,
        workspace_id: row.parse("workspace_id")?,
        config: row.json("config")?,
        protocol: row.text("protocol")?,
        enabled: row.bool("enabled")?,
        create_members: row.bool("create_members")?,
    }))
}
pub async fn insert(tx: &mut Tx, row: &ConnectionRow) -> Result<()> {
    tx.execute("INSERT INTO connections (id, workspace_id, protocol, config, enabled, create_members) VALUES ($1, $2, $3, $4, $5, $6)",
        [row.id.into(), row.workspace_id.into(), row.protocol.as_str().into(), row.config.to_string().into(), row.enabled.into(), row.create_members.into()]).await?;
    Ok(())
}
