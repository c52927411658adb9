use std::pin::Pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::{Database, Encode, Postgres, SqlSafeStr, SqlStr, Sqlite, Type};

use super::column::Column;
use super::{Arg, Row};
use crate::{Error, Result};

/// How long a statement may take before the database counts as away: a connection whose other end
/// has vanished would be waited on for a quarter of an hour.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
pub enum Tx {
    /// On SQLite.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// What a statement will answer. Boxed: a statement costs far more than an allocation, and what is
/// made of statements (every handler) stays small and quick to compile.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Tx {
    /// Runs a statement; answers how many rows it changed.
    pub fn execute(&mut self, sql: &'static str, args: impl IntoIterator<Item = Arg>) -> Answer<'_, u64> {
        let args = args.into_iter().collect();
        Box::pin(self.execute_with(sql.into_sql_str(), args))
    }

    /// All rows that a statement answers.
    pub fn rows(&mut self, sql: &'static str, args: impl IntoIterator<Item = Arg>) -> Answer<'_, Vec<Row>> {
        let args = args.into_iter().collect();
        Box::pin(self.rows_with(sql.into_sql_str(), args))
    }

    /// The one row that a statement answers, if it answers one.
    pub fn row(&mut self, sql: &'static str, args: impl IntoIterator<Item = Arg>) -> Answer<'_, Option<Row>> {
        let args = args.into_iter().collect();
        Box::pin(self.row_with(sql.into_sql_str(), args))
    }

    /// [`Tx::execute`] with a text made here.
    pub(crate) fn execute_sql(&mut self, sql: SqlStr, args: Vec<Arg>) -> Answer<'_, u64> {
        Box::pin(self.execute_with(sql, args))
    }

    /// [`Tx::rows`] with a text made here.
    pub(crate) fn rows_sql(&mut self, sql: SqlStr, args: Vec<Arg>) -> Answer<'_, Vec<Row>> {
        Box::pin(self.rows_with(sql, args))
    }

    /// Runs a statement of PostgreSQL about arrays.
    pub(super) fn execute_columns(&mut self, sql: SqlStr, columns: Vec<Column>) -> Answer<'_, u64> {
        Box::pin(async move {
            let Self::Postgres(tx) = self else { return Err(no_arrays()) };
            let query = columns.into_iter().fold(sqlx::query(sql), |query, column| column.bind(query));
            Ok(soon(query.execute(&mut **tx)).await?.rows_affected())
        })
    }

    /// All rows that a statement of PostgreSQL answers about arrays, which come after the other arguments.
    pub(super) fn rows_columns(&mut self, sql: SqlStr, args: Vec<Arg>, columns: Vec<Column>) -> Answer<'_, Vec<Row>> {
        Box::pin(async move {
            let Self::Postgres(tx) = self else { return Err(no_arrays()) };
            let query = columns.into_iter().fold(bind(sqlx::query(sql), args), |query, column| column.bind(query));
            let rows = soon(query.fetch_all(&mut **tx)).await?;
            Ok(rows.into_iter().map(Row::Postgres).collect())
        })
    }

    async fn execute_with(&mut self, sql: SqlStr, args: Vec<Arg>) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(tx) => bind(sqlx::query(sql), args).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => soon(bind(sqlx::query(sql), args).execute(&mut **tx)).await?.rows_affected(),
        })
    }

    async fn rows_with(&mut self, sql: SqlStr, args: Vec<Arg>) -> Result<Vec<Row>> {
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = bind(sqlx::query(sql), args).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => {
                let rows = soon(bind(sqlx::query(sql), args).fetch_all(&mut **tx)).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    async fn row_with(&mut self, sql: SqlStr, args: Vec<Arg>) -> Result<Option<Row>> {
        Ok(match self {
            Self::Sqlite(tx) => bind(sqlx::query(sql), args).fetch_optional(&mut **tx).await?.map(Row::Sqlite),
            Self::Postgres(tx) => {
                soon(bind(sqlx::query(sql), args).fetch_optional(&mut **tx)).await?.map(Row::Postgres)
            }
        })
    }

    /// Hands over each row that a statement answers, for what is too much to be held twice.
    pub(crate) async fn each(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
        mut take: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(tx) => {
                let mut rows = bind(sqlx::query(sql), args).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await? {
                    take(Row::Sqlite(row))?;
                }
            }
            Self::Postgres(tx) => {
                let mut rows = bind(sqlx::query(sql), args).fetch(&mut **tx);
                while let Some(row) = soon(rows.try_next()).await? {
                    take(Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }

    /// Runs several statements without arguments, however long they take.
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Self::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ())?,
            Self::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Makes it last.
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => soon(tx.commit()).await?,
        }
        Ok(())
    }
}

fn no_arrays() -> Error {
    Error::Database("SQLite has no arrays".to_owned())
}

async fn soon<T>(answer: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Unavailable(format!("no answer within {} s", STATEMENT_TIMEOUT.as_secs()))),
    }
}

fn bind<'q, DB>(query: Query<'q, DB, DB::Arguments>, args: Vec<Arg>) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    Option<String>: Encode<'q, DB> + Type<DB>,
    Option<i64>: Encode<'q, DB> + Type<DB>,
    bool: Encode<'q, DB> + Type<DB>,
    Option<Vec<u8>>: Encode<'q, DB> + Type<DB>,
{
    args.into_iter().fold(query, |query, arg| match arg {
        Arg::Text(text) => query.bind(text),
        Arg::Int(number) => query.bind(number),
        Arg::Bool(yes) => query.bind(yes),
        Arg::Bytes(bytes) => query.bind(bytes),
    })
}
