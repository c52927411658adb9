//! Links that work once: the first set-up, the first sign-in of an owner, invitations.

use jiff::Timestamp;
use provost_model::{MemberId, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// Whom a link signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkRow {
    /// Who; none for the first set-up, when nobody is there yet.
    pub member: Option<(WorkspaceId, MemberId)>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// Adds a link.
pub async fn insert(tx: &mut Tx, hash: &TokenHash, link: LinkRow, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO one_time_links (hash, workspace_id, member_id, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5)";
    let (ws, member) = link.member.unzip();
    tx.execute(sql, [hash.into(), ws.into(), member.into(), now.into(), link.expires_at.into()]).await?;
    Ok(())
}

/// What a link is for, if it still works.
pub async fn get(tx: &mut Tx, hash: &TokenHash, now: Timestamp) -> Result<Option<LinkRow>> {
    let sql = "SELECT * FROM one_time_links WHERE hash = $1 AND expires_at > $2";
    let Some(row) = tx.row(sql, [hash.into(), now.into()]).await? else { return Ok(None) };
    let member = row.opt_parse("workspace_id")?.zip(row.opt_parse("member_id")?);
    Ok(Some(LinkRow { member, expires_at: row.time("expires_at")? }))
}

/// Uses a link up; whether it was still there.
pub async fn consume(tx: &mut Tx, hash: &TokenHash) -> Result<bool> {
    Ok(tx.execute("DELETE FROM one_time_links WHERE hash = $1", [hash.into()]).await? > 0)
}

/// Ends every link of a member; how many still worked.
pub async fn delete_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<usize> {
    let sql = "DELETE FROM one_time_links WHERE workspace_id = $1 AND member_id = $2 RETURNING expires_at";
    let rows = tx.rows(sql, [ws.into(), member.into()]).await?;
    let ends = rows.iter().map(|row| row.time("expires_at")).collect::<Result<Vec<_>>>()?;
    Ok(ends.into_iter().filter(|at| *at > now).count())
}

/// Forgets the set-up links: a new one is made at each start until somebody has set up.
pub async fn delete_setup_links(tx: &mut Tx) -> Result<u64> {
    tx.execute("DELETE FROM one_time_links WHERE member_id IS NULL", []).await
}
