//! Policies and their versions.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use provost_model::{Policy, PolicyId, WorkspaceId, name_key};

use super::{Page, rollouts};
use crate::Result;
use crate::db::{Arg, Row, Tx};

/// A version of a policy as admins see it.
#[derive(Debug, Clone)]
pub struct PolicyRow {
    /// The policy's id.
    pub id: PolicyId,
    /// Its name at this version.
    pub name: String,
    /// Which version.
    pub version: i64,
    /// The `requirements.toml`.
    pub contents: String,
    /// The `config.toml` defaults.
    pub defaults: Option<String>,
    /// Who wrote this version: the id of a member or API key.
    pub created_by: String,
    /// When this version was written.
    pub created_at: Timestamp,
    /// Why, in its author's words; may be empty.
    pub note: String,
    /// Of a version that puts back an earlier one: which.
    pub restores: Option<i64>,
    /// The member who agreed to it, where a second person had to.
    pub approved_by: Option<String>,
}

/// Adds a policy with its first version.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, policy: &PolicyRow) -> Result<()> {
    let sql = "INSERT INTO policies (id, workspace_id, name, name_key, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)";
    let args = [
        policy.id.into(),
        ws.into(),
        policy.name.as_str().into(),
        name_key(&policy.name).into(),
        policy.version.into(),
        policy.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    insert_version(tx, policy).await
}

/// The number that the next version of a policy gets: numbers of versions that were rolled out and called
/// off are not used again.
pub async fn next_version(tx: &mut Tx, ws: WorkspaceId, id: PolicyId) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(v.version), 0) AS version FROM policies p
        JOIN policy_versions v ON v.policy_id = p.id WHERE p.workspace_id = $1 AND p.id = $2";
    Ok(tx.row(sql, [ws.into(), id.into()]).await?.map(|row| row.int("version")).transpose()?.unwrap_or(0) + 1)
}

/// Adds a version of a policy that is to be rolled out: the current one stays what it is.
pub async fn insert_candidate(tx: &mut Tx, ws: WorkspaceId, policy: &PolicyRow) -> Result<()> {
    // None is added where the policy is another workspace's.
    if get(tx, ws, policy.id).await?.is_some() { insert_version(tx, policy).await } else { Ok(()) }
}

/// Makes a version that is there the current one.
pub async fn set_version(tx: &mut Tx, ws: WorkspaceId, id: PolicyId, version: i64, at: Timestamp) -> Result<()> {
    let sql = "UPDATE policies SET version = $3, updated_at = $4 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), version.into(), at.into()]).await?;
    Ok(())
}

/// Notes who agreed to a version that nobody else had to agree to before.
pub async fn approve_version(tx: &mut Tx, ws: WorkspaceId, id: PolicyId, version: i64, approver: &str) -> Result<()> {
    let sql = "UPDATE policy_versions SET approved_by = $4 WHERE policy_id = $2 AND version = $3
            AND approved_by IS NULL AND EXISTS (SELECT 1 FROM policies WHERE workspace_id = $1 AND id = $2)";
    tx.execute(sql, [ws.into(), id.into(), version.into(), approver.into()]).await?;
    Ok(())
}

/// Adds the next version of a policy and makes it the current one.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, policy: &PolicyRow) -> Result<()> {
    let sql = "UPDATE policies SET name = $3, name_key = $4, version = $5, updated_at = $6
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        policy.id.into(),
        policy.name.as_str().into(),
        name_key(&policy.name).into(),
        policy.version.into(),
        policy.created_at.into(),
    ];
    // None is changed where the policy is another workspace's: then it gets no version either.
    if tx.execute(sql, args).await? > 0 { insert_version(tx, policy).await } else { Ok(()) }
}

async fn insert_version(tx: &mut Tx, policy: &PolicyRow) -> Result<()> {
    let sql = "INSERT INTO policy_versions
            (policy_id, version, name, contents, defaults, created_by, created_at, note, restores, approved_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let args = [
        policy.id.into(),
        policy.version.into(),
        policy.name.as_str().into(),
        policy.contents.as_str().into(),
        policy.defaults.clone().into(),
        policy.created_by.as_str().into(),
        policy.created_at.into(),
        policy.note.as_str().into(),
        Arg::Int(policy.restores),
        policy.approved_by.clone().into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Removes a policy and its versions.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: PolicyId) -> Result<()> {
    tx.execute("DELETE FROM policies WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// The current version of a policy.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: PolicyId) -> Result<Option<PolicyRow>> {
    let sql = "SELECT v.* FROM policies p JOIN policy_versions v ON v.policy_id = p.id AND v.version = p.version
        WHERE p.workspace_id = $1 AND p.id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The current version of the policy of this name (in any case).
pub async fn get_by_name(tx: &mut Tx, ws: WorkspaceId, name: &str) -> Result<Option<PolicyRow>> {
    let sql = "SELECT v.* FROM policies p JOIN policy_versions v ON v.policy_id = p.id AND v.version = p.version
        WHERE p.workspace_id = $1 AND p.name_key = $2";
    tx.row(sql, [ws.into(), name_key(name).into()]).await?.map(|row| read(&row)).transpose()
}

/// The current versions of a page of the policies, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<PolicyRow>> {
    let sql = "SELECT v.* FROM policies p JOIN policy_versions v ON v.policy_id = p.id AND v.version = p.version
        WHERE p.workspace_id = $1 AND p.id > $2 ORDER BY p.id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

/// One version of a policy.
pub async fn get_version(tx: &mut Tx, ws: WorkspaceId, id: PolicyId, version: i64) -> Result<Option<PolicyRow>> {
    let sql = "SELECT v.* FROM policies p JOIN policy_versions v ON v.policy_id = p.id
        WHERE p.workspace_id = $1 AND p.id = $2 AND v.version = $3";
    tx.row(sql, [ws.into(), id.into(), version.into()]).await?.map(|row| read(&row)).transpose()
}

/// The versions of a policy, newest first, older than `before` (none: from the newest).
pub async fn list_versions(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: PolicyId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<PolicyRow>> {
    let sql = "SELECT v.* FROM policies p JOIN policy_versions v ON v.policy_id = p.id
        WHERE p.workspace_id = $1 AND p.id = $2 AND v.version < $3 ORDER BY v.version DESC LIMIT $4";
    let before = before.unwrap_or(i64::MAX);
    tx.rows(sql, [ws.into(), id.into(), before.into(), limit.into()]).await?.iter().map(read).collect()
}

/// Who wrote a version, when and why.
#[derive(Debug, Clone)]
pub struct VersionHead {
    /// Which version.
    pub version: i64,
    /// Its author: the id of a member or API key.
    pub created_by: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// Why; may be empty.
    pub note: String,
}

/// Which version of a policy is the current one.
pub async fn version(tx: &mut Tx, ws: WorkspaceId, id: PolicyId) -> Result<Option<i64>> {
    let sql = "SELECT version FROM policies WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| row.int("version")).transpose()
}

/// The newest versions of a policy, newest first, without what they say.
pub async fn list_heads(tx: &mut Tx, ws: WorkspaceId, id: PolicyId, limit: u32) -> Result<Vec<VersionHead>> {
    let sql = "SELECT v.version, v.created_by, v.created_at, v.note
        FROM policies p JOIN policy_versions v ON v.policy_id = p.id
        WHERE p.workspace_id = $1 AND p.id = $2 ORDER BY v.version DESC LIMIT $3";
    let head = |row: &Row| {
        Ok(VersionHead {
            version: row.int("version")?,
            created_by: row.text("created_by")?,
            created_at: row.time("created_at")?,
            note: row.text("note")?,
        })
    };
    tx.rows(sql, [ws.into(), id.into(), limit.into()]).await?.iter().map(head).collect()
}

fn read(row: &Row) -> Result<PolicyRow> {
    Ok(PolicyRow {
        id: row.parse("policy_id")?,
        name: row.text("name")?,
        version: row.int("version")?,
        contents: row.text("contents")?,
        defaults: row.opt_text("defaults")?,
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        note: row.text("note")?,
        restores: row.opt_int("restores")?,
        approved_by: row.opt_text("approved_by")?,
    })
}

/// Every policy, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<Policy>> {
    let everything = Page { after: None, limit: u32::MAX };
    let mut found: Vec<Policy> = list(tx, ws, &everything).await?.iter().map(snapshot).collect();
    let rollouts = rollouts::load(tx, ws, None).await?.into_iter();
    let mut by_policy: HashMap<_, _> = rollouts.map(|rollout| (rollout.candidate.id, Arc::new(rollout))).collect();
    for policy in &mut found {
        policy.rollout = by_policy.remove(&policy.id);
    }
    Ok(found)
}

/// One policy, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, id: PolicyId) -> Result<Option<Policy>> {
    let Some(row) = get(tx, ws, id).await? else { return Ok(None) };
    let rollout = rollouts::load(tx, ws, Some(id)).await?.pop().map(Arc::new);
    Ok(Some(Policy { rollout, ..snapshot(&row) }))
}

fn snapshot(row: &PolicyRow) -> Policy {
    let version = u32::try_from(row.version).unwrap_or(u32::MAX);
    Policy::new(row.id, &row.name, version, &row.contents, row.defaults.as_deref())
}
