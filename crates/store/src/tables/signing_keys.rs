//! The keys that sign tokens: private halves sealed, public halves published.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::db::Tx;

/// A signing key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SigningKeyRow {
    /// Its id, as tokens name it.
    pub kid: String,
    /// The private key (PKCS#8), sealed to [`seal_place`].
    pub sealed: Vec<u8>,
    /// The public key as a JWK.
    pub public_jwk: String,
    /// When it was made; the newest signs.
    pub created_at: Timestamp,
    /// When the last token that it signed is dead.
    pub retires_at: Timestamp,
}

/// What a private key is sealed to.
pub fn seal_place(kid: &str) -> String {
    format!("signing_key:{kid}")
}

/// Adds a key.
pub async fn insert(tx: &mut Tx, key: &SigningKeyRow) -> Result<()> {
    let sql = "INSERT INTO signing_keys (kid, sealed, public_jwk, created_at, retires_at) VALUES ($1, $2, $3, $4, $5)";
    let args = [
        key.kid.as_str().into(),
        key.sealed.as_slice().into(),
        key.public_jwk.as_str().into(),
        key.created_at.into(),
        key.retires_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// The keys that still count, newest first.
pub async fn list(tx: &mut Tx, now: Timestamp) -> Result<Vec<SigningKeyRow>> {
    let sql = "SELECT * FROM signing_keys WHERE retires_at > $1 ORDER BY created_at DESC, kid";
    let rows = tx.rows(sql, [now.into()]).await?;
    let key = |row: &crate::Row| {
        Ok(SigningKeyRow {
            kid: row.text("kid")?,
            sealed: row.bytes("sealed")?,
            public_jwk: row.text("public_jwk")?,
            created_at: row.time("created_at")?,
            retires_at: row.time("retires_at")?,
        })
    };
    rows.iter().map(key).collect()
}

/// Forgets keys that no living token needs.
pub async fn delete_retired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM signing_keys WHERE retires_at <= $1", [now.into()]).await
}
