//! Exceptions end by themselves: for delivery at their very end, since the snapshot holds the time; in the
//! books some seconds later, here.

use std::time::Duration;

use provost_model::event::{Actor, EventType, Origin, Target};
use provost_store::tables::policy_exceptions;
use provost_store::{Result, Store, Touched};
use serde_json::json;

/// How often the books are looked through.
const EVERY: Duration = Duration::from_secs(2);

/// Writes down which exceptions are over, for ever. Any number of nodes may do it.
pub async fn expire_exceptions(store: Store) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = expire_now(&store).await {
            tracing::debug!(%error, "exceptions that are over could not be written down");
        }
    }
}

/// Writes down which exceptions are over now.
async fn expire_now(store: &Store) -> Result<()> {
    let over = policy_exceptions::over(&mut store.read().await?, store.clock().now()).await?;
    for (ws, id) in over {
        let mut change = store.change(ws, Actor::system(), Origin::default()).await?;
        // Another node may have been first, and it may have been ended.
        let row = policy_exceptions::get(&mut change, ws, id).await?;
        let Some(mut row) = row.filter(|row| row.status == "approved") else { continue };
        (row.status, row.ended_at) = ("expired".to_owned(), row.expires_at);
        policy_exceptions::update(&mut change, ws, &row).await?;
        change.touch(Touched::PolicyException(id));
        let workspace = store.workspace(ws);
        let member = workspace.as_ref().and_then(|workspace| workspace.members.get(&row.member_id));
        let email = member.map(|member| member.email.to_string()).unwrap_or_default();
        let details = json!({ "exception_id": id, "status": "expired" });
        change.record(EventType::PolicyExceptionEnded, Target::new("member", row.member_id, email), details);
        change.commit().await?;
    }
    Ok(())
}
