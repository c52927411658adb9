//! Who is in which group, many at a time. What changes one membership reads nothing of the others.

use std::collections::{HashMap, HashSet};

use provost_model::{GroupId, MemberId, WorkspaceId};

use super::Page;
use crate::Result;
use crate::db::{Arg, Row, Tx};

/// A member as a group shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub id: MemberId,
    /// Its `userName`.
    pub user_name: String,
    /// Its name; may be empty.
    pub name: String,
}

/// What a replacement changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Who was not in the group before.
    pub added: Vec<MemberId>,
    /// Who is not in the group any more.
    pub removed: Vec<MemberId>,
}

/// Adds members; answers who was not in the group before. Who is not of the workspace is left out.
pub async fn add_many(tx: &mut Tx, ws: WorkspaceId, id: GroupId, members: &[MemberId]) -> Result<Vec<MemberId>> {
    let sql = "INSERT INTO group_members (workspace_id, group_id, member_id)
        SELECT g.workspace_id, g.id, m.id FROM groups g JOIN members m ON m.workspace_id = g.workspace_id
        WHERE g.workspace_id = $1 AND g.id = $2 AND m.id IN ($keys)
        ON CONFLICT (group_id, member_id) DO NOTHING
        RETURNING member_id";
    ids(&tx.rows_in(sql, &[ws.into(), id.into()], &keys(members)).await?)
}

/// Removes members; answers who was in the group before.
pub async fn remove_many(tx: &mut Tx, ws: WorkspaceId, id: GroupId, members: &[MemberId]) -> Result<Vec<MemberId>> {
    let sql = "DELETE FROM group_members WHERE workspace_id = $1 AND group_id = $2 AND member_id IN ($keys)
        RETURNING member_id";
    ids(&tx.rows_in(sql, &[ws.into(), id.into()], &keys(members)).await?)
}

/// Removes everyone; answers who was in the group.
pub async fn remove_all(tx: &mut Tx, ws: WorkspaceId, id: GroupId) -> Result<Vec<MemberId>> {
    let sql = "DELETE FROM group_members WHERE workspace_id = $1 AND group_id = $2 RETURNING member_id";
    ids(&tx.rows(sql, [ws.into(), id.into()]).await?)
}

/// Makes these the members, and no others.
pub async fn replace(tx: &mut Tx, ws: WorkspaceId, id: GroupId, members: &[MemberId]) -> Result<Replaced> {
    let sql = "SELECT member_id FROM group_members WHERE workspace_id = $1 AND group_id = $2";
    let before = ids(&tx.rows(sql, [ws.into(), id.into()]).await?)?;
    let wanted: HashSet<_> = members.iter().copied().collect();
    let leaving: Vec<_> = before.iter().copied().filter(|member| !wanted.contains(member)).collect();
    let before: HashSet<_> = before.into_iter().collect();
    let joining: Vec<_> = members.iter().copied().filter(|member| !before.contains(member)).collect();
    let removed = remove_many(tx, ws, id, &leaving).await?;
    let added = add_many(tx, ws, id, &joining).await?;
    Ok(Replaced { added, removed })
}

/// Which of these members are in the group.
pub async fn among(tx: &mut Tx, ws: WorkspaceId, id: GroupId, members: &[MemberId]) -> Result<Vec<MemberId>> {
    let sql = "SELECT member_id FROM group_members
        WHERE workspace_id = $1 AND group_id = $2 AND member_id = $key";
    ids(&tx.rows_for(sql, &[ws.into(), id.into()], &keys(members)).await?)
}

/// How many members a group has. Reads them all.
pub async fn count(tx: &mut Tx, ws: WorkspaceId, id: GroupId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM group_members WHERE workspace_id = $1 AND group_id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// The ids of everyone in a group, by age.
pub async fn ids_of(tx: &mut Tx, ws: WorkspaceId, id: GroupId) -> Result<Vec<MemberId>> {
    let sql = "SELECT member_id FROM group_members WHERE workspace_id = $1 AND group_id = $2 ORDER BY member_id";
    ids(&tx.rows(sql, [ws.into(), id.into()]).await?)
}

/// A page of a group's members, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, id: GroupId, page: &Page) -> Result<Vec<GroupMember>> {
    let sql = "SELECT m.id, m.user_name, m.name FROM group_members g JOIN members m ON m.id = g.member_id
        WHERE g.workspace_id = $1 AND g.group_id = $2 AND g.member_id > $3 ORDER BY g.member_id LIMIT $4";
    let after = page.after.clone().unwrap_or_default();
    let rows = tx.rows(sql, [ws.into(), id.into(), after.into(), page.limit.into()]).await?;
    let member = |row: &Row| {
        Ok(GroupMember { id: row.parse("id")?, user_name: row.text("user_name")?, name: row.text("name")? })
    };
    rows.iter().map(member).collect()
}

/// The provisioned groups of these members with their names, by member; who is in none is left out.
pub async fn groups_of(
    tx: &mut Tx,
    ws: WorkspaceId,
    members: &[MemberId],
) -> Result<HashMap<MemberId, Vec<(GroupId, String)>>> {
    let sql = "SELECT m.member_id, g.id, g.name FROM group_members m JOIN groups g ON g.id = m.group_id
        WHERE m.workspace_id = $1 AND g.source = 'scim' AND m.member_id = $key ORDER BY g.id";
    let mut groups: HashMap<MemberId, Vec<(GroupId, String)>> = HashMap::new();
    for row in tx.rows_for(sql, &[ws.into()], &keys(members)).await? {
        groups.entry(row.parse("member_id")?).or_default().push((row.parse("id")?, row.text("name")?));
    }
    Ok(groups)
}

fn keys(members: &[MemberId]) -> Vec<Arg> {
    members.iter().map(|id| (*id).into()).collect()
}

fn ids(rows: &[Row]) -> Result<Vec<MemberId>> {
    rows.iter().map(|row| row.parse("member_id")).collect()
}
