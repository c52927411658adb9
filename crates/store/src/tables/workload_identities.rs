//! Workload identities: whose tokens may be exchanged for access, and which were.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_model::{MemberId, TokenHash, WorkloadIdentityId, WorkspaceId, name_key};

use super::{Page, api_keys};
use crate::Result;
use crate::db::{Row, Tx};

/// A workload identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadIdentityRow {
    /// Its id.
    pub id: WorkloadIdentityId,
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// Who signs the tokens: `iss`, and where its keys are found.
    pub issuer: String,
    /// For whom the tokens are: one of `aud`.
    pub audience: String,
    /// What `sub` must fit.
    pub subject_pattern: String,
    /// What other claims must fit, by name.
    pub claims: BTreeMap<String, String>,
    /// As whom it acts.
    pub member_id: MemberId,
    /// How long the tokens live that it is given, in minutes.
    pub max_minutes: u32,
    /// Whether it works.
    pub enabled: bool,
    /// Who made it: the id of a member or API key; none where that is not known.
    pub created_by: Option<String>,
    /// Whose work it is: the ids of whoever chose whose tokens it takes or as whom it acts, and where
    /// that was an API key also of the members who know the key.
    pub makers: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When a token was last exchanged.
    pub last_used_at: Option<Timestamp>,
}

/// Adds one.
pub async fn insert(tx: &mut Tx, row: &WorkloadIdentityRow) -> Result<()> {
    let sql = "INSERT INTO workload_identities (id, workspace_id, name, name_key, issuer, audience, subject_pattern,
            claims, member_id, max_minutes, enabled, created_at, updated_at, created_by, makers)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13, $14)";
    let args = [
        row.id.into(),
        row.workspace_id.into(),
        row.name.as_str().into(),
        name_key(&row.name).into(),
        row.issuer.as_str().into(),
        row.audience.as_str().into(),
        row.subject_pattern.as_str().into(),
        claims(row).into(),
        row.member_id.into(),
        row.max_minutes.into(),
        row.enabled.into(),
        row.created_at.into(),
        row.created_by.clone().into(),
        makers(row).into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

fn claims(row: &WorkloadIdentityRow) -> String {
    serde_json::to_string(&row.claims).expect("texts turn into JSON")
}

fn makers(row: &WorkloadIdentityRow) -> String {
    serde_json::to_string(&row.makers).expect("texts turn into JSON")
}

/// Writes one anew.
pub async fn update(tx: &mut Tx, row: &WorkloadIdentityRow) -> Result<()> {
    let sql = "UPDATE workload_identities SET name = $3, name_key = $4, issuer = $5, audience = $6,
            subject_pattern = $7, claims = $8, member_id = $9, max_minutes = $10, enabled = $11, updated_at = $12,
            makers = $13
        WHERE workspace_id = $1 AND id = $2";
    let args = [
        row.workspace_id.into(),
        row.id.into(),
        row.name.as_str().into(),
        name_key(&row.name).into(),
        row.issuer.as_str().into(),
        row.audience.as_str().into(),
        row.subject_pattern.as_str().into(),
        claims(row).into(),
        row.member_id.into(),
        row.max_minutes.into(),
        row.enabled.into(),
        row.updated_at.into(),
        makers(row).into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Notes that a token was exchanged.
pub async fn set_last_used(tx: &mut Tx, ws: WorkspaceId, id: WorkloadIdentityId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE workload_identities SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2";
    tx.execute(sql, [ws.into(), id.into(), at.into()]).await?;
    Ok(())
}

/// Removes one.
pub async fn delete(tx: &mut Tx, ws: WorkspaceId, id: WorkloadIdentityId) -> Result<()> {
    tx.execute("DELETE FROM workload_identities WHERE workspace_id = $1 AND id = $2", [ws.into(), id.into()]).await?;
    Ok(())
}

/// One.
pub async fn get(tx: &mut Tx, ws: WorkspaceId, id: WorkloadIdentityId) -> Result<Option<WorkloadIdentityRow>> {
    let sql = "SELECT * FROM workload_identities WHERE workspace_id = $1 AND id = $2";
    tx.row(sql, [ws.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// A page of them, by age.
pub async fn list(tx: &mut Tx, ws: WorkspaceId, page: &Page) -> Result<Vec<WorkloadIdentityRow>> {
    let sql = "SELECT * FROM workload_identities WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let after = page.after.clone().unwrap_or_default();
    tx.rows(sql, [ws.into(), after.into(), page.limit.into()]).await?.iter().map(read).collect()
}

/// How many there are.
pub async fn count(tx: &mut Tx, ws: WorkspaceId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM workload_identities WHERE workspace_id = $1";
    tx.row(sql, [ws.into()]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Those that work and take tokens of an issuer, of every workspace: the exchange is told its
/// workspace by what fits.
pub async fn of_issuer(tx: &mut Tx, issuer: &str) -> Result<Vec<WorkloadIdentityRow>> {
    let sql = "SELECT * FROM workload_identities WHERE issuer = $1 AND enabled ORDER BY id";
    tx.rows(sql, [issuer.into()]).await?.iter().map(read).collect()
}

/// Those that work and are, up to a time, a member's work, also through an API key that is
/// ([`api_keys::made_by`]): then whenever.
pub async fn made_by(
    tx: &mut Tx,
    ws: WorkspaceId,
    member: MemberId,
    until: Timestamp,
) -> Result<Vec<WorkloadIdentityRow>> {
    let sql = "WITH RECURSIVE theirs (id) AS (
            SELECT id FROM api_keys
            WHERE workspace_id = $1 AND created_at <= $4 AND (created_by = $2 OR known_by LIKE $3)
            UNION
            SELECT k.id FROM api_keys k JOIN theirs ON k.created_by = theirs.id WHERE k.workspace_id = $1)
        SELECT * FROM workload_identities w WHERE w.workspace_id = $1 AND w.enabled AND (
            (w.created_at <= $4 AND w.makers LIKE $3)
            OR EXISTS (SELECT 1 FROM theirs WHERE w.makers LIKE '%\"' || theirs.id || '\"%'))
        ORDER BY id";
    let args = [ws.into(), member.into(), api_keys::named(member).into(), until.into()];
    tx.rows(sql, args).await?.iter().map(read).collect()
}

/// Those that work and act as a member.
pub async fn acting_as(tx: &mut Tx, ws: WorkspaceId, member: MemberId) -> Result<Vec<WorkloadIdentityRow>> {
    let sql = "SELECT * FROM workload_identities WHERE workspace_id = $1 AND member_id = $2 AND enabled ORDER BY id";
    tx.rows(sql, [ws.into(), member.into()]).await?.iter().map(read).collect()
}

/// Notes that a token (by the hash of its `jti`) was exchanged; whether it is the first time.
pub async fn use_token(
    tx: &mut Tx,
    id: WorkloadIdentityId,
    jti_hash: &TokenHash,
    expires_at: Timestamp,
) -> Result<bool> {
    let sql = "INSERT INTO workload_tokens_seen (workload_identity_id, jti_hash, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING expires_at";
    Ok(tx.row(sql, [id.into(), jti_hash.into(), expires_at.into()]).await?.is_some())
}

/// Forgets tokens that are too old to be exchanged anyway.
pub async fn forget_tokens(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM workload_tokens_seen WHERE expires_at < $1", [before.into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<WorkloadIdentityRow> {
    Ok(WorkloadIdentityRow {
        id: row.parse("id")?,
        workspace_id: row.parse("workspace_id")?,
        name: row.text("name")?,
        issuer: row.text("issuer")?,
        audience: row.text("audience")?,
        subject_pattern: row.text("subject_pattern")?,
        claims: row.json("claims")?,
        member_id: row.parse("member_id")?,
        max_minutes: u32::try_from(row.int("max_minutes")?).unwrap_or(5),
        enabled: row.bool("enabled")?,
        created_by: row.opt_text("created_by")?,
        makers: row.json("makers")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        last_used_at: row.opt_time("last_used_at")?,
    })
}
