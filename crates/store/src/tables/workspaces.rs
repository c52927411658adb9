//! Workspaces and their settings.

use jiff::Timestamp;
use provost_model::{PolicyId, PolicyRules, RoleId, Settings, Workspace, WorkspaceId};

use super::policy_rules;
use crate::db::Tx;
use crate::{Error, Result};

/// Adds a workspace and the head of its ledger.
pub(crate) async fn insert(tx: &mut Tx, id: WorkspaceId, settings: &Settings, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO workspaces (id, settings, version, created_at) VALUES ($1, $2, 0, $3)";
    tx.execute(sql, [id.into(), to_json(settings).into(), now.into()]).await?;
    let sql = "INSERT INTO ledger_heads (workspace_id, seq, hash) VALUES ($1, 0, $2)";
    tx.execute(sql, [id.into(), [0u8; 32].as_slice().into()]).await?;
    Ok(())
}

/// How many workspaces there are.
pub async fn count(tx: &mut Tx) -> Result<i64> {
    let row = tx.row("SELECT COUNT(*) AS n FROM workspaces", []).await?;
    row.map_or(Ok(0), |row| row.int("n"))
}

/// Every workspace with its version.
pub(crate) async fn versions(tx: &mut Tx) -> Result<Vec<(WorkspaceId, i64)>> {
    let rows = tx.rows("SELECT id, version FROM workspaces", []).await?;
    rows.iter().map(|row| Ok((row.parse("id")?, row.int("version")?))).collect()
}

/// Reads what [`crate::Touched::Workspace`] stands for.
pub(crate) async fn load(tx: &mut Tx, workspace: &mut Workspace) -> Result<()> {
    let sql = "SELECT settings, default_role_id, fallback_policy_id FROM workspaces WHERE id = $1";
    let row = tx.row(sql, [workspace.id.into()]).await?;
    let row = row.ok_or_else(|| Error::Corrupt("workspace", "it is gone".to_owned()))?;
    workspace.set_settings(row.json("settings")?);
    workspace.set_default_role(row.opt_parse("default_role_id")?);
    let rules = policy_rules::list(tx, workspace.id).await?;
    workspace.policy_rules = PolicyRules::new(rules, row.opt_parse("fallback_policy_id")?);
    Ok(())
}

/// The settings, as committed.
pub async fn settings(tx: &mut Tx, id: WorkspaceId) -> Result<Settings> {
    let row = tx.row("SELECT settings FROM workspaces WHERE id = $1", [id.into()]).await?;
    row.ok_or_else(|| Error::Corrupt("workspace", "it is gone".to_owned()))?.json("settings")
}

/// Replaces the settings.
pub async fn set_settings(tx: &mut Tx, id: WorkspaceId, settings: &Settings) -> Result<()> {
    let sql = "UPDATE workspaces SET settings = $2 WHERE id = $1";
    tx.execute(sql, [id.into(), to_json(settings).into()]).await?;
    Ok(())
}

/// Replaces the default role.
pub async fn set_default_role(tx: &mut Tx, id: WorkspaceId, role: Option<RoleId>) -> Result<()> {
    tx.execute("UPDATE workspaces SET default_role_id = $2 WHERE id = $1", [id.into(), role.into()]).await?;
    Ok(())
}

/// Replaces the fallback policy.
pub async fn set_fallback(tx: &mut Tx, id: WorkspaceId, policy: Option<PolicyId>) -> Result<()> {
    tx.execute("UPDATE workspaces SET fallback_policy_id = $2 WHERE id = $1", [id.into(), policy.into()]).await?;
    Ok(())
}

fn to_json(settings: &Settings) -> String {
    serde_json::to_string(settings).expect("settings turn into JSON")
}

/// Waits for the changes of a workspace that are in the making, and holds back the next ones until this
/// transaction ends: for a write that is no [`crate::Change`] but must not pass one.
pub async fn wait_in_line(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    tx.execute("UPDATE workspaces SET version = version WHERE id = $1", [id.into()]).await?;
    Ok(())
}
