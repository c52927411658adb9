//! Rollouts: the next version of a policy on its way to everybody, and what the clients of both versions
//! did since it began.

use std::collections::HashSet;

use jiff::Timestamp;
use provost_model::{
    ClientFacts, ClientVersion, GroupId, MemberId, Percent, Policy, PolicyId, Rollout, RolloutGuard, RolloutId,
    RolloutStage, RolloutStatus, WorkspaceId,
};
use serde_json::Value;

use super::Page;
use crate::Result;
use crate::db::{Arg, Row, Tx};

/// A rollout as admins see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRow {
    /// Its id.
    pub id: RolloutId,
    /// Of which policy.
    pub policy_id: PolicyId,
    /// The version that the others go on getting.
    pub baseline_version: i64,
    /// The version that is rolled out.
    pub candidate_version: i64,
    /// Where it stands.
    pub status: RolloutStatus,
    /// To how many of the members.
    pub percent: Percent,
    /// To the members of these groups only; empty is everybody.
    pub group_ids: Vec<GroupId>,
    /// To clients from this version on.
    pub min_client_version: Option<ClientVersion>,
    /// To clients up to this version.
    pub max_client_version: Option<ClientVersion>,
    /// When it halts by itself.
    pub guard: RolloutGuard,
    /// The steps that it takes by itself; empty is none.
    pub stages: Vec<RolloutStage>,
    /// At which of them it is, from zero.
    pub stage: usize,
    /// Since when.
    pub stage_since: Timestamp,
    /// Why, in somebody's words; may be empty.
    pub note: String,
    /// How both arms stood when it ended.
    pub figures: Option<Value>,
    /// Who began it: the id of a member or API key.
    pub created_by: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was halted, finished or cancelled.
    pub ended_at: Option<Timestamp>,
}

/// Begins one, and marks what the devices with the version of before have done so far.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, row: &RolloutRow) -> Result<()> {
    let sql = "INSERT INTO rollouts (id, workspace_id, policy_id, baseline_version, candidate_version, status, share,
            group_ids, min_client_version, max_client_version, guard, stages, stage, stage_since, note, figures,
            created_by, created_at, updated_at, ended_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";
    let mut args =
        vec![row.id.into(), ws.into(), row.policy_id.into(), row.baseline_version.into(), row.candidate_version.into()];
    args.extend(changing(row));
    args.extend([row.created_by.as_str().into(), row.created_at.into(), row.updated_at.into(), row.ended_at.into()]);
    tx.execute(sql, args).await?;
    let sql = "INSERT INTO rollout_marks (rollout_id, device, turns, failed_turns)
        SELECT $1, device, CAST(SUM(turns) AS BIGINT), CAST(SUM(failed_turns) AS BIGINT) FROM policy_deliveries
        WHERE workspace_id = $2 AND policy_id = $3 AND policy_version = $4 GROUP BY device";
    tx.execute(sql, [row.id.into(), ws.into(), row.policy_id.into(), row.baseline_version.into()]).await?;
    Ok(())
}

/// Replaces what changes of one.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, row: &RolloutRow) -> Result<()> {
    let sql = "UPDATE rollouts SET status = $3, share = $4, group_ids = $5, min_client_version = $6,
            max_client_version = $7, guard = $8, stages = $9, stage = $10, stage_since = $11, note = $12,
            figures = $13, updated_at = $14, ended_at = $15
        WHERE workspace_id = $1 AND id = $2";
    let mut args = vec![ws.into(), row.id.into()];
    args.extend(changing(row));
    args.extend([row.updated_at.into(), row.ended_at.into()]);
    let changed = tx.execute(sql, args).await?;
    if changed > 0 && !row.status.is_live() {
        // What it began from is of no use any more.
        tx.execute("DELETE FROM rollout_marks WHERE rollout_id = $1", [row.id.into()]).await?;
    }
    Ok(())
}

/// From `status` to `figures`.
fn changing(row: &RolloutRow) -> [Arg; 11] {
    let version = |version: Option<ClientVersion>| version.map(|version| version.to_string());
    let json = |value| serde_json::to_string(&value).expect("it turns into JSON");
    [
        row.status.as_str().into(),
        row.percent.hundredths().into(),
        json(serde_json::json!(row.group_ids)).into(),
        version(row.min_client_version).into(),
        version(row.max_client_version).into(),
        json(serde_json::json!(row.guard)).into(),
        json(serde_json::json!(row.stages)).into(),
        i64::try_from(row.stage).unwrap_or(i64::MAX).into(),
        row.stage_since.into(),
        row.note.as_str().into(),
        row.figures.clone().map(json).into(),
    ]
}

/// One rollout.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: RolloutId) -> Result<Option<RolloutRow>> {
    let sql = "SELECT * FROM rollouts WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The one of a policy that is under way.
pub async fn live_of(tx: &mut Tx, ws: WorkspaceId, policy: PolicyId) -> Result<Option<RolloutRow>> {
    let sql = "SELECT * FROM rollouts WHERE workspace_id = $1 AND policy_id = $2 AND status IN ('running', 'paused')";
    tx.row(sql, [ws.into(), policy.into()]).await?.map(|row| read(&row)).transpose()
}

/// Which rollouts a list is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct RolloutFilter {
    /// Of this policy.
    pub policy: Option<PolicyId>,
    /// With this status.
    pub status: Option<RolloutStatus>,
}

/// A page of them, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, filter: RolloutFilter, page: &Page) -> Result<Vec<RolloutRow>> {
    let sql = "SELECT * FROM rollouts WHERE workspace_id = $1 AND id > $2 AND ($3 = '' OR policy_id = $3)
            AND ($4 = '' OR status = $4)
        ORDER BY id LIMIT $5";
    let policy = filter.policy.map(|id| id.to_string()).unwrap_or_default();
    let status = filter.status.map(RolloutStatus::as_str).unwrap_or_default();
    let after = page.after.clone().unwrap_or_default();
    let args = [ws.into(), after.into(), policy.into(), status.into(), page.limit.into()];
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// The versions of a policy that were rolled out rather than published, and how that stands.
pub async fn candidates_of(
    tx: &mut Tx,
    ws: WorkspaceId,
    policy: PolicyId,
) -> Result<Vec<(i64, RolloutId, RolloutStatus)>> {
    let sql = "SELECT id, candidate_version, status FROM rollouts WHERE workspace_id = $1 AND policy_id = $2";
    let rows = tx.rows(sql, [ws.into(), policy.into()]).await?;
    let candidate = |row: &Row| Ok((row.int("candidate_version")?, row.parse("id")?, row.parse("status")?));
    rows.iter().map(candidate).collect()
}

fn read(row: &Row) -> Result<RolloutRow> {
    Ok(RolloutRow {
        id: row.parse("id")?,
        policy_id: row.parse("policy_id")?,
        baseline_version: row.int("baseline_version")?,
        candidate_version: row.int("candidate_version")?,
        status: row.parse("status")?,
        percent: percent(row)?,
        group_ids: row.json("group_ids")?,
        min_client_version: row.opt_parse("min_client_version")?,
        max_client_version: row.opt_parse("max_client_version")?,
        guard: row.json("guard")?,
        stages: row.json("stages")?,
        stage: usize::try_from(row.int("stage")?).unwrap_or_default(),
        stage_since: row.time("stage_since")?,
        note: row.text("note")?,
        figures: row.opt_text("figures")?.and_then(|text| serde_json::from_str(&text).ok()),
        created_by: row.text("created_by")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        ended_at: row.opt_time("ended_at")?,
    })
}

fn percent(row: &Row) -> Result<Percent> {
    Ok(Percent::from_hundredths(u32::try_from(row.int("share")?).unwrap_or_default()))
}

/// What the clients did that were sent the candidate, and those that were sent the baseline and never the
/// candidate, since the rollout began. Devices without a member start no turns that could be compared.
pub async fn facts(tx: &mut Tx, ws: WorkspaceId, rollout: &RolloutRow) -> Result<(Vec<ClientFacts>, Vec<ClientFacts>)> {
    let candidate = facts_of(tx, ws, rollout, rollout.candidate_version).await?;
    let moved: HashSet<String> = candidate.iter().map(|(device, _)| device.clone()).collect();
    let mut baseline = facts_of(tx, ws, rollout, rollout.baseline_version).await?;
    baseline.retain(|(device, _)| !moved.contains(device));
    let bare = |arm: Vec<(String, ClientFacts)>| arm.into_iter().map(|(_, facts)| facts).collect();
    Ok((bare(candidate), bare(baseline)))
}

async fn facts_of(
    tx: &mut Tx,
    ws: WorkspaceId,
    rollout: &RolloutRow,
    version: i64,
) -> Result<Vec<(String, ClientFacts)>> {
    let sql = "SELECT d.device, MIN(d.first_at) AS first_at, MAX(d.last_at) AS last_at,
            CAST(SUM(d.turns) AS BIGINT) AS turns, CAST(SUM(d.failed_turns) AS BIGINT) AS failed_turns,
            COALESCE(MAX(m.turns), 0) AS marked_turns, COALESCE(MAX(m.failed_turns), 0) AS marked_failed_turns
        FROM policy_deliveries d
        LEFT JOIN rollout_marks m ON m.rollout_id = $1 AND m.device = d.device AND d.policy_version = $2
        WHERE d.workspace_id = $3 AND d.policy_id = $4 AND d.policy_version = $5 AND d.member_id <> ''
        GROUP BY d.device HAVING MAX(d.last_at) >= $6";
    let args = [
        rollout.id.into(),
        rollout.baseline_version.into(),
        ws.into(),
        rollout.policy_id.into(),
        version.into(),
        rollout.created_at.into(),
    ];
    let since_mark = |row: &Row, all: &str, marked: &str| -> Result<u32> {
        Ok(u32::try_from((row.int(all)? - row.int(marked)?).max(0)).unwrap_or(u32::MAX))
    };
    let facts = |row: &Row| {
        let facts = ClientFacts {
            since: row.time("first_at")?.max(rollout.created_at),
            last_at: row.time("last_at")?,
            turns: since_mark(row, "turns", "marked_turns")?,
            failed_turns: since_mark(row, "failed_turns", "marked_failed_turns")?,
        };
        Ok((row.text("device")?, facts))
    };
    tx.rows(sql, args).await?.iter().map(facts).collect()
}

/// The members who were sent a version, sorted.
async fn holders(tx: &mut Tx, ws: WorkspaceId, policy: PolicyId, version: i64) -> Result<Box<[MemberId]>> {
    let sql = "SELECT DISTINCT member_id FROM policy_deliveries
        WHERE workspace_id = $1 AND policy_id = $2 AND policy_version = $3 AND member_id <> '' ORDER BY member_id";
    let rows = tx.rows(sql, [ws.into(), policy.into(), version.into()]).await?;
    let mut holders = rows.iter().map(|row| row.parse("member_id")).collect::<Result<Vec<MemberId>>>()?;
    // A database sorts by its own rules.
    holders.sort_unstable();
    Ok(holders.into())
}

/// Those under way (running or paused), of one policy or of all, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, of: Option<PolicyId>) -> Result<Vec<Rollout>> {
    let sql = "SELECT r.id, r.status, r.share, r.group_ids, r.min_client_version, r.max_client_version,
            v.policy_id, v.version, v.name, v.contents, v.defaults
        FROM rollouts r JOIN policy_versions v ON v.policy_id = r.policy_id AND v.version = r.candidate_version
        WHERE r.workspace_id = $1 AND r.status IN ('running', 'paused') AND ($2 = '' OR r.policy_id = $2)";
    let of = of.map(|id| id.to_string()).unwrap_or_default();
    let mut found = Vec::new();
    for row in tx.rows(sql, [ws.into(), of.into()]).await? {
        let (policy_id, version) = (row.parse("policy_id")?, row.int("version")?);
        let (name, contents, defaults) = (row.text("name")?, row.text("contents")?, row.opt_text("defaults")?);
        let number = u32::try_from(version).unwrap_or(u32::MAX);
        let is_paused = row.parse::<RolloutStatus>("status")? == RolloutStatus::Paused;
        found.push(Rollout {
            id: row.parse("id")?,
            candidate: Policy::new(policy_id, &name, number, &contents, defaults.as_deref()).into(),
            share: percent(&row)?.hundredths(),
            groups: row.json::<Vec<_>>("group_ids")?.into(),
            min_client_version: row.opt_parse("min_client_version")?,
            max_client_version: row.opt_parse("max_client_version")?,
            holders: if is_paused { Some(holders(tx, ws, policy_id, version).await?) } else { None },
        });
    }
    Ok(found)
}
