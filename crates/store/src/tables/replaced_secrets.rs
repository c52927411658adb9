//! Secrets of API keys, access tokens and device enrolments that a rotation replaced. Each works until its
//! end, and is remembered after it: a node must forget it, and when it leaks it is told whose it was.

use jiff::Timestamp;
use provost_model::{AccessToken, ApiKey, DeviceEnrolment, TokenHash, WorkspaceId};

use crate::Result;
use crate::db::{Row, Tx};

/// What a rotation asks of the table of a kind of credential, whose rows have `hash`,
/// `previous_expires_at` and `revoked_at`.
pub(crate) struct Holder {
    /// The hash of `$2` of the workspace `$1`.
    pub(crate) hash: &'static str,
    /// Sets it to `$3`.
    pub(crate) set_hash: &'static str,
}

/// What the snapshot knows a secret to stand for.
pub(crate) trait Ends: Clone {
    /// The same, with an end that is not later than this.
    fn until(self, end: Timestamp) -> Self;
}

impl Ends for AccessToken {
    fn until(self, end: Timestamp) -> Self {
        Self { expires_at: earlier(self.expires_at, end), ..self }
    }
}

impl Ends for ApiKey {
    fn until(self, end: Timestamp) -> Self {
        Self { expires_at: earlier(self.expires_at, end), ..self }
    }
}

impl Ends for DeviceEnrolment {
    fn until(self, end: Timestamp) -> Self {
        Self { expires_at: earlier(self.expires_at, end), ..self }
    }
}

/// Gives a credential another secret; the one before works until `previous_until`.
pub(crate) async fn replace(
    tx: &mut Tx,
    ws: WorkspaceId,
    (holder, id): (Holder, String),
    hash: &TokenHash,
    previous_until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let Some(row) = tx.row(holder.hash, [ws.into(), id.as_str().into()]).await? else { return Ok(()) };
    insert(tx, ws, &id, &row.hash("hash")?, previous_until, now).await?;
    tx.execute(holder.set_hash, [ws.into(), id.into(), hash.into()]).await?;
    Ok(())
}

/// Every secret that a credential ever had, with the credential where that secret may still work. `row` is
/// its own, and `current` what the snapshot makes of it.
pub(crate) async fn all<T: Ends>(
    tx: &mut Tx,
    ws: WorkspaceId,
    row: &Row,
    current: (TokenHash, T),
) -> Result<Vec<(TokenHash, Option<T>)>> {
    let previous_until = row.opt_time("previous_expires_at")?;
    let credential = row.opt_time("revoked_at")?.is_none().then_some(current.1);
    let mut secrets = vec![(current.0, credential.clone())];
    for (hash, end) in of(tx, ws, &row.text("id")?).await? {
        let previous = credential.clone().filter(|_| previous_until == Some(end));
        secrets.push((hash, previous.map(|previous| previous.until(end))));
    }
    Ok(secrets)
}

/// The secret before, of a row that was joined with it as `former_hash` and `former_end`.
pub(crate) fn former<T: Ends>(row: &Row, credential: T) -> Result<(TokenHash, T)> {
    Ok((row.hash("former_hash")?, credential.until(row.time("former_end")?)))
}

/// Notes that a secret was replaced and works until a time. Of the secrets before it none works any
/// longer: there is at most one previous.
async fn insert(
    tx: &mut Tx,
    ws: WorkspaceId,
    credential: &str,
    hash: &TokenHash,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let sql = "UPDATE replaced_secrets SET expires_at = $3
        WHERE workspace_id = $1 AND credential_id = $2 AND expires_at >= $3";
    // A microsecond before now, so that an overlap of nothing is told from it.
    let ended = now - jiff::SignedDuration::from_micros(1);
    tx.execute(sql, [ws.into(), credential.into(), ended.into()]).await?;
    let sql = "INSERT INTO replaced_secrets (hash, workspace_id, credential_id, expires_at) VALUES ($1, $2, $3, $4)";
    tx.execute(sql, [hash.into(), ws.into(), credential.into(), until.into()]).await?;
    Ok(())
}

/// The secrets that a credential had, each with its end.
async fn of(tx: &mut Tx, ws: WorkspaceId, credential: &str) -> Result<Vec<(TokenHash, Timestamp)>> {
    let sql = "SELECT hash, expires_at FROM replaced_secrets WHERE workspace_id = $1 AND credential_id = $2";
    let rows = tx.rows(sql, [ws.into(), credential.into()]).await?;
    rows.iter().map(|row| Ok((row.hash("hash")?, row.time("expires_at")?))).collect()
}

/// The earlier of the end of a credential and the end of one of its secrets.
fn earlier(end: Option<Timestamp>, secret: Timestamp) -> Option<Timestamp> {
    Some(end.map_or(secret, |end| end.min(secret)))
}
