//! Members.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use provost_model::{
    BuiltinRole, Email, GroupId, InvalidId, Member, MemberId, PermissionSet, RoleId, WorkspaceId, name_key,
};

use super::Page;
use crate::db::{Arg, Row, Tx};
use crate::{Error, Result};

/// A member as admins see it.
#[derive(Debug, Clone)]
pub struct MemberRow {
    /// Its id.
    pub id: MemberId,
    /// Its address.
    pub email: Email,
    /// Its name; may be empty.
    pub name: String,
    /// Whether it is not suspended.
    pub active: bool,
    /// Its built-in role.
    pub builtin_role: BuiltinRole,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A member's password, for the sign-in.
#[derive(Debug)]
pub struct Login {
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Who.
    pub member_id: MemberId,
    /// Whether it is not suspended.
    pub active: bool,
    /// Argon2id, in the PHC format; none before a password is set.
    pub password_hash: Option<String>,
}

/// Adds a member. It goes by its address, unless an identity provider named somebody else so: then by its
/// id, since whoever has an address must not be kept out by a name.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, member: &MemberRow, password_hash: Option<String>) -> Result<()> {
    // One of an identity provider is of `scim_users`.
    let sql = "INSERT INTO members
            (id, workspace_id, email, email_key, name, active, builtin_role, password_hash, created_at, updated_at,
             user_name, user_key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let email_key = member.email.key();
    let is_taken = is_named(tx, ws, member.id, &email_key).await?;
    let user_name = if is_taken { member.id.to_string() } else { member.email.to_string() };
    let user_key = if is_taken { name_key(&user_name) } else { email_key.clone() };
    let args = [
        member.id.into(),
        ws.into(),
        member.email.as_str().into(),
        email_key.into(),
        member.name.as_str().into(),
        member.active.into(),
        member.builtin_role.as_str().into(),
        password_hash.into(),
        member.created_at.into(),
        member.updated_at.into(),
        user_name.into(),
        user_key.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Replaces a member's fields. Its user name follows its address, unless an identity provider gave it,
/// or gave that name to somebody else.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, member: &MemberRow) -> Result<()> {
    let sql =
        "UPDATE members SET email = $3, email_key = $4, name = $5, active = $6, builtin_role = $7, updated_at = $8,
            user_name = CASE WHEN scim IS NULL AND $9 THEN $3 ELSE user_name END,
            user_key = CASE WHEN scim IS NULL AND $9 THEN $4 ELSE user_key END
        WHERE workspace_id = $1 AND id = $2";
    let is_free = !is_named(tx, ws, member.id, &member.email.key()).await?;
    let args = [
        ws.into(),
        member.id.into(),
        member.email.as_str().into(),
        member.email.key().into(),
        member.name.as_str().into(),
        member.active.into(),
        member.builtin_role.as_str().into(),
        member.updated_at.into(),
        is_free.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Whether somebody else goes by a name, given as its key.
async fn is_named(tx: &mut Tx, ws: WorkspaceId, id: MemberId, user_key: &str) -> Result<bool> {
    let sql = "SELECT id FROM members WHERE workspace_id = $1 AND user_key = $2 AND id <> $3";
    Ok(tx.row(sql, [ws.into(), user_key.into(), id.into()]).await?.is_some())
}

/// Replaces a member's password.
pub async fn set_password(tx: &mut Tx, ws: WorkspaceId, id: MemberId, hash: &str) -> Result<()> {
    let sql = "UPDATE members SET password_hash = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), hash.into()]).await?;
    Ok(())
}

/// Whether a member has set a password.
pub async fn has_password(tx: &mut Tx, ws: WorkspaceId, id: MemberId) -> Result<bool> {
    let sql = "SELECT id FROM members WHERE workspace_id = $1 AND id = $2 AND password_hash IS NOT NULL";
    Ok(tx.row(sql, [ws.into(), id.into()]).await?.is_some())
}

/// Removes a member.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: MemberId) -> Result<()> {
    tx.execute("DELETE FROM members WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// One member.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: MemberId) -> Result<Option<MemberRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// Whether there is such a member, who is not suspended. Asked in a change, it stays true until that commits.
pub async fn is_active(tx: &mut Tx, ws: WorkspaceId, id: MemberId) -> Result<bool> {
    let sql = "SELECT active FROM members WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map_or(Ok(false), |row| row.bool("active"))
}

/// The member with this address, in whichever case and form.
pub async fn get_by_email(tx: &mut Tx, ws: WorkspaceId, email: &Email) -> Result<Option<MemberRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND email_key = $2";
    tx.row(sql, [ws.into(), email.key().into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of the members, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<MemberRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

/// The groups that a member is in.
pub async fn group_ids(tx: &mut Tx, ws: WorkspaceId, id: MemberId) -> Result<Vec<GroupId>> {
    let sql = "SELECT group_id FROM group_members WHERE workspace_id = $1 AND member_id = $2";
    tx.rows(sql, [ws.into(), id.into()]).await?.iter().map(|row| row.parse("group_id")).collect()
}

/// The logins with this address, in every workspace.
pub async fn logins(tx: &mut Tx, email: &Email) -> Result<Vec<Login>> {
    let sql = "SELECT workspace_id, id, active, password_hash FROM members WHERE email_key = $1 ORDER BY id LIMIT 16";
    let rows = tx.rows(sql, [email.key().into()]).await?;
    let login = |row: &Row| {
        Ok(Login {
            workspace_id: row.parse("workspace_id")?,
            member_id: row.parse("id")?,
            active: row.bool("active")?,
            password_hash: row.opt_text("password_hash")?,
        })
    };
    rows.iter().map(login).collect()
}

/// How many owners could sign in, other than this member.
pub async fn count_other_owners(tx: &mut Tx, ws: WorkspaceId, id: MemberId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM members
        WHERE workspace_id = $1 AND builtin_role = 'owner' AND active AND id <> $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

pub(super) fn read(row: &Row) -> Result<MemberRow> {
    Ok(MemberRow {
        id: row.parse("id")?,
        email: email(row)?,
        name: row.text("name")?,
        active: row.bool("active")?,
        builtin_role: row.parse("builtin_role")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

fn email(row: &Row) -> Result<Email> {
    Email::try_from(row.text("email")?).map_err(|error| Error::Corrupt("member", error.to_string()))
}

/// Every member, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<Member>> {
    // One row for each group, not for each membership: at a hundred thousand members that is the
    // difference between a start in one second and in three.
    let sql =
        "SELECT g.id, (SELECT string_agg(m.member_id, ' ') FROM group_members m WHERE m.group_id = g.id) AS members
        FROM groups g WHERE g.workspace_id = $1";
    let mut groups = HashMap::new();
    tx.each(sql, vec![ws.into()], |row| collect::<GroupId>(&row, &mut groups)).await?;
    let sql = "SELECT r.id, (SELECT string_agg(m.member_id, ' ') FROM role_members m WHERE m.role_id = r.id) AS members
        FROM roles r WHERE r.workspace_id = $1";
    let mut roles = HashMap::new();
    tx.each(sql, vec![ws.into()], |row| collect::<RoleId>(&row, &mut roles)).await?;
    let sql = "SELECT id, email, name, active, builtin_role, password_hash IS NOT NULL AS has_password,
            EXISTS (SELECT 1 FROM second_factors f WHERE f.member_id = members.id AND f.confirmed_at IS NOT NULL)
                AS has_second_factor
        FROM members WHERE workspace_id = $1";
    let mut members = Vec::new();
    let member = |row: Row| {
        let id = row.parse("id")?;
        let (groups, roles) = (groups.remove(&id).unwrap_or_default(), roles.remove(&id).unwrap_or_default());
        members.push(snapshot(&row, id, groups, roles)?);
        Ok(())
    };
    tx.each(sql, vec![ws.into()], member).await?;
    Ok(members)
}

/// Notes for each member of a row that it has what the row is about.
fn collect<T: Copy + FromStr<Err: ToString>>(row: &Row, of: &mut HashMap<MemberId, Vec<T>>) -> Result<()> {
    let (id, members) = (row.parse("id")?, row.opt_text("members")?.unwrap_or_default());
    for member in members.split_ascii_whitespace() {
        let member = member.parse().map_err(|error: InvalidId| Error::Corrupt("member", error.to_string()))?;
        of.entry(member).or_default().push(id);
    }
    Ok(())
}

/// These members, those that there are, for the snapshot.
pub(crate) async fn load_many(tx: &mut Tx, ws: WorkspaceId, ids: &[MemberId]) -> Result<HashMap<MemberId, Member>> {
    let keys: Vec<Arg> = ids.iter().map(|id| (*id).into()).collect();
    let sql = "SELECT id, email, name, active, builtin_role, password_hash IS NOT NULL AS has_password,
            EXISTS (SELECT 1 FROM second_factors f WHERE f.member_id = members.id AND f.confirmed_at IS NOT NULL)
                AS has_second_factor
        FROM members WHERE workspace_id = $1 AND id = $key";
    let rows = tx.rows_for(sql, &[ws.into()], &keys).await?;
    let mut groups: HashMap<MemberId, Vec<GroupId>> = HashMap::new();
    for row in tx.rows_for("SELECT member_id, group_id FROM group_members WHERE member_id = $key", &[], &keys).await? {
        groups.entry(row.parse("member_id")?).or_default().push(row.parse("group_id")?);
    }
    let mut roles: HashMap<MemberId, Vec<RoleId>> = HashMap::new();
    for row in tx.rows_for("SELECT member_id, role_id FROM role_members WHERE member_id = $key", &[], &keys).await? {
        roles.entry(row.parse("member_id")?).or_default().push(row.parse("role_id")?);
    }
    let member = |row: &Row| {
        let id = row.parse("id")?;
        let (groups, roles) = (groups.remove(&id).unwrap_or_default(), roles.remove(&id).unwrap_or_default());
        Ok((id, snapshot(row, id, groups, roles)?))
    };
    rows.iter().map(member).collect()
}

fn snapshot(row: &Row, id: MemberId, mut groups: Vec<GroupId>, mut roles: Vec<RoleId>) -> Result<Member> {
    groups.sort_unstable();
    roles.sort_unstable();
    Ok(Member {
        id,
        email: email(row)?,
        name: Arc::from(row.text("name")?),
        active: row.bool("active")?,
        builtin_role: row.parse("builtin_role")?,
        has_password: row.bool("has_password")?,
        has_second_factor: row.bool("has_second_factor")?,
        groups: groups.into(),
        roles: roles.into(),
        granted: PermissionSet::NONE,
    })
}
