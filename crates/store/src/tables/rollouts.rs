//! Rollouts: the next version of a policy on its way to everybody.

use provost_model::{Policy, PolicyId, Rollout, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// Those under way (running or paused), of one policy or of all, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, of: Option<PolicyId>) -> Result<Vec<Rollout>> {
    let sql = "SELECT r.id, r.share, r.group_ids, r.min_client_version, r.max_client_version,
            v.policy_id, v.version, v.name, v.contents, v.defaults
        FROM rollouts r JOIN policy_versions v ON v.policy_id = r.policy_id AND v.version = r.candidate_version
        WHERE r.workspace_id = $1 AND r.status IN ('running', 'paused') AND ($2 = '' OR r.policy_id = $2)";
    let of = of.map(|id| id.to_string()).unwrap_or_default();
    tx.rows(sql, [ws.into(), of.into()]).await?.iter().map(snapshot).collect()
}

fn snapshot(row: &Row) -> Result<Rollout> {
    let version = u32::try_from(row.int("version")?).unwrap_or(u32::MAX);
    let (name, contents, defaults) = (row.text("name")?, row.text("contents")?, row.opt_text("defaults")?);
    let candidate = Policy::new(row.parse("policy_id")?, &name, version, &contents, defaults.as_deref());
    Ok(Rollout {
        id: row.parse("id")?,
        candidate: candidate.into(),
        share: u32::try_from(row.int("share")?).unwrap_or_default(),
        groups: row.json::<Vec<_>>("group_ids")?.into(),
        min_client_version: row.opt_parse("min_client_version")?,
        max_client_version: row.opt_parse("max_client_version")?,
        holders: None,
    })
}
