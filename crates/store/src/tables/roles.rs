//! Custom roles and who has them.

use std::collections::HashMap;

use jiff::Timestamp;
use provost_model::{GroupId, MemberId, PermissionSet, Role, RoleId, WorkspaceId, name_key};

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// A role as admins see it.
#[derive(Debug, Clone)]
pub struct RoleRow {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What it grants.
    pub permissions: PermissionSet,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Adds a role.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, role: &RoleRow) -> Result<()> {
    let sql = "INSERT INTO roles (id, workspace_id, name, name_key, description, permissions, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
    let args = [
        role.id.into(),
        ws.into(),
        role.name.as_str().into(),
        name_key(&role.name).into(),
        role.description.as_str().into(),
        to_json(role.permissions).into(),
        role.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Replaces a role's fields.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, role: &RoleRow) -> Result<()> {
    let sql = "UPDATE roles SET name = $3, name_key = $4, description = $5, permissions = $6, updated_at = $7
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        role.id.into(),
        role.name.as_str().into(),
        name_key(&role.name).into(),
        role.description.as_str().into(),
        to_json(role.permissions).into(),
        role.updated_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Removes a role.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: RoleId) -> Result<()> {
    tx.execute("DELETE FROM roles WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// Gives a role to a group of the same workspace; whether it did not have it before.
pub async fn assign_to_group(tx: &mut Tx, id: RoleId, group: GroupId) -> Result<bool> {
    let sql = "INSERT INTO role_groups (role_id, group_id)
        SELECT r.id, g.id FROM roles r JOIN groups g ON g.workspace_id = r.workspace_id WHERE r.id = $1 AND g.id = $2
        ON CONFLICT (role_id, group_id) DO NOTHING";
    Ok(tx.execute(sql, [id.into(), group.into()]).await? > 0)
}

/// Takes a role from a group; whether it had it before.
pub async fn unassign_from_group(tx: &mut Tx, id: RoleId, group: GroupId) -> Result<bool> {
    let sql = "DELETE FROM role_groups WHERE role_id = $1 AND group_id = $2";
    Ok(tx.execute(sql, [id.into(), group.into()]).await? > 0)
}

/// Gives a role to a member of the same workspace; whether it did not have it before.
pub async fn assign_to_member(tx: &mut Tx, id: RoleId, member: MemberId) -> Result<bool> {
    let sql = "INSERT INTO role_members (role_id, member_id)
        SELECT r.id, m.id FROM roles r JOIN members m ON m.workspace_id = r.workspace_id WHERE r.id = $1 AND m.id = $2
        ON CONFLICT (role_id, member_id) DO NOTHING";
    Ok(tx.execute(sql, [id.into(), member.into()]).await? > 0)
}

/// Takes a role from a member; whether it had it before.
pub async fn unassign_from_member(tx: &mut Tx, id: RoleId, member: MemberId) -> Result<bool> {
    let sql = "DELETE FROM role_members WHERE role_id = $1 AND member_id = $2";
    Ok(tx.execute(sql, [id.into(), member.into()]).await? > 0)
}

/// The groups that have a role.
pub async fn group_ids(tx: &mut Tx, id: RoleId) -> Result<Vec<GroupId>> {
    let rows = tx.rows("SELECT group_id FROM role_groups WHERE role_id = $1 ORDER BY group_id", [id.into()]).await?;
    rows.iter().map(|row| row.parse("group_id")).collect()
}

/// The members who have a role directly.
pub async fn member_ids(tx: &mut Tx, id: RoleId) -> Result<Vec<MemberId>> {
    let rows = tx.rows("SELECT member_id FROM role_members WHERE role_id = $1 ORDER BY member_id", [id.into()]).await?;
    rows.iter().map(|row| row.parse("member_id")).collect()
}

/// One role.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: RoleId) -> Result<Option<RoleRow>> {
    let sql = "SELECT * FROM roles WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of the roles, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<RoleRow>> {
    let sql = "SELECT * FROM roles WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<RoleRow> {
    Ok(RoleRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        description: row.text("description")?,
        permissions: row.json("permissions")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn to_json(permissions: PermissionSet) -> String {
    serde_json::to_string(&permissions).expect("permissions turn into JSON")
}

/// Every role, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<Role>> {
    let mut groups: HashMap<RoleId, Vec<GroupId>> = HashMap::new();
    let sql = "SELECT g.role_id, g.group_id FROM role_groups g JOIN roles r ON r.id = g.role_id
        WHERE r.workspace_id = $1";
    for row in tx.rows(sql, [ws.into()]).await? {
        groups.entry(row.parse("role_id")?).or_default().push(row.parse("group_id")?);
    }
    let rows = tx.rows("SELECT * FROM roles WHERE workspace_id = $1", [ws.into()]).await?;
    let roles = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(roles.into_iter().map(|role| snapshot(groups.remove(&role.id).unwrap_or_default(), role)).collect())
}

/// One role, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, id: RoleId) -> Result<Option<Role>> {
    let Some(role) = get(tx, ws, id).await? else { return Ok(None) };
    Ok(Some(snapshot(group_ids(tx, id).await?, role)))
}

fn snapshot(mut groups: Vec<GroupId>, role: RoleRow) -> Role {
    groups.sort_unstable();
    Role {
        id: role.id,
        name: role.name.into(),
        description: role.description.into(),
        permissions: role.permissions,
        groups: groups.into(),
    }
}
