//! Looks after rollouts: halts those whose clients do worse, takes the steps of those with stages.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{Percent, RolloutId, RolloutStatus, WorkspaceId};
use provost_store::tables::rollouts::{self, RolloutRow};
use provost_store::{Change, Touched};
use provost_web::{App, Error, Result};
use serde_json::json;
use tokio::time::Instant;

use super::{end, figures, target};

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(2);
/// It rests this many times as long as a look took: the figures of a large fleet are a large query.
const REST: u32 = 20;

/// Looks after the rollouts of every workspace, for as long as the node runs.
pub async fn watch_rollouts(app: App) {
    loop {
        let start = Instant::now();
        look_after_rollouts(&app).await;
        tokio::time::sleep(PAUSE.max(start.elapsed() * REST)).await;
    }
}

/// Looks once.
pub async fn look_after_rollouts(app: &App) {
    let world = app.store.world();
    for workspace in world.workspaces.values() {
        for rollout in workspace.policies.values().filter_map(|policy| policy.rollout.as_ref()) {
            if let Err(error) = look_after(app, workspace.id, rollout.id).await {
                // The database may be away for a while: the next look is soon.
                tracing::warn!(error = error.message(), rollout = %rollout.id, "a rollout cannot be looked after");
            }
        }
    }
}

async fn look_after(app: &App, ws: WorkspaceId, id: RolloutId) -> Result<()> {
    let now = app.store.clock().now();
    let mut tx = app.store.read().await?;
    let Some(seen) = rollouts::get(&mut tx, ws, id).await? else { return Ok(()) };
    if !seen.status.is_live() {
        return Ok(());
    }
    let halts = figures(&mut tx, ws, &seen, now).await?.halt.is_some();
    drop(tx);
    if !halts && !is_due(&seen, now) {
        return Ok(());
    }
    // Every node looks, and one acts: whoever comes second finds it changed.
    let mut change = app.store.change(ws, Actor::system(), Origin::default()).await?;
    if rollouts::get(&mut change, ws, id).await?.as_ref() != Some(&seen) {
        return Ok(());
    }
    if !halts {
        step(&mut change, seen).await?;
        return change.commit().await.map_err(Error::from);
    }
    let halted = end(&mut change, seen, RolloutStatus::Halted, None).await?;
    if halted.figures.is_none_or(|figures| figures["halt"].is_null()) {
        // Clients came back while it waited for its turn.
        return Ok(());
    }
    change.commit().await?;
    tracing::warn!(rollout = %id, "a rollout was halted: clients with the new version do worse");
    Ok(())
}

/// Whether the next stage is to begin.
fn is_due(row: &RolloutRow, now: Timestamp) -> bool {
    let Some(stage) = row.stages.get(row.stage) else { return false };
    let is_over = now.duration_since(row.stage_since) >= SignedDuration::from_mins(stage.minutes.into());
    let leads_on = row.stage + 1 < row.stages.len() || stage.percent == Percent::ALL;
    row.status == RolloutStatus::Running && is_over && leads_on
}

/// To the next stage; past the last one it is finished.
async fn step(change: &mut Change, before: RolloutRow) -> Result<()> {
    let Some(next) = before.stages.get(before.stage + 1) else {
        end(change, before, RolloutStatus::Finished, None).await?;
        return Ok(());
    };
    let ws = change.workspace_id();
    let after = RolloutRow {
        percent: next.percent,
        stage: before.stage + 1,
        stage_since: change.at(),
        updated_at: change.at(),
        ..before.clone()
    };
    rollouts::update(change, ws, &after).await?;
    change.touch(Touched::Policy(after.policy_id));
    let target = target(change, &after).await?;
    let changed = json!({
        "percent": { "before": before.percent, "after": after.percent },
        "stage": { "before": before.stage, "after": after.stage },
    });
    change.record(EventType::RolloutUpdated, target, json!({ "changed": changed }));
    Ok(())
}
