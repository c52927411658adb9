//! The nodes that run on this database.

use jiff::Timestamp;
use provost_model::NodeId;

use crate::Result;
use crate::db::Tx;

/// Notes that a node runs.
pub async fn note(tx: &mut Tx, id: NodeId, started_at: Timestamp, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO nodes (id, started_at, seen_at) VALUES ($1, $2, $3)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    tx.execute(sql, [id.into(), started_at.into(), now.into()]).await?;
    Ok(())
}

/// Forgets a node that stops.
pub async fn delete(tx: &mut Tx, id: NodeId) -> Result<()> {
    tx.execute("DELETE FROM nodes WHERE id = $1", [id.into()]).await?;
    Ok(())
}

/// Forgets nodes that have not been heard of since, but for this one.
pub async fn delete_unseen(tx: &mut Tx, since: Timestamp, but: NodeId) -> Result<()> {
    tx.execute("DELETE FROM nodes WHERE seen_at < $1 AND id <> $2", [since.into(), but.into()]).await?;
    Ok(())
}
