//! Workload identities: whose tokens may be exchanged for access, and which were.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_model::{MemberId, TokenHash, WorkloadIdentityId, WorkspaceId, name_key};

use super::Page;
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
            claims, member_id, max_minutes, enabled, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
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
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

fn claims(row: &WorkloadIdentityRow) -> String {
    serde_json::to_string(&row.claims).expect("texts turn into JSON")
}

/// Writes one anew.
pub async fn update(tx: &mut Tx, row: &WorkloadIdentityRow) -> Result<()> {
    let sql = "UPDATE workload_identities SET name = $3, name_key = $4, issuer = $5, audience = $6,
            subject_pattern = $7, claims = $8, member_id = $9, max_minutes = $10, enabled = $11, updated_at = $12
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
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        last_used_at: row.opt_time("last_used_at")?,
    })
}
