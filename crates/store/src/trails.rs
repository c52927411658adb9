//! Parts of the ledger that people look at, newest first.

use provost_model::event::Event;
use provost_model::{MemberId, WorkspaceId};

use crate::Result;
use crate::db::Tx;
use crate::ledger::read;

/// The sign-ins of a member, and the tries with their address, before a place in the ledger.
pub async fn sign_ins(
    tx: &mut Tx,
    ws: WorkspaceId,
    member: MemberId,
    email: &str,
    before: i64,
    limit: u32,
) -> Result<Vec<Event>> {
    // Two lists, each along an index of its own. A try that failed has no member, only an address.
    let sql = "SELECT * FROM (
            SELECT * FROM events WHERE workspace_id = $1 AND actor_id = $2 AND seq < $4
                AND (type LIKE 'sign_in.%' OR type LIKE 'client.%' OR type LIKE 'device_login.%'
                    OR type IN ('session.revoked', 'token.reuse_detected'))
            UNION ALL
            SELECT * FROM events WHERE workspace_id = $1 AND type = 'sign_in.failed' AND seq < $4
                AND actor_id IS NULL AND LOWER(actor_email) = LOWER($3)
        ) AS found ORDER BY seq DESC LIMIT $5";
    let args = [ws.into(), member.to_string().into(), email.into(), before.into(), limit.into()];
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// What somebody should look at: refresh tokens that were used twice, secrets that leaked, sessions
/// that ran looser than their policy, before a place in the ledger.
pub async fn alerts(tx: &mut Tx, ws: WorkspaceId, before: i64, limit: u32) -> Result<Vec<Event>> {
    let sql = "SELECT * FROM events WHERE workspace_id = $1 AND seq < $2
            AND type IN ('token.reuse_detected', 'credential.leaked', 'policy.contradicted')
        ORDER BY seq DESC LIMIT $3";
    tx.rows(sql, [ws.into(), before.into(), limit.into()]).await?.iter().map(read).collect()
}
