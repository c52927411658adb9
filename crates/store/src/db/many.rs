//! Statements about many rows or many keys at once.
//!
//! SQLite is given one parameter for each value: a statement's length follows their number, in few
//! fixed sizes, so that each connection prepares it few times and then finds it prepared. PostgreSQL
//! is given one array for each column: one short statement, however many there are.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::column::columns;
use super::{Arg, Row, Tx};
use crate::Result;

/// The most rows or keys of one statement to SQLite, a power of two. With the widest table this stays
/// far below what it binds (32,766).
const CHUNK: usize = 256;
/// The most rows or keys of one statement to PostgreSQL: so many are done in far less time than a
/// statement may take.
const ARRAY: usize = 4096;
/// Where the rows go in the text of an insertion.
const ROWS: &str = "VALUES $rows";
/// Where the keys go in the text of a statement.
const KEYS: &str = "IN ($keys)";
/// Where one key goes in the text of a question that is asked for each.
const KEY: &str = "= $key";

impl Tx {
    /// Inserts many rows, in order. `$rows` in the text stands for them: `INSERT INTO t (a, b) VALUES
    /// $rows`. Every row has as many columns as the first, of the same kinds.
    pub async fn insert_many(&mut self, sql: &'static str, rows: Vec<Vec<Arg>>) -> Result<()> {
        let width = rows.first().map_or(0, Vec::len);
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        while left > 0 {
            let size = match self {
                // The largest size that is filled: 100 rows go as 64, 32 and 4.
                Self::Sqlite(_) => CHUNK.min(1 << left.ilog2()),
                Self::Postgres(_) => ARRAY.min(left),
            };
            let chunk = rows.by_ref().take(size);
            match self {
                Self::Sqlite(_) => {
                    let args = chunk.flatten().collect();
                    self.execute_sql(with_rows(sql, size, width), args).await?
                }
                Self::Postgres(_) => self.execute_columns(with_row_arrays(sql, width), columns(chunk)?).await?,
            };
            left -= size;
        }
        Ok(())
    }

    /// All rows that a question answers for each of many keys; `= $key` in the text stands for the key,
    /// after as many placeholders as there are `args`, each there once and in order:
    /// `SELECT … WHERE workspace_id = $1 AND id = $key`. An `ORDER BY` is that of the rows of one key.
    pub async fn rows_for(&mut self, sql: &'static str, args: &[Arg], keys: &[Arg]) -> Result<Vec<Row>> {
        self.about(sql, KEY, args, keys).await
    }

    /// The rows that a statement which writes returns for many keys; `IN ($keys)` in the text stands for
    /// them, after placeholders as in [`Tx::rows_for`].
    pub async fn rows_in(&mut self, sql: &'static str, args: &[Arg], keys: &[Arg]) -> Result<Vec<Row>> {
        self.about(sql, KEYS, args, keys).await
    }

    async fn about(&mut self, sql: &str, place: &str, args: &[Arg], keys: &[Arg]) -> Result<Vec<Row>> {
        let most = if matches!(self, Self::Sqlite(_)) { CHUNK } else { ARRAY };
        let mut rows = Vec::new();
        for keys in keys.chunks(most) {
            rows.extend(match self {
                Self::Sqlite(_) => {
                    // The last key fills up the size: in a set, twice is once.
                    let size = keys.len().next_power_of_two();
                    let fill = keys.iter().chain(keys.last().into_iter().cycle()).take(size);
                    let bound = args.iter().chain(fill).cloned().collect();
                    self.rows_sql(with_keys(sql, place, args.len(), size), bound).await?
                }
                Self::Postgres(_) => {
                    let array = args.len() + 1;
                    let sql = if place == KEY { for_each(sql, array) } else { with_array(sql, array) };
                    let keys = columns(keys.iter().map(|key| vec![key.clone()]))?;
                    self.rows_columns(sql, args.to_vec(), keys).await?
                }
            });
        }
        Ok(rows)
    }
}

/// For SQLite, which looks for the name of each parameter among all names, so that numbered ones take a
/// quarter of the time of a long statement: `VALUES (?, ?), (?, ?)`.
fn with_rows(sql: &str, rows: usize, width: usize) -> SqlStr {
    let row = format!("({})", marks(width));
    made(sql.replacen(ROWS, &format!("VALUES {}", vec![row; rows].join(", ")), 1))
}

fn with_keys(sql: &str, place: &str, args: usize, keys: usize) -> SqlStr {
    let mut sql = sql.replacen(place, &format!("IN ({})", marks(keys)), 1);
    // Either all are numbered or none.
    for n in 1..=args {
        sql = sql.replacen(&format!("${n}"), "?", 1);
    }
    made(sql)
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// For PostgreSQL, which keeps the order of what it takes out of arrays.
fn with_row_arrays(sql: &str, width: usize) -> SqlStr {
    let arrays: Vec<_> = (1..=width).map(|n| format!("${n}")).collect();
    made(sql.replacen(ROWS, &format!("SELECT * FROM UNNEST({})", arrays.join(", ")), 1))
}

fn with_array(sql: &str, array: usize) -> SqlStr {
    made(sql.replacen(KEYS, &format!("= ANY (${array})"), 1))
}

/// Asked for all at once, PostgreSQL would, as long as it has no statistics of a workspace that is just
/// being filled, take it for small: read all of it and leave out what is not wanted. Of one key after the
/// other it knows that the index is shorter, and `OFFSET 0` keeps it from joining them.
fn for_each(sql: &str, array: usize) -> SqlStr {
    let one = sql.replacen(KEY, "= wanted.key", 1);
    made(format!(
        "SELECT found.* FROM (SELECT DISTINCT key FROM UNNEST(${array}) AS keys (key)) AS wanted
            CROSS JOIN LATERAL ({one} OFFSET 0) AS found"
    ))
}

fn made(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}
