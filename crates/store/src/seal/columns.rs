//! Every column that holds sealed values: what to seal anew when keys change, in one table. A test reads
//! the schema and fails when one is missing here.

use std::collections::HashMap;

use provost_model::WorkspaceId;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::Sealer;
use super::ring::{FIRST, NAMED, PREFIX_BYTES};
use crate::db::{Arg, Row, Tx};
use crate::tables::idempotency_keys::Slot;
use crate::tables::{
    agent_commands, connections, idempotency_keys, log_files, pending_sign_ins, second_factors, signing_keys, upstreams,
};
use crate::{Error, Result};

/// A column of sealed values.
pub(crate) struct SealedColumn {
    /// Its table.
    pub(crate) table: &'static str,
    /// Its name.
    pub(crate) column: &'static str,
    /// The primary key of its table.
    key: &'static [Key],
    /// What a row's value is sealed to; of several, one is right.
    places: fn(&Row) -> Result<Vec<String>>,
    /// Whether changes write the sealed value back as they read it, so that sealing it anew must stand in
    /// line with them.
    pub(crate) is_written_back: bool,
}

/// A column of a primary key.
enum Key {
    Text(&'static str),
    Bytes(&'static str),
}

impl Key {
    fn name(&self) -> &'static str {
        match self {
            Self::Text(name) | Self::Bytes(name) => name,
        }
    }

    fn read(&self, row: &Row) -> Result<Arg> {
        Ok(match self {
            Self::Text(name) => row.text(name)?.into(),
            Self::Bytes(name) => row.bytes(name)?.as_slice().into(),
        })
    }
}

/// All of them.
pub(crate) const SEALED: &[SealedColumn] = &[
    SealedColumn {
        table: "upstreams",
        column: "api_key_sealed",
        key: &[Key::Text("id")],
        places: |row| Ok(vec![upstreams::seal_place(row.parse("id")?)]),
        is_written_back: true,
    },
    SealedColumn {
        table: "connections",
        column: "secret_sealed",
        key: &[Key::Text("id")],
        places: |row| Ok(vec![connections::seal_place(row.parse("id")?)]),
        is_written_back: true,
    },
    SealedColumn {
        table: "signing_keys",
        column: "sealed",
        key: &[Key::Text("kid")],
        places: |row| Ok(vec![signing_keys::seal_place(&row.text("kid")?)]),
        is_written_back: false,
    },
    SealedColumn {
        table: "second_factors",
        column: "sealed",
        key: &[Key::Text("id")],
        places: |row| Ok(vec![second_factors::seal_place(row.parse("id")?)]),
        is_written_back: false,
    },
    SealedColumn {
        table: "passkey_challenges",
        column: "sealed",
        key: &[Key::Bytes("hash")],
        places: |row| Ok(pending_sign_ins::seal_places(row.parse("member_id")?).into()),
        is_written_back: false,
    },
    SealedColumn {
        table: "idempotency_keys",
        column: "answer_sealed",
        key: &[Key::Text("workspace_id"), Key::Text("caller"), Key::Text("key")],
        places: |row| {
            let (workspace_id, caller, key) = (row.parse("workspace_id")?, row.text("caller")?, row.text("key")?);
            Ok(vec![idempotency_keys::seal_place(&Slot { workspace_id, caller, key })])
        },
        is_written_back: false,
    },
    SealedColumn {
        table: "agent_commands",
        column: "argv_sealed",
        key: &[Key::Text("workspace_id"), Key::Text("thread_id"), Key::Text("call_id")],
        places: |row| {
            let ws: WorkspaceId = row.parse("workspace_id")?;
            Ok(vec![agent_commands::seal_place(ws, &row.text("thread_id")?, &row.text("call_id")?)])
        },
        is_written_back: false,
    },
    SealedColumn {
        table: "log_files",
        column: "contents_sealed",
        key: &[Key::Text("workspace_id"), Key::Text("id")],
        places: |row| Ok(vec![log_files::seal_place(row.parse("workspace_id")?, row.parse("id")?)]),
        is_written_back: false,
    },
];

/// A sealed value in its row.
pub(crate) struct Sealed {
    column: &'static SealedColumn,
    pub(crate) key: Vec<Arg>,
    places: Vec<String>,
    sealed: Vec<u8>,
}

impl Sealed {
    fn read(column: &'static SealedColumn, row: &Row) -> Result<Self> {
        Ok(Self {
            column,
            key: column.key.iter().map(|key| key.read(row)).collect::<Result<_>>()?,
            places: (column.places)(row)?,
            sealed: row.bytes(column.column)?,
        })
    }

    /// The place that it was sealed to, and what it is.
    pub(crate) fn open(&self, sealer: &Sealer) -> Result<(&str, Vec<u8>)> {
        let mut failed = Error::Unsealable;
        for place in &self.places {
            match sealer.open(place, &self.sealed) {
                Ok(plain) => return Ok((place, plain)),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Replaces the value, unless it was replaced meanwhile.
    pub(crate) async fn replace(self, tx: &mut Tx, with: Vec<u8>) -> Result<bool> {
        let SealedColumn { table, column, key, .. } = self.column;
        let wheres = key.iter().zip(3..).map(|(key, n)| format!(" AND {} = ${n}", key.name()));
        let wheres: String = wheres.collect();
        let sql = safe(format!("UPDATE {table} SET {column} = $1 WHERE {column} = $2{wheres}"));
        let mut args = vec![with.as_slice().into(), self.sealed.as_slice().into()];
        args.extend(self.key);
        Ok(tx.execute_sql(sql, args).await? > 0)
    }
}

impl SealedColumn {
    /// Values after a row (given by its key) that do not begin with these bytes, in the order of their keys.
    pub(crate) async fn others(
        &'static self,
        tx: &mut Tx,
        prefix: &[u8],
        after: &[Arg],
        limit: u32,
    ) -> Result<Vec<Sealed>> {
        let Self { table, column, .. } = self;
        let keys: Vec<&str> = self.key.iter().map(Key::name).collect();
        let keys = keys.join(", ");
        let mut args: Vec<Arg> = vec![prefix.into(), limit.into()];
        let after_sql = if after.is_empty() {
            String::new()
        } else {
            let places: Vec<String> = (0..after.len()).map(|n| format!("${}", n + 3)).collect();
            format!(" AND ({keys}) > ({})", places.join(", "))
        };
        args.extend(after.iter().cloned());
        let sql = format!(
            "SELECT * FROM {table} WHERE {column} IS NOT NULL AND substr({column}, 1, {PREFIX_BYTES}) <> $1{after_sql} \
             ORDER BY {keys} LIMIT $2"
        );
        tx.rows_sql(safe(sql), args).await?.iter().map(|row| Sealed::read(self, row)).collect()
    }
}

/// One value of each column that the first key sealed, before there were data keys.
pub(super) async fn samples(tx: &mut Tx) -> Result<Vec<Sealed>> {
    let mut samples = Vec::new();
    for sealed in SEALED {
        let SealedColumn { table, column, .. } = sealed;
        let sql = format!("SELECT * FROM {table} WHERE {column} IS NOT NULL AND substr({column}, 1, 1) = $1 LIMIT 1");
        let rows = tx.rows_sql(safe(sql), vec![[FIRST].as_slice().into()]).await?;
        samples.extend(rows.iter().map(|row| Sealed::read(sealed, row)).collect::<Result<Vec<_>>>()?);
    }
    Ok(samples)
}

/// How many values begin with what, of the columns that are asked for. What the first key sealed is counted
/// under its one byte.
pub(crate) async fn counts(tx: &mut Tx, of: fn(&SealedColumn) -> bool) -> Result<HashMap<Vec<u8>, i64>> {
    let mut counts = HashMap::new();
    for SealedColumn { table, column, .. } in SEALED.iter().filter(|column| of(column)) {
        let sql = format!(
            "SELECT prefix, COUNT(*) AS n FROM (SELECT CASE WHEN substr({column}, 1, 1) = $1
                THEN substr({column}, 1, {PREFIX_BYTES}) ELSE substr({column}, 1, 1) END AS prefix
            FROM {table} WHERE {column} IS NOT NULL) AS prefixes GROUP BY prefix"
        );
        for row in tx.rows_sql(safe(sql), vec![[NAMED].as_slice().into()]).await? {
            *counts.entry(row.bytes("prefix")?).or_default() += row.int("n")?;
        }
    }
    Ok(counts)
}

/// A text made of the names above.
fn safe(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}
