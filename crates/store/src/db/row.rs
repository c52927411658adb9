use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::{Error, Result};

/// A row that a statement answered, read by column name.
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self, column: &str) -> Result<$type> {
            // SQLite is read unchecked: its columns declare PostgreSQL's names, and it converts.
            Ok(match self {
                Self::Sqlite(row) => sqlx::Row::try_get_unchecked(row, column)?,
                Self::Postgres(row) => sqlx::Row::try_get(row, column)?,
            })
        }
    )*};
}

impl Row {
    getters! {
        /// Text.
        text -> String;
        /// Text, or NULL.
        opt_text -> Option<String>;
        /// A number.
        int -> i64;
        /// A number, or NULL.
        opt_int -> Option<i64>;
        /// Yes or no.
        bool -> bool;
        /// Bytes.
        bytes -> Vec<u8>;
        /// Bytes, or NULL.
        opt_bytes -> Option<Vec<u8>>;
    }

    /// A time.
    pub fn time(&self, column: &str) -> Result<Timestamp> {
        to_time(self.int(column)?)
    }

    /// A time, or NULL.
    pub fn opt_time(&self, column: &str) -> Result<Option<Timestamp>> {
        self.opt_int(column)?.map(to_time).transpose()
    }

    /// An id, or another text that has a type.
    pub fn parse<T: FromStr<Err: ToString>>(&self, column: &str) -> Result<T> {
        self.text(column)?.parse().map_err(|error: T::Err| Error::Corrupt("text", error.to_string()))
    }

    /// An id, or another text that has a type, or NULL.
    pub fn opt_parse<T: FromStr<Err: ToString>>(&self, column: &str) -> Result<Option<T>> {
        let parsed = self.opt_text(column)?.map(|text| text.parse()).transpose();
        parsed.map_err(|error: T::Err| Error::Corrupt("text", error.to_string()))
    }

    /// JSON.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| Error::Corrupt("JSON", error.to_string()))
    }

    /// A SHA-256 hash.
    pub fn hash(&self, column: &str) -> Result<[u8; 32]> {
        let bytes = self.bytes(column)?;
        bytes.try_into().map_err(|_| Error::Corrupt("hash", "not 32 bytes".to_owned()))
    }
}

fn to_time(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| Error::Corrupt("time", error.to_string()))
}
