//! Personal access tokens.

use jiff::Timestamp;
use provost_model::{AccessToken, AccessTokenId, AllowedIps, MemberId, TokenHash, WorkloadIdentityId, WorkspaceId};

use super::replaced_secrets::Holder;
use super::{Page, replaced_secrets};
use crate::Result;
use crate::db::{Row, Tx};

/// An access token as its owner and admins see it: without its secret.
#[derive(Debug, Clone)]
pub struct AccessTokenRow {
    /// Its id.
    pub id: AccessTokenId,
    /// Whose it is.
    pub member_id: MemberId,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops working; none is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From where it works.
    pub allowed_ips: AllowedIps,
    /// The workload identity whose exchange made it; none for one that its member made.
    pub workload_identity_id: Option<WorkloadIdentityId>,
    /// When it last got a new secret.
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before works.
    pub previous_expires_at: Option<Timestamp>,
    /// When its secret was first reported as leaked.
    pub leaked_at: Option<Timestamp>,
}

impl AccessTokenRow {
    /// Whether it has neither ended nor been revoked.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }

    /// A token of a member that works from anywhere and has no end.
    pub fn new(id: AccessTokenId, member_id: MemberId, name: &str, now: Timestamp) -> Self {
        Self {
            id,
            member_id,
            name: name.to_owned(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            allowed_ips: AllowedIps::default(),
            workload_identity_id: None,
            rotated_at: None,
            previous_expires_at: None,
            leaked_at: None,
        }
    }
}

/// Adds a token.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, token: &AccessTokenRow, hash: &TokenHash) -> Result<()> {
    let sql = "INSERT INTO access_tokens
            (id, workspace_id, member_id, name, hash, created_at, expires_at, allowed_ips, workload_identity_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let args = [
        token.id.into(),
        ws.into(),
        token.member_id.into(),
        token.name.as_str().into(),
        hash.into(),
        token.created_at.into(),
        token.expires_at.into(),
        serde_json::to_string(&token.allowed_ips).expect("networks turn into JSON").into(),
        token.workload_identity_id.map(|id| id.to_string()).into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Writes what may change of a token.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, token: &AccessTokenRow) -> Result<()> {
    let sql = "UPDATE access_tokens SET expires_at = $3, rotated_at = $4, previous_expires_at = $5, leaked_at = $6
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        token.id.into(),
        token.expires_at.into(),
        token.rotated_at.into(),
        token.previous_expires_at.into(),
        token.leaked_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Gives a token a new secret; the one before works until then.
pub async fn replace_secret(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: AccessTokenId,
    hash: &TokenHash,
    previous_until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let holder = Holder {
        hash: "SELECT hash FROM access_tokens WHERE workspace_id = $1 AND id = $2",
        set_hash: "UPDATE access_tokens SET hash = $3 WHERE workspace_id = $1 AND id = $2",
    };
    replaced_secrets::replace(tx, ws, (holder, id.to_string()), hash, previous_until, now).await
}

/// Revokes a token.
pub async fn revoke(tx: &mut Tx, ws: WorkspaceId, id: AccessTokenId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE access_tokens SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL";
    tx.execute(sql, [ws.into(), id.into(), now.into()]).await?;
    Ok(())
}

/// Ends every token of a member; which ones, those included that were too old already.
pub async fn end_all(tx: &mut Tx, ws: WorkspaceId, member: MemberId, now: Timestamp) -> Result<Vec<AccessTokenRow>> {
    let sql = "UPDATE access_tokens SET revoked_at = $3
        WHERE workspace_id = $1 AND member_id = $2 AND revoked_at IS NULL RETURNING *";
    tx.rows(sql, [ws.into(), member.into(), now.into()]).await?.iter().map(read).collect()
}

/// Notes that a token was used.
pub async fn set_last_used(tx: &mut Tx, ws: WorkspaceId, id: AccessTokenId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE access_tokens SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// One token.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: AccessTokenId) -> Result<Option<AccessTokenRow>> {
    let sql = "SELECT * FROM access_tokens WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The token whose secret, or former secret, has this hash; also one that is revoked.
pub async fn get_by_secret(tx: &mut Tx, ws: WorkspaceId, hash: &TokenHash) -> Result<Option<AccessTokenRow>> {
    let sql = "SELECT * FROM access_tokens WHERE workspace_id = $1 AND (hash = $2 OR id IN
        (SELECT credential_id FROM replaced_secrets WHERE workspace_id = $1 AND hash = $2))";
    tx.row(sql, [ws.into(), hash.into()]).await?.map(|row| read(&row)).transpose()
}

/// How many tokens of a workload identity live.
pub async fn count_of_workload(tx: &mut Tx, ws: WorkspaceId, id: WorkloadIdentityId, now: Timestamp) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM access_tokens
        WHERE workspace_id = $1 AND workload_identity_id = $2 AND revoked_at IS NULL AND expires_at > $3";
    let row = tx.row(sql, [ws.into(), id.into(), now.into()]).await?;
    row.map_or(Ok(0), |row| row.int("n"))
}

/// Revokes the tokens of a workload identity that end before a time: the expired ones, so that the
/// snapshot forgets them, or (without a time) all; which ones.
pub async fn revoke_of_workload(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: WorkloadIdentityId,
    ended_before: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<AccessTokenId>> {
    let sql = "UPDATE access_tokens SET revoked_at = $4 WHERE workspace_id = $1 AND workload_identity_id = $2
        AND revoked_at IS NULL AND (CAST($3 AS BIGINT) IS NULL OR expires_at <= $3) RETURNING id";
    let rows = tx.rows(sql, [ws.into(), id.into(), ended_before.into(), now.into()]).await?;
    rows.iter().map(|row| row.parse("id")).collect()
}

/// Forgets the tokens of workloads that ended before a time, and that they changed.
pub async fn delete_ended_of_workloads(tx: &mut Tx, before: Timestamp) -> Result<()> {
    let sql = "DELETE FROM changes WHERE kind = 'access_token' AND id IN
        (SELECT id FROM access_tokens WHERE workload_identity_id IS NOT NULL AND expires_at < $1)";
    tx.execute(sql, [before.into()]).await?;
    let sql = "DELETE FROM access_tokens WHERE workload_identity_id IS NOT NULL AND expires_at < $1";
    tx.execute(sql, [before.into()]).await?;
    Ok(())
}

/// A page of the tokens that are not revoked, by age: a member's, or everybody's.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, member: Option<MemberId>, page: &Page) -> Result<Vec<AccessTokenRow>> {
    let sql = "SELECT * FROM access_tokens
        WHERE workspace_id = $1 AND revoked_at IS NULL AND (CAST($2 AS TEXT) IS NULL OR member_id = $2) AND id > $3
        ORDER BY id LIMIT $4";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), member.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<AccessTokenRow> {
    Ok(AccessTokenRow {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        name: row.text("name")?,
        created_at: row.time("created_at")?,
        expires_at: row.opt_time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        allowed_ips: row.json("allowed_ips")?,
        workload_identity_id: row.opt_parse("workload_identity_id")?,
        rotated_at: row.opt_time("rotated_at")?,
        previous_expires_at: row.opt_time("previous_expires_at")?,
        leaked_at: row.opt_time("leaked_at")?,
    })
}

/// Every secret of a token that is not revoked, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<(TokenHash, AccessToken)>> {
    let sql = "SELECT * FROM access_tokens WHERE workspace_id = $1 AND revoked_at IS NULL";
    let mut tokens: Vec<_> = tx.rows(sql, [ws.into()]).await?.iter().map(snapshot).collect::<Result<_>>()?;
    let sql = "SELECT t.*, r.hash AS former_hash, r.expires_at AS former_end FROM access_tokens t
        JOIN replaced_secrets r ON r.workspace_id = t.workspace_id AND r.credential_id = t.id
        WHERE t.workspace_id = $1 AND t.revoked_at IS NULL AND r.expires_at = t.previous_expires_at";
    for row in tx.rows(sql, [ws.into()]).await? {
        tokens.push(replaced_secrets::former(&row, snapshot(&row)?.1)?);
    }
    Ok(tokens)
}

/// Every secret that a token ever had, with the token where that secret may still work, for the
/// snapshot.
pub(crate) async fn load(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: AccessTokenId,
) -> Result<Vec<(TokenHash, Option<AccessToken>)>> {
    let sql = "SELECT * FROM access_tokens WHERE workspace_id = $1 AND id = $2";
    let Some(row) = tx.row(sql, [ws.into(), id.into()]).await? else { return Ok(Vec::new()) };
    replaced_secrets::all(tx, ws, &row, snapshot(&row)?).await
}

fn snapshot(row: &Row) -> Result<(TokenHash, AccessToken)> {
    let token = AccessToken {
        id: row.parse("id")?,
        member_id: row.parse("member_id")?,
        expires_at: row.opt_time("expires_at")?,
        allowed_ips: row.json("allowed_ips")?,
    };
    Ok((row.hash("hash")?, token))
}
