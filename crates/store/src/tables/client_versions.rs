//! Which versions of the client were seen, as the deliveries of policies tell it.

use jiff::Timestamp;
use provost_model::WorkspaceId;

use crate::Result;
use crate::db::Tx;

/// What a client called itself, and who used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientVersionRow {
    /// As it was written down; need not be a version.
    pub client_version: String,
    /// When a client last fetched a policy as this, or worked with one.
    pub last_seen_at: Timestamp,
    /// How many members used it; devices without a member are not counted.
    pub members: u32,
}

/// What was seen since a moment, the latest first, at most so many.
pub async fn seen_since(tx: &mut Tx, ws: WorkspaceId, since: Timestamp, limit: u32) -> Result<Vec<ClientVersionRow>> {
    let sql = "SELECT client_version, MAX(last_at) AS last_seen_at,
            COUNT(DISTINCT CASE WHEN member_id <> '' THEN member_id END) AS members
        FROM policy_deliveries WHERE workspace_id = $1 AND last_at >= $2 AND client_version <> ''
        GROUP BY client_version ORDER BY last_seen_at DESC, client_version LIMIT $3";
    let rows = tx.rows(sql, [ws.into(), since.into(), limit.into()]).await?;
    let read = rows.iter().map(|row| {
        Ok(ClientVersionRow {
            client_version: row.text("client_version")?,
            last_seen_at: row.time("last_seen_at")?,
            members: u32::try_from(row.int("members")?).unwrap_or(u32::MAX),
        })
    });
    read.collect()
}
