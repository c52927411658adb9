//! Statements about many rows or many keys at once. A statement's length follows their number, in
//! few fixed sizes, so that each connection prepares it few times and then finds it prepared.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::{Arg, Row, Tx};
use crate::Result;

/// The most rows or keys of one statement, a power of two. With the widest table this stays far
/// below what the databases bind (SQLite 32,766, PostgreSQL 65,535).
const CHUNK: usize = 256;
/// Where the rows go in the text of an insertion.
const ROWS: &str = "$rows";
/// Where the keys go in the text of a statement.
const KEYS: &str = "$keys";

impl Tx {
    /// Inserts many rows, in order. `$rows` in the text stands for them: `INSERT INTO t (a, b) VALUES
    /// $rows`. Every row has as many columns as the first.
    pub async fn insert_many(&mut self, sql: &'static str, rows: Vec<Vec<Arg>>) -> Result<()> {
        let width = rows.first().map_or(0, Vec::len);
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        while left > 0 {
            // The largest size that is filled: 100 rows go as 64, 32 and 4.
            let size = CHUNK.min(1 << left.ilog2());
            let args = rows.by_ref().take(size).flatten().collect();
            self.execute_sql(self.with_rows(sql, size, width), args).await?;
            left -= size;
        }
        Ok(())
    }

    /// All rows that a statement answers for many keys. `$keys` in the text stands for them, after as
    /// many placeholders as there are `args`, each there once and in order: `… WHERE workspace_id = $1 AND id IN ($keys)`.
    pub async fn rows_in(&mut self, sql: &'static str, args: &[Arg], keys: &[Arg]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for keys in keys.chunks(CHUNK) {
            // The last key fills up the size: in a set, twice is once.
            let size = keys.len().next_power_of_two();
            let fill = keys.iter().chain(keys.last().into_iter().cycle()).take(size);
            let bound = args.iter().chain(fill).cloned().collect();
            rows.extend(self.rows_sql(self.with_keys(sql, args.len(), size), bound).await?);
        }
        Ok(rows)
    }

    fn with_rows(&self, sql: &str, rows: usize, width: usize) -> SqlStr {
        let mut text = String::with_capacity(rows * width * 6);
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            self.placeholders(&mut text, row * width, width);
            text.push(')');
        }
        AssertSqlSafe(sql.replacen(ROWS, &text, 1)).into_sql_str()
    }

    fn with_keys(&self, sql: &str, args: usize, keys: usize) -> SqlStr {
        let mut text = String::with_capacity(keys * 6);
        self.placeholders(&mut text, args, keys);
        let mut sql = sql.replacen(KEYS, &text, 1);
        if matches!(self, Self::Sqlite(_)) {
            // Either all are numbered or none.
            for n in 1..=args {
                sql = sql.replacen(&format!("${n}"), "?", 1);
            }
        }
        AssertSqlSafe(sql).into_sql_str()
    }

    /// `$(after + 1), $(after + 2), …`; for SQLite `?, ?, …`, since it looks for the name of each
    /// parameter among all names, which takes a quarter of the time of a long statement.
    fn placeholders(&self, text: &mut String, after: usize, count: usize) {
        for n in after + 1..=after + count {
            let comma = if n == after + 1 { "" } else { ", " };
            match self {
                Self::Sqlite(_) => text.extend([comma, "?"]),
                Self::Postgres(_) => write!(text, "{comma}${n}").expect("a string takes what is written"),
            }
        }
    }
}
