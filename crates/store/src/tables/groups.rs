//! Groups and who is in them.

use jiff::Timestamp;
use provost_model::{Group, GroupId, GroupSource, MemberId, PermissionSet, WorkspaceId, name_key};

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// A group as admins see it.
#[derive(Debug, Clone)]
pub struct GroupRow {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Who says who is in it.
    pub source: GroupSource,
    /// How many members it has.
    pub member_count: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Adds a group.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, group: &GroupRow) -> Result<()> {
    let sql = "INSERT INTO groups (id, workspace_id, name, name_key, source, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)";
    let args = [
        group.id.into(),
        ws.into(),
        group.name.as_str().into(),
        name_key(&group.name).into(),
        group.source.as_str().into(),
        group.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Renames a group.
pub async fn rename(tx: &mut Tx, ws: WorkspaceId, id: GroupId, name: &str, now: Timestamp) -> Result<()> {
    let sql = "UPDATE groups SET name = $3, name_key = $4, updated_at = $5 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), name.into(), name_key(name).into(), now.into()]).await?;
    Ok(())
}

/// Removes a group.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: GroupId) -> Result<()> {
    tx.execute("DELETE FROM groups WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// Adds a member; whether it was not in it before. Both must be of the workspace.
pub async fn add_member(tx: &mut Tx, ws: WorkspaceId, id: GroupId, member: MemberId) -> Result<bool> {
    let sql = "INSERT INTO group_members (workspace_id, group_id, member_id)
        SELECT g.workspace_id, g.id, m.id FROM groups g JOIN members m ON m.workspace_id = g.workspace_id
        WHERE g.workspace_id = $1 AND g.id = $2 AND m.id = $3
        ON CONFLICT (group_id, member_id) DO NOTHING";
    Ok(tx.execute(sql, [ws.into(), id.into(), member.into()]).await? > 0)
}

/// Removes a member; whether it was in it before.
pub async fn remove_member(tx: &mut Tx, ws: WorkspaceId, id: GroupId, member: MemberId) -> Result<bool> {
    let sql = "DELETE FROM group_members WHERE workspace_id = $1 AND group_id = $2 AND member_id = $3";
    Ok(tx.execute(sql, [ws.into(), id.into(), member.into()]).await? > 0)
}

/// One group.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: GroupId) -> Result<Option<GroupRow>> {
    let sql = "SELECT g.*, (SELECT COUNT(*) FROM group_members m WHERE m.group_id = g.id) AS member_count
        FROM groups g WHERE g.workspace_id = $1 AND g.id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The group of this name (in any case).
pub async fn id_of_name(tx: &mut Tx, ws: WorkspaceId, name: &str) -> Result<Option<GroupId>> {
    let sql = "SELECT id FROM groups WHERE workspace_id = $1 AND name_key = $2";
    tx.row(sql, [ws.into(), name_key(name).into()]).await?.map(|row| row.parse("id")).transpose()
}

/// A page of the groups, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<GroupRow>> {
    let sql = "SELECT g.*, (SELECT COUNT(*) FROM group_members m WHERE m.group_id = g.id) AS member_count
        FROM groups g WHERE g.workspace_id = $1 AND g.id > $2 ORDER BY g.id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

/// A page of the ids of a group's members.
pub async fn member_ids(tx: &mut Tx, ws: WorkspaceId, id: GroupId, page: &Page) -> Result<Vec<MemberId>> {
    let sql = "SELECT member_id FROM group_members
        WHERE workspace_id = $1 AND group_id = $2 AND member_id > $3 ORDER BY member_id LIMIT $4";
    let after = page.after.clone().unwrap_or_default();
    let rows = tx.rows(sql, [ws.into(), id.into(), after.into(), page.limit.into()]).await?;
    rows.iter().map(|row| row.parse("member_id")).collect()
}

fn read(row: &Row) -> Result<GroupRow> {
    Ok(GroupRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        source: row.parse("source")?,
        member_count: row.int("member_count")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// Every group, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<Group>> {
    let rows = tx.rows("SELECT id, name, source FROM groups WHERE workspace_id = $1", [ws.into()]).await?;
    rows.iter().map(snapshot).collect()
}

/// One group, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, id: GroupId) -> Result<Option<Group>> {
    let sql = "SELECT id, name, source FROM groups WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| snapshot(&row)).transpose()
}

fn snapshot(row: &Row) -> Result<Group> {
    Ok(Group {
        id: row.parse("id")?,
        name: row.text("name")?.into(),
        source: row.parse("source")?,
        granted: PermissionSet::NONE,
    })
}
