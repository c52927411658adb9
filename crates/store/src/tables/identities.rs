//! Members as identity providers know them.

use jiff::Timestamp;
use provost_model::{ConnectionId, MemberId, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// A member as one provider knows them.
#[derive(Debug, Clone)]
pub struct IdentityRow {
    /// Through which connection.
    pub connection_id: ConnectionId,
    /// What the provider calls them, for good.
    pub subject: String,
    /// When they first came that way.
    pub created_at: Timestamp,
    /// When they last did.
    pub last_used_at: Timestamp,
}

/// The member behind a subject.
pub async fn member(tx: &mut Tx, ws: WorkspaceId, id: ConnectionId, subject: &str) -> Result<Option<MemberId>> {
    let sql = "SELECT member_id FROM identities WHERE workspace_id = $1 AND connection_id = $2 AND subject = $3";
    let row = tx.row(sql, [ws.into(), id.into(), subject.into()]).await?;
    row.map(|row| row.parse("member_id")).transpose()
}

/// The subject by which a connection knows a member.
pub async fn subject(tx: &mut Tx, ws: WorkspaceId, id: ConnectionId, member: MemberId) -> Result<Option<String>> {
    let sql = "SELECT subject FROM identities WHERE workspace_id = $1 AND connection_id = $2 AND member_id = $3";
    let row = tx.row(sql, [ws.into(), id.into(), member.into()]).await?;
    row.map(|row| row.text("subject")).transpose()
}

/// Forgets who is who at a connection: subjects mean something at one provider only.
pub async fn delete_all(tx: &mut Tx, ws: WorkspaceId, id: ConnectionId) -> Result<u64> {
    tx.execute("DELETE FROM identities WHERE workspace_id = $1 AND connection_id = $2", [ws.into(), id.into()]).await
}

/// Forgets by which subjects a member is known.
pub async fn delete_of_member(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<u64> {
    tx.execute("DELETE FROM identities WHERE workspace_id = $1 AND member_id = $2", [ws.into(), member.into()]).await
}

/// By which subjects a member is known, by age of the connection.
pub async fn of_member(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<Vec<IdentityRow>> {
    let sql = "SELECT * FROM identities WHERE workspace_id = $1 AND member_id = $2
        ORDER BY connection_id, subject LIMIT 1000";
    let rows = tx.rows(sql, [ws.into(), member.into()]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<IdentityRow> {
    Ok(IdentityRow {
        connection_id: row.parse("connection_id")?,
        subject: row.text("subject")?,
        created_at: row.time("created_at")?,
        last_used_at: row.time("last_used_at")?,
    })
}

/// Notes who a subject is, and that it was seen.
pub async fn note(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: ConnectionId,
    subject: &str,
    member: MemberId,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO identities (connection_id, subject, workspace_id, member_id, created_at, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (connection_id, subject) DO UPDATE SET last_used_at = excluded.last_used_at";
    tx.execute(sql, [id.into(), subject.into(), ws.into(), member.into(), now.into()]).await?;
    Ok(())
}
