use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::{Database, Encode, Postgres, Sqlite, Type};

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

impl Tx {
    /// Runs a statement; answers how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, args: impl IntoIterator<Item = Arg>) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(tx) => bind(sqlx::query(sql), args).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => soon(bind(sqlx::query(sql), args).execute(&mut **tx)).await?.rows_affected(),
        })
    }

    /// All rows that a statement answers.
    pub async fn rows(&mut self, sql: &'static str, args: impl IntoIterator<Item = Arg>) -> Result<Vec<Row>> {
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

    /// Hands over each row that a statement answers, for what is too much to be held twice.
    pub(crate) async fn each(
        &mut self,
        sql: &'static str,
        args: impl IntoIterator<Item = Arg>,
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

    /// The one row that a statement answers, if it answers one.
    pub async fn row(&mut self, sql: &'static str, args: impl IntoIterator<Item = Arg>) -> Result<Option<Row>> {
        Ok(match self {
            Self::Sqlite(tx) => bind(sqlx::query(sql), args).fetch_optional(&mut **tx).await?.map(Row::Sqlite),
            Self::Postgres(tx) => {
                soon(bind(sqlx::query(sql), args).fetch_optional(&mut **tx)).await?.map(Row::Postgres)
            }
        })
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

async fn soon<T>(answer: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(STATEMENT_TIMEOUT, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Error::Unavailable(format!("no answer within {} s", STATEMENT_TIMEOUT.as_secs()))),
    }
}

fn bind<'q, DB>(
    query: Query<'q, DB, DB::Arguments>,
    args: impl IntoIterator<Item = Arg>,
) -> Query<'q, DB, DB::Arguments>
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
