//! Groups as an identity provider sees them: SCIM groups (RFC 7643 §4.2). Their members are not
//! counted here: a group of fifty thousand is read as fast as an empty one.

use std::collections::HashMap;

use jiff::Timestamp;
use provost_model::{GroupId, GroupSource, WorkspaceId, name_key};

use super::Offset;
use crate::Result;
use crate::db::{Arg, Row, Tx};

/// A group with what its identity provider says of it.
#[derive(Debug, Clone)]
pub struct ScimGroupRow {
    /// Its id.
    pub id: GroupId,
    /// `displayName`: unique in the workspace, in whichever case and form.
    pub name: String,
    /// Who says who is in it.
    pub source: GroupSource,
    /// `externalId`: the provider's own id. Nothing keeps two from having the same.
    pub external_id: Option<String>,
    /// The attributes as last given, as JSON, without `id`, `meta` and `members`; none for a group
    /// made by hand.
    pub scim: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Adds groups.
pub async fn insert_many(tx: &mut Tx, ws: WorkspaceId, groups: &[ScimGroupRow]) -> Result<()> {
    let sql = "INSERT INTO groups
            (id, workspace_id, name, name_key, source, external_id, scim, created_at, updated_at)
        VALUES $rows";
    let row = |group: &ScimGroupRow| {
        vec![
            group.id.into(),
            ws.into(),
            group.name.as_str().into(),
            name_key(&group.name).into(),
            group.source.as_str().into(),
            group.external_id.as_deref().into(),
            group.scim.as_deref().into(),
            group.created_at.into(),
            group.updated_at.into(),
        ]
    };
    tx.insert_many(sql, groups.iter().map(row).collect()).await
}

/// Replaces a group's fields.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, group: &ScimGroupRow) -> Result<()> {
    let sql = "UPDATE groups
        SET name = $3, name_key = $4, source = $5, external_id = $6, scim = $7, updated_at = $8
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        group.id.into(),
        group.name.as_str().into(),
        name_key(&group.name).into(),
        group.source.as_str().into(),
        group.external_id.as_deref().into(),
        group.scim.as_deref().into(),
        group.updated_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Says that a group changed: who is in it.
pub async fn set_updated(tx: &mut Tx, ws: WorkspaceId, id: GroupId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE groups SET updated_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// One group.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: GroupId) -> Result<Option<ScimGroupRow>> {
    let sql = "SELECT * FROM groups WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// These groups, those that there are, by id.
pub async fn get_many(tx: &mut Tx, ws: WorkspaceId, ids: &[GroupId]) -> Result<HashMap<GroupId, ScimGroupRow>> {
    let sql = "SELECT * FROM groups WHERE workspace_id = $1 AND id = $key";
    let keys: Vec<Arg> = ids.iter().map(|id| (*id).into()).collect();
    let rows = tx.rows_for(sql, &[ws.into()], &keys).await?;
    rows.iter().map(|row| read(row).map(|group| (group.id, group))).collect()
}

/// The group with this name, in whichever case and form.
pub async fn get_by_name(tx: &mut Tx, ws: WorkspaceId, name: &str) -> Result<Option<ScimGroupRow>> {
    let sql = "SELECT * FROM groups WHERE workspace_id = $1 AND name_key = $2";
    tx.row(sql, [ws.into(), name_key(name).into()]).await?.map(|row| read(&row)).transpose()
}

/// Which of these names, given as their keys ([`name_key`]), are taken, and by whom.
pub async fn taken(tx: &mut Tx, ws: WorkspaceId, names: &[String]) -> Result<HashMap<String, GroupId>> {
    let sql = "SELECT id, name_key FROM groups WHERE workspace_id = $1 AND name_key = $key";
    let keys: Vec<Arg> = names.iter().map(|name| name.as_str().into()).collect();
    let rows = tx.rows_for(sql, &[ws.into()], &keys).await?;
    rows.iter().map(|row| Ok((row.text("name_key")?, row.parse("id")?))).collect()
}

/// The groups with this id of the provider's, oldest first.
pub async fn get_by_external_id(tx: &mut Tx, ws: WorkspaceId, id: &str, page: Offset) -> Result<Vec<ScimGroupRow>> {
    let sql = "SELECT * FROM groups WHERE workspace_id = $1 AND external_id = $2 ORDER BY id LIMIT $3 OFFSET $4";
    tx.rows(sql, [ws.into(), id.into(), page.limit.into(), page.skip.into()]).await?.iter().map(read).collect()
}

/// How many groups have this id of the provider's.
pub async fn count_by_external_id(tx: &mut Tx, ws: WorkspaceId, id: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM groups WHERE workspace_id = $1 AND external_id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// A page of the groups of one source, or of all, by age.
pub async fn list(
    tx: &mut Tx,
    ws: WorkspaceId,
    source: Option<GroupSource>,
    page: Offset,
) -> Result<Vec<ScimGroupRow>> {
    let sql = "SELECT * FROM groups WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR source = $2)
        ORDER BY id LIMIT $3 OFFSET $4";
    let source = source.map(GroupSource::as_str);
    tx.rows(sql, [ws.into(), source.into(), page.limit.into(), page.skip.into()]).await?.iter().map(read).collect()
}

/// How many groups of one source, or in all, there are.
pub async fn count(tx: &mut Tx, ws: WorkspaceId, source: Option<GroupSource>) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM groups WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR source = $2)";
    let source = source.map(GroupSource::as_str);
    tx.row(sql, [ws.into(), source.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

fn read(row: &Row) -> Result<ScimGroupRow> {
    Ok(ScimGroupRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        source: row.parse("source")?,
        external_id: row.opt_text("external_id")?,
        scim: row.opt_text("scim")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
