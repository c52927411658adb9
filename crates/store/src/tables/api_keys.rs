//! API keys of the workspace.

use jiff::{SignedDuration, Timestamp};
use provost_model::{AllowedIps, ApiKey, ApiKeyId, ApiKeyStatus, MemberId, Scope, TokenHash, WorkspaceId};

use super::replaced_secrets::Holder;
use super::{Page, replaced_secrets};
use crate::db::{Arg, Row, Tx};
use crate::{Error, Result};

/// An API key as admins see it: without its secret.
#[derive(Debug, Clone)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// The last four characters of its secret.
    pub last4: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Whether it works yet.
    pub status: ApiKeyStatus,
    /// Who made it: the id of a member or API key; none for the command line.
    pub created_by: Option<String>,
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
    /// What for, as whoever asked for it says; may be empty.
    pub reason: String,
    /// The members who have seen its secret, or that of a key that it was asked for with: none of
    /// them is the second person.
    pub known_by: Vec<String>,
    /// The member who approved it, where that was needed.
    pub approved_by: Option<String>,
    /// When it last got a new secret.
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before works.
    pub previous_expires_at: Option<Timestamp>,
    /// When its secret was first reported as leaked.
    pub leaked_at: Option<Timestamp>,
}

/// How long a key waits for a second person.
pub const REQUEST_LIFETIME: SignedDuration = SignedDuration::from_hours(7 * 24);

impl ApiKeyRow {
    /// A key that works at once, has no end, and may nothing yet.
    pub fn new(id: ApiKeyId, name: &str, now: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            last4: String::new(),
            scopes: Vec::new(),
            status: ApiKeyStatus::Active,
            created_by: None,
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            allowed_ips: AllowedIps::default(),
            reason: String::new(),
            known_by: Vec::new(),
            approved_by: None,
            rotated_at: None,
            previous_expires_at: None,
            leaked_at: None,
        }
    }

    /// Until when it waits for a second person; none if it does not.
    pub fn request_expires_at(&self) -> Option<Timestamp> {
        (self.status == ApiKeyStatus::PendingApproval).then(|| self.created_at + REQUEST_LIFETIME)
    }
}

/// Adds a key.
pub async fn insert(tx: &mut Tx, ws: WorkspaceId, key: &ApiKeyRow, hash: &TokenHash) -> Result<()> {
    let sql = "INSERT INTO api_keys
            (id, workspace_id, name, hash, last4, scopes, status, created_by, created_at, expires_at, allowed_ips, reason,
                known_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let args = [
        key.id.into(),
        ws.into(),
        key.name.as_str().into(),
        hash.into(),
        key.last4.as_str().into(),
        json(&key.scopes),
        key.status.as_str().into(),
        key.created_by.clone().into(),
        key.created_at.into(),
        key.expires_at.into(),
        json(&key.allowed_ips),
        key.reason.as_str().into(),
        json(&key.known_by),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Arg {
    serde_json::to_string(value).expect("lists of texts turn into JSON").into()
}

/// Writes what may change of a key.
pub async fn update(tx: &mut Tx, ws: WorkspaceId, key: &ApiKeyRow) -> Result<()> {
    let sql =
        "UPDATE api_keys SET name = $3, last4 = $4, status = $5, expires_at = $6, allowed_ips = $7, known_by = $8,
            approved_by = $9, rotated_at = $10, previous_expires_at = $11, leaked_at = $12
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        ws.into(),
        key.id.into(),
        key.name.as_str().into(),
        key.last4.as_str().into(),
        key.status.as_str().into(),
        key.expires_at.into(),
        json(&key.allowed_ips),
        json(&key.known_by),
        key.approved_by.clone().into(),
        key.rotated_at.into(),
        key.previous_expires_at.into(),
        key.leaked_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Gives a key a new secret; the one before works until then.
pub async fn replace_secret(
    tx: &mut Tx,
    ws: WorkspaceId,
    id: ApiKeyId,
    hash: &TokenHash,
    previous_until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let holder = Holder {
        hash: "SELECT hash FROM api_keys WHERE workspace_id = $1 AND id = $2",
        set_hash: "UPDATE api_keys SET hash = $3 WHERE workspace_id = $1 AND id = $2",
    };
    replaced_secrets::replace(tx, ws, (holder, id.to_string()), hash, previous_until, now).await
}

/// Revokes a key.
pub async fn revoke(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL";
    tx.execute(sql, [ws.into(), id.into(), now.into()]).await?;
    Ok(())
}

/// The keys that are not revoked and that are, up to a time, a member's work: those that they made or
/// whose secret they have seen, and whatever was made with one of those, however long the chain and
/// whenever: whoever holds the first holds the rest.
pub async fn made_by(tx: &mut Tx, ws: WorkspaceId, member: MemberId, until: Timestamp) -> Result<Vec<ApiKeyRow>> {
    let sql = "WITH RECURSIVE theirs (id) AS (
            SELECT id FROM api_keys
            WHERE workspace_id = $1 AND created_at <= $4 AND (created_by = $2 OR known_by LIKE $3)
            UNION
            SELECT k.id FROM api_keys k JOIN theirs ON k.created_by = theirs.id WHERE k.workspace_id = $1)
        SELECT * FROM api_keys WHERE workspace_id = $1 AND revoked_at IS NULL AND id IN (SELECT id FROM theirs)
        ORDER BY id";
    let args = [ws.into(), member.into(), named(member).into(), until.into()];
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// How a list of members, as JSON, has this one. An id has no `%`, and its one `_` stands for itself: what
/// follows it is as long as in any other id.
pub(super) fn named(member: MemberId) -> String {
    format!("%\"{member}\"%")
}

/// Notes that a key was used.
pub async fn set_last_used(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE api_keys SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// One key.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The key whose secret, or former secret, has this hash; also one that is revoked.
pub async fn get_by_secret(tx: &mut Tx, ws: WorkspaceId, hash: &TokenHash) -> Result<Option<ApiKeyRow>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND (hash = $2 OR id IN
        (SELECT credential_id FROM replaced_secrets WHERE workspace_id = $1 AND hash = $2))";
    tx.row(sql, [ws.into(), hash.into()]).await?.map(|row| read(&row)).transpose()
}

/// Which keys a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those that this member or key made.
    pub created_by: Option<String>,
    /// Only those of this status.
    pub status: Option<ApiKeyStatus>,
}

/// A page of the keys that are not revoked, nor waited too long for a second person, by age.
pub async fn list(
    tx: &mut Tx,
    ws: WorkspaceId,
    filter: &Filter,
    page: &Page,
    now: Timestamp,
) -> Result<Vec<ApiKeyRow>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND revoked_at IS NULL AND id > $2
            AND (CAST($3 AS TEXT) IS NULL OR created_by = $3) AND (CAST($4 AS TEXT) IS NULL OR status = $4)
            AND (status = 'active' OR created_at > $5)
        ORDER BY id LIMIT $6";
    let after = page.after.clone().unwrap_or_default();
    let args = [
        ws.into(),
        after.into(),
        filter.created_by.clone().into(),
        filter.status.map(ApiKeyStatus::as_str).into(),
        (now - REQUEST_LIFETIME).into(),
        page.limit.into(),
    ];
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// Forgets keys that nobody approved in time.
pub async fn delete_unanswered(tx: &mut Tx, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM api_keys WHERE status = 'pending_approval' AND created_at < $1";
    tx.execute(sql, [(now - REQUEST_LIFETIME * 2).into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<ApiKeyRow> {
    let status = match row.text("status")?.as_str() {
        "active" => ApiKeyStatus::Active,
        "pending_approval" => ApiKeyStatus::PendingApproval,
        other => return Err(Error::Corrupt("API key", format!("status `{other}`"))),
    };
    Ok(ApiKeyRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        last4: row.text("last4")?,
        scopes: row.json("scopes")?,
        status,
        created_by: row.opt_text("created_by")?,
        created_at: row.time("created_at")?,
        expires_at: row.opt_time("expires_at")?,
        revoked_at: row.opt_time("revoked_at")?,
        last_used_at: row.opt_time("last_used_at")?,
        allowed_ips: row.json("allowed_ips")?,
        reason: row.text("reason")?,
        known_by: row.json("known_by")?,
        approved_by: row.opt_text("approved_by")?,
        rotated_at: row.opt_time("rotated_at")?,
        previous_expires_at: row.opt_time("previous_expires_at")?,
        leaked_at: row.opt_time("leaked_at")?,
    })
}

/// Every secret of a key that is not revoked, for the snapshot.
pub(crate) async fn load_all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<(TokenHash, ApiKey)>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND revoked_at IS NULL";
    let mut keys: Vec<_> = tx.rows(sql, [ws.into()]).await?.iter().map(snapshot).collect::<Result<_>>()?;
    let sql = "SELECT k.*, r.hash AS former_hash, r.expires_at AS former_end FROM api_keys k
        JOIN replaced_secrets r ON r.workspace_id = k.workspace_id AND r.credential_id = k.id
        WHERE k.workspace_id = $1 AND k.revoked_at IS NULL AND r.expires_at = k.previous_expires_at";
    for row in tx.rows(sql, [ws.into()]).await? {
        keys.push(replaced_secrets::former(&row, snapshot(&row)?.1)?);
    }
    Ok(keys)
}

/// Every secret that a key ever had, with the key where that secret may still work, for the snapshot.
pub(crate) async fn load(tx: &mut Tx, ws: WorkspaceId, id: ApiKeyId) -> Result<Vec<(TokenHash, Option<ApiKey>)>> {
    let sql = "SELECT * FROM api_keys WHERE workspace_id = $1 AND id = $2";
    let Some(row) = tx.row(sql, [ws.into(), id.into()]).await? else { return Ok(Vec::new()) };
    replaced_secrets::all(tx, ws, &row, snapshot(&row)?).await
}

fn snapshot(row: &Row) -> Result<(TokenHash, ApiKey)> {
    let key = read(row)?;
    let snapshot = ApiKey {
        id: key.id,
        name: key.name.into(),
        scopes: key.scopes.into(),
        status: key.status,
        expires_at: key.expires_at,
        allowed_ips: key.allowed_ips,
    };
    Ok((row.hash("hash")?, snapshot))
}
