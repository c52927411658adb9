//! Out everywhere at once: what ends when a member is suspended or deleted.

use provost_model::MemberId;
use provost_store::tables::{access_tokens, grants, sessions};
use provost_store::{Change, Touched};
use provost_web::Result;
use serde_json::{Value, json};

/// Ends a member's sessions, client sessions and access tokens, as part of a change. What ended, for
/// the event.
pub(crate) async fn end_everything(change: &mut Change, member: MemberId) -> Result<Value> {
    let (ws, now) = (change.workspace_id(), change.at());
    let sessions = sessions::delete_all(change, member).await?;
    let ended = grants::revoke_all(change, ws, member, now).await?;
    let revoked = access_tokens::revoke_all(change, ws, member, now).await?;
    for id in &ended {
        change.touch(Touched::Grant(*id));
    }
    for id in &revoked {
        change.touch(Touched::AccessToken(*id));
    }
    Ok(json!({ "sessions": sessions, "client_sessions": ended.len(), "access_tokens": revoked.len() }))
}
