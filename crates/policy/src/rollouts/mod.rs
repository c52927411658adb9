//! What becomes of rollouts: how the clients of both versions do, what ends one, and who looks after them.

mod watch;

use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{ArmFigures, ComparedWith, HaltCause, RolloutStatus, WorkspaceId, arm};
use provost_store::tables::policies::{self, PolicyRow};
use provost_store::tables::rollouts::{self, RolloutRow};
use provost_store::{Change, Touched, Tx};
use provost_web::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::proposals::By;

pub use self::watch::{look_after_rollouts, watch_rollouts};

/// How the clients of both versions do since the rollout began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Figures {
    /// Those with the new version.
    pub(crate) candidate: ArmFigures,
    /// Those with the version of before.
    pub(crate) baseline: ArmFigures,
    /// What the guard compares with; null while too few clients with the new version are judged.
    pub(crate) compared_with: Option<ComparedWith>,
    /// Why the guard halts the rollout; null if it does not.
    pub(crate) halt: Option<HaltCause>,
}

/// How the clients of both versions do now.
pub(crate) async fn figures(tx: &mut Tx, ws: WorkspaceId, row: &RolloutRow, now: Timestamp) -> Result<Figures> {
    let (candidate, baseline) = rollouts::facts(tx, ws, row).await?;
    let arm = |facts| arm(facts, row.guard.grace(), now);
    let (candidate, baseline) = (arm(&candidate), arm(&baseline));
    let verdict = row.guard.judge(&candidate, &baseline);
    Ok(Figures { candidate, baseline, compared_with: verdict.compared_with, halt: verdict.halt })
}

/// Ends a rollout that is under way, and records it with how both arms stood; `by` says in whose name, where that
/// may be another than who does it.
pub(crate) async fn end(
    change: &mut Change,
    mut row: RolloutRow,
    to: RolloutStatus,
    by: Option<&By>,
) -> Result<RolloutRow> {
    let (ws, now) = (change.workspace_id(), change.at());
    let figures = json!(figures(change, ws, &row, now).await?);
    let target = target(change, &row).await?;
    let details = json!({
        "baseline_version": row.baseline_version,
        "candidate_version": row.candidate_version,
        "percent": row.percent,
        "figures": figures,
    });
    row.status = to;
    row.figures = Some(figures);
    row.updated_at = now;
    row.ended_at = Some(now);
    rollouts::update(change, ws, &row).await?;
    change.touch(Touched::Policy(row.policy_id));
    let event = match to {
        RolloutStatus::Halted => EventType::RolloutHalted,
        RolloutStatus::Cancelled => EventType::RolloutCancelled,
        _ => EventType::RolloutFinished,
    };
    change.record(event, target, said(by, details));
    if to == RolloutStatus::Finished {
        publish(change, &row, by).await?;
    }
    Ok(row)
}

/// Makes the version of a rollout the one that everybody gets.
async fn publish(change: &mut Change, row: &RolloutRow, by: Option<&By>) -> Result<()> {
    let (ws, now, id) = (change.workspace_id(), change.at(), row.policy_id);
    let before = policy(change, row).await?;
    policies::set_version(change, ws, id, row.candidate_version, now).await?;
    if let Some(approver) = by.and_then(By::approver) {
        policies::approve_version(change, ws, id, row.candidate_version, &approver).await?;
    }
    let after = policy(change, row).await?;
    let fields = [("contents", before.contents != after.contents), ("defaults", before.defaults != after.defaults)];
    let changed: Vec<&str> = fields.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
    let details = json!({ "version": after.version, "changed": changed, "rollout_id": row.id });
    change.record(EventType::PolicyUpdated, Target::new("policy", id, after.name), said(by, details));
    Ok(())
}

fn said(by: Option<&By>, details: Value) -> Value {
    match by {
        Some(by) => by.details(details),
        None => details,
    }
}

async fn policy(change: &mut Change, row: &RolloutRow) -> Result<PolicyRow> {
    let ws = change.workspace_id();
    policies::get(change, ws, row.policy_id).await?.ok_or_else(|| Error::not_found("policy"))
}

/// A rollout as the target of an event: it goes by the name of its policy.
pub(crate) async fn target(change: &mut Change, row: &RolloutRow) -> Result<Target> {
    Ok(Target::new("rollout", row.id, policy(change, row).await?.name))
}
