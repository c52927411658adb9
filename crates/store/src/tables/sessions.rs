//! Members signed in to the pages and the admin API with a cookie.

use jiff::Timestamp;
use provost_model::{FactorKind, MemberId, Proof, SessionId, SignInMethod, TokenHash, WorkspaceId};

use super::Page;
use crate::Result;
use crate::db::{Row, Tx};

/// A session.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Where.
    pub workspace_id: WorkspaceId,
    /// Who.
    pub member_id: MemberId,
    /// What writes must carry in `x-csrf-token`.
    pub csrf_token: String,
    /// How its member proved who they are.
    pub proof: Proof,
    /// From which address it began.
    pub ip: String,
    /// Which browser.
    pub user_agent: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
}

/// Adds a session.
pub async fn insert(tx: &mut Tx, hash: &TokenHash, session: &SessionRow) -> Result<()> {
    let sql = "INSERT INTO sessions (hash, id, workspace_id, member_id, csrf_token, method, second_factor,
            connection_id, ip, user_agent, created_at, last_used_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let args = [
        hash.into(),
        session.id.into(),
        session.workspace_id.into(),
        session.member_id.into(),
        session.csrf_token.as_str().into(),
        session.proof.method.as_str().into(),
        session.proof.second_factor.map(|factor| factor.as_str().to_owned()).into(),
        session.proof.connection_id.into(),
        session.ip.as_str().into(),
        session.user_agent.as_str().into(),
        session.created_at.into(),
        session.last_used_at.into(),
        session.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// The session behind a cookie.
pub async fn get(tx: &mut Tx, hash: &TokenHash) -> Result<Option<SessionRow>> {
    let row = tx.row("SELECT * FROM sessions WHERE hash = $1", [hash.into()]).await?;
    row.map(|row| read(&row)).transpose()
}

fn read(row: &Row) -> Result<SessionRow> {
    Ok(SessionRow {
        id: row.parse("id")?,
        workspace_id: row.parse("workspace_id")?,
        member_id: row.parse("member_id")?,
        csrf_token: row.text("csrf_token")?,
        proof: Proof {
            method: row.parse("method")?,
            second_factor: row.opt_parse("second_factor")?,
            connection_id: row.opt_parse("connection_id")?,
        },
        ip: row.text("ip")?,
        user_agent: row.text("user_agent")?,
        created_at: row.time("created_at")?,
        last_used_at: row.time("last_used_at")?,
        expires_at: row.time("expires_at")?,
    })
}

/// Notes that a session was used.
pub async fn set_last_used(tx: &mut Tx, hash: &TokenHash, at: Timestamp) -> Result<()> {
    tx.execute("UPDATE sessions SET last_used_at = $2 WHERE hash = $1", [hash.into(), at.into()]).await?;
    Ok(())
}

/// Notes that the member of a session has shown a second factor since.
pub async fn set_second_factor(tx: &mut Tx, hash: &TokenHash, factor: FactorKind) -> Result<()> {
    let sql = "UPDATE sessions SET second_factor = $2 WHERE hash = $1";
    tx.execute(sql, [hash.into(), factor.as_str().into()]).await?;
    Ok(())
}

/// Ends a session.
pub async fn delete(tx: &mut Tx, hash: &TokenHash) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE hash = $1", [hash.into()]).await?;
    Ok(())
}

/// Ends every session of a member; which ones.
pub async fn end_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<Vec<SessionRow>> {
    let sql = "DELETE FROM sessions WHERE workspace_id = $1 AND member_id = $2 RETURNING *";
    tx.rows(sql, [ws.into(), member.into()]).await?.iter().map(read).collect()
}

/// Forgets sessions that ended by themselves.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM sessions WHERE expires_at < $1", [now.into()]).await
}

/// A session of either kind, as its member and admins see it.
#[derive(Debug, Clone)]
pub struct AnySession {
    /// Its id, of a [`SessionId`] or a [`provost_model::GrantId`].
    pub id: String,
    /// `console` or `client`.
    pub kind: String,
    /// Who.
    pub member_id: MemberId,
    /// How it began.
    pub method: String,
    /// The second factor, where one was shown to us.
    pub second_factor: Option<String>,
    /// Through which connection to an identity provider.
    pub connection_id: Option<String>,
    /// Which client (OAuth `client_id`).
    pub client_id: Option<String>,
    /// From which address.
    pub ip: String,
    /// Which program.
    pub user_agent: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used: of a client, when it last renewed its tokens.
    pub last_used_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
}

/// What makes a session of the console be over by itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// It began before this.
    pub began: Timestamp,
    /// It was last used before this.
    pub used: Timestamp,
}

/// A page of what a member is signed in with: client sessions, then sessions of the console, each by age.
pub async fn list_any(
    tx: &mut Tx,
    ws: WorkspaceId,
    member: MemberId,
    limits: Limits,
    now: Timestamp,
    page: &Page,
) -> Result<Vec<AnySession>> {
    let sql = "SELECT id, 'client' AS kind, member_id, method, CAST(NULL AS TEXT) AS second_factor,
            CAST(NULL AS TEXT) AS connection_id, client_id, ip, user_agent, created_at,
            COALESCE(last_used_at, created_at) AS last_used_at, expires_at
        FROM grants WHERE workspace_id = $1 AND member_id = $2 AND id > $3 AND revoked_at IS NULL AND expires_at > $4
        UNION ALL
        SELECT id, 'console', member_id, method, second_factor, connection_id, CAST(NULL AS TEXT), ip, user_agent,
            created_at, last_used_at, expires_at
        FROM sessions WHERE workspace_id = $1 AND member_id = $2 AND id > $3 AND expires_at > $4
            AND created_at > $5 AND last_used_at > $6
        ORDER BY id LIMIT $7";
    let after = page.after.clone().unwrap_or_default();
    let args = [
        ws.into(),
        member.into(),
        after.into(),
        now.into(),
        limits.began.into(),
        limits.used.into(),
        page.limit.into(),
    ];
    let any = |row: &Row| {
        Ok(AnySession {
            id: row.text("id")?,
            kind: row.text("kind")?,
            member_id: row.parse("member_id")?,
            method: row.text("method")?,
            second_factor: row.opt_text("second_factor")?,
            connection_id: row.opt_text("connection_id")?,
            client_id: row.opt_text("client_id")?,
            ip: row.text("ip")?,
            user_agent: row.text("user_agent")?,
            created_at: row.time("created_at")?,
            last_used_at: row.time("last_used_at")?,
            expires_at: row.time("expires_at")?,
        })
    };
    tx.rows(sql, args).await?.iter().map(any).collect()
}

/// Whose a session is, by its id.
pub async fn get_by_id(tx: &mut Tx, ws: WorkspaceId, id: SessionId) -> Result<Option<SessionRow>> {
    let sql = "SELECT * FROM sessions WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// Ends a session by its id.
pub async fn delete_by_id(tx: &mut Tx, ws: WorkspaceId, id: SessionId) -> Result<()> {
    tx.execute("DELETE FROM sessions WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// Forgets the sessions of a workspace that were used too long ago, or began too long ago.
pub async fn delete_over(tx: &mut Tx, ws: WorkspaceId, limits: Limits) -> Result<u64> {
    let sql = "DELETE FROM sessions WHERE workspace_id = $1 AND (created_at <= $2 OR last_used_at <= $3)";
    tx.execute(sql, [ws.into(), limits.began.into(), limits.used.into()]).await
}

/// Ends the sessions of a workspace that did not begin at an identity provider, but for these members'.
pub async fn delete_begun_here(tx: &mut Tx, ws: WorkspaceId, but: &[MemberId]) -> Result<u64> {
    let but = serde_json::to_string(but).expect("ids turn into JSON");
    let sql = "DELETE FROM sessions WHERE workspace_id = $1 AND connection_id IS NULL
        AND CAST($2 AS TEXT) NOT LIKE '%\"' || member_id || '\"%'";
    tx.execute(sql, [ws.into(), but.into()]).await
}

/// Ends the sessions of a workspace that rest on one factor of ours: see
/// [`provost_model::Settings::is_enough`].
pub async fn delete_of_one_factor(tx: &mut Tx, ws: WorkspaceId) -> Result<u64> {
    let sql = "DELETE FROM sessions
        WHERE workspace_id = $1 AND connection_id IS NULL AND second_factor IS NULL AND method <> $2";
    tx.execute(sql, [ws.into(), SignInMethod::Passkey.as_str().into()]).await
}
