//! Sign-ins that wait for the second factor, and what passkeys were asked.

use jiff::Timestamp;
use provost_model::{MemberId, SecondFactorId, SignInMethod, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::Tx;

/// A sign-in whose password or link was right.
#[derive(Debug, Clone)]
pub struct PendingSignInRow {
    /// Into which workspace.
    pub workspace_id: WorkspaceId,
    /// Whose.
    pub member_id: MemberId,
    /// What was right.
    pub method: SignInMethod,
    /// Where it goes on to: a path of our own.
    pub next: String,
    /// The factor that is set up on the way, if one must be.
    pub factor_id: Option<SecondFactorId>,
    /// How many codes were tried.
    pub tries: i64,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// Notes one, under the hash of its browser's cookie.
pub async fn insert(tx: &mut Tx, hash: &TokenHash, row: &PendingSignInRow) -> Result<()> {
    let sql = "INSERT INTO pending_sign_ins (hash, workspace_id, member_id, method, next, factor_id, tries, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let args = [
        hash.into(),
        row.workspace_id.into(),
        row.member_id.into(),
        row.method.as_str().into(),
        row.next.as_str().into(),
        row.factor_id.into(),
        row.tries.into(),
        row.expires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// The one behind a cookie.
pub async fn get(tx: &mut Tx, hash: &TokenHash, now: Timestamp) -> Result<Option<PendingSignInRow>> {
    let sql = "SELECT * FROM pending_sign_ins WHERE hash = $1 AND expires_at > $2";
    let Some(row) = tx.row(sql, [hash.into(), now.into()]).await? else { return Ok(None) };
    Ok(Some(PendingSignInRow {
        workspace_id: row.parse("workspace_id")?,
        member_id: row.parse("member_id")?,
        method: row.parse("method")?,
        next: row.text("next")?,
        factor_id: row.opt_parse("factor_id")?,
        tries: row.int("tries")?,
        expires_at: row.time("expires_at")?,
    }))
}

/// Counts a try, if there were fewer than so many; false if not, or if it is gone.
pub async fn count_try(tx: &mut Tx, hash: &TokenHash, most: i64) -> Result<bool> {
    let sql = "UPDATE pending_sign_ins SET tries = tries + 1 WHERE hash = $1 AND tries < $2";
    Ok(tx.execute(sql, [hash.into(), most.into()]).await? > 0)
}

/// Ends one: there is a second time for nobody. Whether it was there.
pub async fn delete(tx: &mut Tx, hash: &TokenHash) -> Result<bool> {
    Ok(tx.execute("DELETE FROM pending_sign_ins WHERE hash = $1", [hash.into()]).await? > 0)
}

/// Ends all of a member's.
pub async fn delete_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<()> {
    let sql = "DELETE FROM pending_sign_ins WHERE workspace_id = $1 AND member_id = $2";
    tx.execute(sql, [ws.into(), member.into()]).await?;
    Ok(())
}

/// Forgets what is too old, here and among the challenges.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM pending_sign_ins WHERE expires_at <= $1", [now.into()]).await?;
    tx.execute("DELETE FROM passkey_challenges WHERE expires_at <= $1", [now.into()]).await?;
    Ok(())
}

/// What a passkey's challenge is sealed to, when it is set up and when it signs in.
pub fn seal_places(member: MemberId) -> [String; 2] {
    [format!("passkey_registration:{member}"), format!("passkey_sign_in:{member}")]
}

/// What a passkey is asked, for a session or a pending sign-in; the one before is forgotten.
pub async fn set_challenge(
    tx: &mut Tx,
    hash: &TokenHash,
    ws: WorkspaceId,
    member: MemberId,
    sealed: &[u8],
    expires_at: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO passkey_challenges (hash, workspace_id, member_id, sealed, expires_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (hash) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at";
    tx.execute(sql, [hash.into(), ws.into(), member.into(), sealed.into(), expires_at.into()]).await?;
    Ok(())
}

/// Takes what a passkey was asked: it is answered once.
pub async fn take_challenge(
    tx: &mut Tx,
    hash: &TokenHash,
    ws: WorkspaceId,
    member: MemberId,
    now: Timestamp,
) -> Result<Option<Vec<u8>>> {
    let sql = "DELETE FROM passkey_challenges
        WHERE hash = $1 AND workspace_id = $2 AND member_id = $3 RETURNING sealed, expires_at";
    let Some(row) = tx.row(sql, [hash.into(), ws.into(), member.into()]).await? else { return Ok(None) };
    Ok(if row.time("expires_at")? > now { Some(row.bytes("sealed")?) } else { None })
}
