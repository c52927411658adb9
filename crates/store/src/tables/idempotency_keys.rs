//! Answers kept under an `Idempotency-Key`, so that a repeated POST gets the first one's answer.

use jiff::Timestamp;
use provost_model::WorkspaceId;

use crate::Result;
use crate::db::Tx;

/// Whose request, under which key.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Where.
    pub workspace_id: WorkspaceId,
    /// The id of the member or API key.
    pub caller: String,
    /// What the caller sent.
    pub key: String,
}

/// What is kept under a key.
#[derive(Debug, Clone)]
pub struct Kept {
    /// SHA-256 of the request: a key is for one request only.
    pub fingerprint: Vec<u8>,
    /// The answer's status and its body, sealed; none while the first request is still at work.
    pub answer: Option<(i64, Vec<u8>)>,
}

/// What a kept answer is sealed to.
pub fn seal_place(slot: &Slot) -> String {
    format!("idempotency_key:{}:{}:{}", slot.workspace_id, slot.caller, slot.key)
}

/// Takes the slot; what is kept there if it was taken before.
pub async fn claim(tx: &mut Tx, slot: &Slot, fingerprint: &[u8], now: Timestamp) -> Result<Option<Kept>> {
    let sql = "INSERT INTO idempotency_keys (workspace_id, caller, key, fingerprint, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, caller, key) DO NOTHING";
    let [ws, caller, key] = [slot.workspace_id.into(), slot.caller.as_str().into(), slot.key.as_str().into()];
    if tx.execute(sql, [ws, caller, key, fingerprint.into(), now.into()]).await? > 0 {
        return Ok(None);
    }
    let sql = "SELECT fingerprint, status, answer_sealed FROM idempotency_keys
        WHERE workspace_id = $1 AND caller = $2 AND key = $3";
    let args = [slot.workspace_id.into(), slot.caller.as_str().into(), slot.key.as_str().into()];
    let Some(row) = tx.row(sql, args).await? else { return Ok(None) };
    let answer = row.opt_int("status")?.zip(row.opt_bytes("answer_sealed")?);
    Ok(Some(Kept { fingerprint: row.bytes("fingerprint")?, answer }))
}

/// Keeps the answer.
pub async fn keep(tx: &mut Tx, slot: &Slot, status: i64, answer_sealed: Vec<u8>) -> Result<()> {
    let sql = "UPDATE idempotency_keys SET status = $4, answer_sealed = $5
        WHERE workspace_id = $1 AND caller = $2 AND key = $3";
    let args = [
        slot.workspace_id.into(),
        slot.caller.as_str().into(),
        slot.key.as_str().into(),
        status.into(),
        Some(answer_sealed).into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Gives the slot back: the request failed, and may be tried again.
pub async fn release(tx: &mut Tx, slot: &Slot) -> Result<()> {
    let sql = "DELETE FROM idempotency_keys WHERE workspace_id = $1 AND caller = $2 AND key = $3";
    tx.execute(sql, [slot.workspace_id.into(), slot.caller.as_str().into(), slot.key.as_str().into()]).await?;
    Ok(())
}

/// Forgets what is older.
pub async fn delete_older(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM idempotency_keys WHERE created_at < $1", [before.into()]).await
}
