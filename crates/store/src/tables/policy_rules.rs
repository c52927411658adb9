//! The ordered rules that give groups their policy.

use std::collections::HashSet;

use provost_model::{GroupId, PolicyId, PolicyRule, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// The rules, in order.
pub async fn list(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<PolicyRule>> {
    let sql = "SELECT group_id, policy_id FROM policy_rules WHERE workspace_id = $1 ORDER BY position";
    let rows = tx.rows(sql, [ws.into()]).await?;
    let rule =
        |row: &crate::Row| Ok(PolicyRule { group_id: row.parse("group_id")?, policy_id: row.parse("policy_id")? });
    rows.iter().map(rule).collect()
}

/// The groups that rules name and that are gone.
pub async fn gone_groups(tx: &mut Tx, ws: WorkspaceId) -> Result<HashSet<GroupId>> {
    let sql = "SELECT r.group_id FROM policy_rules r WHERE r.workspace_id = $1 AND NOT EXISTS
        (SELECT 1 FROM groups g WHERE g.workspace_id = r.workspace_id AND g.id = r.group_id)";
    tx.rows(sql, [ws.into()]).await?.iter().map(|row| row.parse("group_id")).collect()
}

/// Replaces the rules whole.
pub async fn replace(tx: &mut Tx, ws: WorkspaceId, rules: &[PolicyRule]) -> Result<()> {
    tx.execute("DELETE FROM policy_rules WHERE workspace_id = $1", [ws.into()]).await?;
    for (position, rule) in (0i64..).zip(rules) {
        let sql = "INSERT INTO policy_rules (workspace_id, position, group_id, policy_id) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, [ws.into(), position.into(), rule.group_id.into(), rule.policy_id.into()]).await?;
    }
    Ok(())
}

/// The positions of the rules that name a policy.
pub async fn positions_of(tx: &mut Tx, ws: WorkspaceId, policy: PolicyId) -> Result<Vec<i64>> {
    let sql = "SELECT position FROM policy_rules WHERE workspace_id = $1 AND policy_id = $2 ORDER BY position";
    let rows = tx.rows(sql, [ws.into(), policy.into()]).await?;
    rows.iter().map(|row| row.int("position")).collect()
}

/// The policy for members whom no rule matches.
pub async fn fallback(tx: &mut Tx, ws: WorkspaceId) -> Result<Option<PolicyId>> {
    let row = tx.row("SELECT fallback_policy_id FROM workspaces WHERE id = $1", [ws.into()]).await?;
    Ok(row.map(|row| row.opt_parse("fallback_policy_id")).transpose()?.flatten())
}
