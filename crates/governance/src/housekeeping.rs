use jiff::SignedDuration;
use provost_store::tables::{agent_commands, agent_sessions, log_files, policy_deliveries};
use provost_store::{Result, Store};

/// Forgets what clients were sent and reported, and the log files that were cut, longer ago than the workspace keeps events. Call it every
/// hour or so.
pub async fn housekeeping(store: &Store) -> Result<()> {
    let now = store.clock().now();
    for workspace in store.world().workspaces.values() {
        let kept = SignedDuration::from_hours(24 * i64::from(workspace.settings.retention_days));
        let Ok(before) = now.checked_sub(kept) else { continue };
        let mut tx = store.write().await?;
        policy_deliveries::delete_before(&mut tx, workspace.id, before).await?;
        agent_sessions::delete_before(&mut tx, workspace.id, before).await?;
        agent_commands::delete_before(&mut tx, workspace.id, before).await?;
        log_files::delete_before(&mut tx, workspace.id, before).await?;
        tx.commit().await?;
    }
    Ok(())
}
