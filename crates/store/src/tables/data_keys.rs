//! Data keys, wrapped by the master key. Of the deployment, and of no workspace.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::db::{Row, Tx};
use crate::{Error, Result};

/// What a data key is called: in sealed values its eight bytes, everywhere else `dk_` and their hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DataKeyId(pub(crate) [u8; 8]);

impl fmt::Display for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dk_{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for DataKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<DataKeyId> for String {
    fn from(id: DataKeyId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for DataKeyId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for DataKeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        let hex = text.strip_prefix("dk_").filter(|hex| hex.len() == 16 && hex.chars().all(is_hex));
        let number = hex.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        number
            .map(|number| Self(number.to_be_bytes()))
            .ok_or_else(|| "a data key is called dk_ and 16 digits".to_owned())
    }
}

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Seals values that name it.
    Seal,
    /// Opens values of before there were data keys, which name none: the master key of that time.
    First,
    /// Makes marks. There is one, and it stays.
    Mark,
}

impl Purpose {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::First => "first",
            Self::Mark => "mark",
        }
    }
}

impl FromStr for Purpose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Seal, Self::First, Self::Mark];
        all.into_iter().find(|purpose| purpose.as_str() == text).ok_or_else(|| format!("purpose `{text}`"))
    }
}

/// A data key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataKeyRow {
    /// Its id.
    pub id: DataKeyId,
    /// What it is for.
    pub purpose: Purpose,
    /// Its place among all: the last one for sealing seals.
    pub generation: i64,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
    /// Which master key wraps it: [`crate::MasterKey::name`].
    pub master_key: String,
    /// The change of the table that it is of.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was retired; no node uses it since.
    pub retired_at: Option<Timestamp>,
}

/// All of them, by age.
pub async fn list(tx: &mut Tx) -> Result<Vec<DataKeyRow>> {
    tx.rows("SELECT * FROM data_keys ORDER BY generation", []).await?.iter().map(read).collect()
}

/// The last change of the table; none while it is empty.
pub(crate) async fn version(tx: &mut Tx) -> Result<Option<i64>> {
    let row = tx.row("SELECT MAX(version) AS version FROM data_keys", []).await?;
    row.map_or(Ok(None), |row| row.opt_int("version"))
}

/// Changes of the table stand in line.
pub(crate) async fn lock(tx: &mut Tx) -> Result<()> {
    // A row that is always there serves as the lock.
    tx.execute("UPDATE migrations SET done_at = done_at WHERE name = '0020_data_keys'", []).await?;
    Ok(())
}

pub(crate) async fn insert(tx: &mut Tx, row: &DataKeyRow) -> Result<()> {
    let sql = "INSERT INTO data_keys (id, purpose, generation, wrapped, master_key, version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let args = [
        row.id.to_string().into(),
        row.purpose.as_str().into(),
        row.generation.into(),
        row.wrapped.as_slice().into(),
        row.master_key.as_str().into(),
        row.version.into(),
        row.created_at.into(),
    ];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Wraps one anew.
pub(crate) async fn set_wrapped(tx: &mut Tx, row: &DataKeyRow) -> Result<()> {
    let sql = "UPDATE data_keys SET wrapped = $2, master_key = $3, version = $4 WHERE id = $1 AND retired_at IS NULL";
    let args =
        [row.id.to_string().into(), row.wrapped.as_slice().into(), row.master_key.as_str().into(), row.version.into()];
    tx.execute(sql, args).await?;
    Ok(())
}

/// Retires one, or takes that back.
pub(crate) async fn set_retired(tx: &mut Tx, id: DataKeyId, retired_at: Option<Timestamp>, version: i64) -> Result<()> {
    let sql = "UPDATE data_keys SET retired_at = $2, version = $3 WHERE id = $1";
    tx.execute(sql, [id.to_string().into(), retired_at.into(), version.into()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<DataKeyRow> {
    Ok(DataKeyRow {
        id: row.parse("id")?,
        purpose: row.parse("purpose")?,
        generation: row.int("generation")?,
        wrapped: row.bytes("wrapped")?,
        master_key: row.text("master_key")?,
        version: row.int("version")?,
        created_at: row.time("created_at")?,
        retired_at: row.opt_time("retired_at")?,
    })
}

impl DataKeyId {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(crate::seal::random())
    }

    /// That of a value's first bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::Unsealable)
    }
}
