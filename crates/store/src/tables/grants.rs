//! Client sessions (one sign-in of one client each) and the refresh tokens that descend from them.

use jiff::{SignedDuration, Timestamp};
use provost_model::{GrantId, MemberId, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// How long an access token lives: so long an ended client session must be remembered by those who
/// check tokens without the database.
pub const ACCESS_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// A client session.
#[derive(Debug, Clone)]
pub struct GrantRow {
    /// Its id.
    pub id: GrantId,
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Who.
    pub member_id: MemberId,
    /// Which client (OAuth `client_id`).
    pub client_id: String,
    /// How it signed in: `device_code` or `browser`.
    pub method: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

impl GrantRow {
    /// Whether it has neither ended nor been ended.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

/// A refresh token.
#[derive(Debug, Clone)]
pub struct RefreshTokenRow {
    /// The client session.
    pub grant: GrantRow,
    /// When its successor was issued.
    pub replaced_at: Option<Timestamp>,
}

/// Adds a client session.
pub async fn insert(tx: &mut Tx, grant: &GrantRow) -> Result<()> {
    let sql = "INSERT INTO grants (id, workspace_id, member_id, client_id, method, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let args = [
        grant.id.into(),
        grant.workspace_id.into(),
        grant.member_id.into(),
        grant.client_id.as_str().into(),
        grant.method.as_str().into(),
        grant.created_at.into(),
        grant.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Ends a client session; whether it was not ended before.
pub async fn revoke(tx: &mut Tx, ws: WorkspaceId, id: GrantId, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE grants SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL";
    Ok(tx.execute(sql, [ws.into(), id.into(), now.into()]).await? > 0)
}

/// Notes from where a client session was begun or renewed, and when.
pub async fn note_use(tx: &mut Tx, id: GrantId, ip: &str, user_agent: &str, at: Timestamp) -> Result<()> {
    let sql = "UPDATE grants SET ip = $2, user_agent = $3, last_used_at = $4 WHERE id = $1";
    tx.execute(sql, [id.into(), ip.into(), user_agent.into(), at.into()]).await?;
    Ok(())
}

/// One client session.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: GrantId) -> Result<Option<GrantRow>> {
    let sql = "SELECT * FROM grants WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// Ends every client session of a member; which ones, those included that were too old already.
pub async fn end_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<Vec<GrantRow>> {
    let sql = "UPDATE grants SET revoked_at = $3
        WHERE workspace_id = $1 AND member_id = $2 AND revoked_at IS NULL RETURNING *";
    tx.rows(sql, [ws.into(), member.into(), now.into()]).await?.iter().map(read).collect()
}

/// Adds a refresh token.
pub async fn insert_refresh_token(tx: &mut Tx, grant: GrantId, hash: &TokenHash, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO refresh_tokens (hash, grant_id, created_at) VALUES ($1, $2, $3)";
    tx.execute(sql, [hash.into(), grant.into(), now.into()]).await?;
    Ok(())
}

/// The refresh token with this hash.
pub async fn get_refresh_token(tx: &mut Tx, hash: &TokenHash) -> Result<Option<RefreshTokenRow>> {
    let sql = "SELECT g.*, t.replaced_at FROM refresh_tokens t JOIN grants g ON g.id = t.grant_id WHERE t.hash = $1";
    let Some(row) = tx.row(sql, [hash.into()]).await? else { return Ok(None) };
    Ok(Some(RefreshTokenRow { grant: read(&row)?, replaced_at: row.opt_time("replaced_at")? }))
}

/// Notes that a refresh token has a successor; the first time counts.
pub async fn replace_refresh_token(tx: &mut Tx, hash: &TokenHash, now: Timestamp) -> Result<()> {
    let sql = "UPDATE refresh_tokens SET replaced_at = $2 WHERE hash = $1 AND replaced_at IS NULL";
    tx.execute(sql, [hash.into(), now.into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<GrantRow> {
    Ok(GrantRow {
        id: row.parse("id")?,
        workspace_id: row.parse("workspace_id")?,
        member_id: row.parse("member_id")?,
        client_id: row.text("client_id")?,
        method: row.text("method")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
    })
}

/// Forgets client sessions (and their refresh tokens) that ended long enough ago.
pub async fn delete_ended(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM grants WHERE expires_at < $1 OR revoked_at < $1", [before.into()]).await
}

/// The sessions that ended so recently that an access token of theirs may still live, each with
/// when the last one dies.
pub(crate) async fn load_revoked(tx: &mut Tx, ws: WorkspaceId, now: Timestamp) -> Result<Vec<(GrantId, Timestamp)>> {
    let sql = "SELECT id, revoked_at FROM grants WHERE workspace_id = $1 AND revoked_at > $2";
    let rows = tx.rows(sql, [ws.into(), (now - ACCESS_TOKEN_LIFETIME).into()]).await?;
    rows.iter().map(|row| Ok((row.parse("id")?, row.time("revoked_at")? + ACCESS_TOKEN_LIFETIME))).collect()
}

/// When the last access token of an ended session dies; none if it has not ended.
pub(crate) async fn load_revoked_one(tx: &mut Tx, ws: WorkspaceId, id: GrantId) -> Result<Option<Timestamp>> {
    let row =
        tx.row("SELECT revoked_at FROM grants WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    let revoked_at = row.map(|row| row.opt_time("revoked_at")).transpose()?.flatten();
    Ok(revoked_at.map(|at| at + ACCESS_TOKEN_LIFETIME))
}
