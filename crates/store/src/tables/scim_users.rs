//! Members as an identity provider sees them: SCIM users (RFC 7643 §4.1).

use std::collections::HashMap;

use provost_model::{Email, MemberId, WorkspaceId, name_key};

use super::Offset;
use super::members::{self, MemberRow};
use crate::Result;
use crate::db::{Arg, Row, Tx};

/// A member with what its identity provider says of it. Its password and its built-in role are not
/// the provider's.
#[derive(Debug, Clone)]
pub struct ScimUserRow {
    /// The member.
    pub member: MemberRow,
    /// `userName`: unique in the workspace, in whichever case and form. A member made by hand goes by
    /// its address.
    pub user_name: String,
    /// `externalId`: the provider's own id. Nothing keeps two from having the same.
    pub external_id: Option<String>,
    /// The attributes as last given, as JSON, without `id`, `meta` and `groups`; none for a member
    /// made by hand.
    pub scim: Option<String>,
}

/// Which user names and addresses are taken, by their keys ([`name_key`]), and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The user names.
    pub user_names: HashMap<String, MemberId>,
    /// The addresses.
    pub emails: HashMap<String, MemberId>,
}

/// Adds members, without passwords.
pub async fn insert_many(tx: &mut Tx, ws: WorkspaceId, users: &[ScimUserRow]) -> Result<()> {
    let sql = "INSERT INTO members
            (id, workspace_id, email, email_key, name, active, builtin_role, created_at, updated_at, user_name,
             user_key, external_id, scim)
        VALUES $rows";
    let row = |user: &ScimUserRow| {
        let member = &user.member;
        vec![
            member.id.into(),
            ws.into(),
            member.email.as_str().into(),
            member.email.key().into(),
            member.name.as_str().into(),
            member.active.into(),
            member.builtin_role.as_str().into(),
            member.created_at.into(),
            member.updated_at.into(),
            user.user_name.as_str().into(),
            name_key(&user.user_name).into(),
            user.external_id.as_deref().into(),
            user.scim.as_deref().into(),
        ]
    };
    tx.insert_many(sql, users.iter().map(row).collect()).await
}

/// Replaces a member's fields, and what the provider says of it. With no `scim` the member is made by
/// hand from here on.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, user: &ScimUserRow) -> Result<()> {
    let sql = "UPDATE members SET email = $3, email_key = $4, name = $5, active = $6, builtin_role = $7,
            updated_at = $8, user_name = $9, user_key = $10, external_id = $11, scim = $12
        WHERE workspace_id = $1 AND id = $2";
    let member = &user.member;
    let args = [
        ws.into(),
        member.id.into(),
        member.email.as_str().into(),
        member.email.key().into(),
        member.name.as_str().into(),
        member.active.into(),
        member.builtin_role.as_str().into(),
        member.updated_at.into(),
        user.user_name.as_str().into(),
        name_key(&user.user_name).into(),
        user.external_id.as_deref().into(),
        user.scim.as_deref().into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// One user.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: MemberId) -> Result<Option<ScimUserRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// These users, those that there are, by id.
pub async fn get_many(tx: &mut Tx, ws: WorkspaceId, ids: &[MemberId]) -> Result<HashMap<MemberId, ScimUserRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND id = $key";
    let rows = tx.rows_for(sql, &[ws.into()], &keys(ids)).await?;
    rows.iter().map(|row| read(row).map(|user| (user.member.id, user))).collect()
}

/// The user with this name, in whichever case and form.
pub async fn get_by_user_name(tx: &mut Tx, ws: WorkspaceId, user_name: &str) -> Result<Option<ScimUserRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND user_key = $2";
    tx.row(sql, [ws.into(), name_key(user_name).into()]).await?.map(|row| read(&row)).transpose()
}

/// The user with this address, in whichever case and form.
pub async fn get_by_email(tx: &mut Tx, ws: WorkspaceId, email: &Email) -> Result<Option<ScimUserRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND email_key = $2";
    tx.row(sql, [ws.into(), email.key().into()]).await?.map(|row| read(&row)).transpose()
}

/// The users with this id of the provider's, oldest first.
pub async fn get_by_external_id(tx: &mut Tx, ws: WorkspaceId, id: &str, page: Offset) -> Result<Vec<ScimUserRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND external_id = $2 ORDER BY id LIMIT $3 OFFSET $4";
    tx.rows(sql, [ws.into(), id.into(), page.limit.into(), page.skip.into()]).await?.iter().map(read).collect()
}

/// How many users have this id of the provider's.
pub async fn count_by_external_id(tx: &mut Tx, ws: WorkspaceId, id: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM members WHERE workspace_id = $1 AND external_id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// A page of all members, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: Offset) -> Result<Vec<ScimUserRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 ORDER BY id LIMIT $2 OFFSET $3";
    tx.rows(sql, [ws.into(), page.limit.into(), page.skip.into()]).await?.iter().map(read).collect()
}

/// The members that come after one, by age: for who goes through all of them.
pub async fn list_after(tx: &mut Tx, ws: WorkspaceId, after: Option<MemberId>, limit: u32) -> Result<Vec<ScimUserRow>> {
    let sql = "SELECT * FROM members WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), limit.into()]).await?.iter().map(read).collect()
}

/// How many members there are.
pub async fn count(tx: &mut Tx, ws: WorkspaceId) -> Result<i64> {
    let row = tx.row("SELECT COUNT(*) AS n FROM members WHERE workspace_id = $1", [ws.into()]).await?;
    row.map_or(Ok(0), |row| row.int("n"))
}

/// Which of these user names and addresses are taken. Both are given as their keys ([`name_key`],
/// [`Email::key`]).
pub async fn taken(tx: &mut Tx, ws: WorkspaceId, user_names: &[String], emails: &[String]) -> Result<Taken> {
    let mut taken = Taken::default();
    let sql = "SELECT id, user_key FROM members WHERE workspace_id = $1 AND user_key = $key";
    for row in tx.rows_for(sql, &[ws.into()], &keys(user_names)).await? {
        taken.user_names.insert(row.text("user_key")?, row.parse("id")?);
    }
    let sql = "SELECT id, email_key FROM members WHERE workspace_id = $1 AND email_key = $key";
    for row in tx.rows_for(sql, &[ws.into()], &keys(emails)).await? {
        taken.emails.insert(row.text("email_key")?, row.parse("id")?);
    }
    Ok(taken)
}

/// The user names of these members, those that there are.
pub async fn user_names(tx: &mut Tx, ws: WorkspaceId, ids: &[MemberId]) -> Result<HashMap<MemberId, String>> {
    let sql = "SELECT id, user_name FROM members WHERE workspace_id = $1 AND id = $key";
    let rows = tx.rows_for(sql, &[ws.into()], &keys(ids)).await?;
    rows.iter().map(|row| Ok((row.parse("id")?, row.text("user_name")?))).collect()
}

fn keys<T: Clone + Into<Arg>>(keys: &[T]) -> Vec<Arg> {
    keys.iter().map(|key| key.clone().into()).collect()
}

fn read(row: &Row) -> Result<ScimUserRow> {
    Ok(ScimUserRow {
        member: members::read(row)?,
        user_name: row.text("user_name")?,
        external_id: row.opt_text("external_id")?,
        scim: row.opt_text("scim")?,
    })
}
