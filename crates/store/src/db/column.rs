//! A column of many rows as one value, for PostgreSQL.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::Arg;
use crate::{Error, Result};

/// The values of one column, in the order of the rows.
#[derive(Debug)]
pub(super) enum Column {
    Text(Vec<Option<String>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<bool>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// Rows turned into columns.
pub(super) fn columns(rows: impl IntoIterator<Item = Vec<Arg>>) -> Result<Vec<Column>> {
    let mut rows = rows.into_iter();
    let Some(first) = rows.next() else { return Ok(Vec::new()) };
    let most = rows.size_hint().0 + 1;
    let mut columns: Vec<Column> = first.into_iter().map(|arg| Column::new(arg, most)).collect();
    for row in rows {
        if row.len() != columns.len() {
            return Err(Error::Database("rows of one insertion differ in their width".to_owned()));
        }
        for (column, arg) in columns.iter_mut().zip(row) {
            column.push(arg)?;
        }
    }
    Ok(columns)
}

impl Column {
    fn new(first: Arg, most: usize) -> Self {
        fn begin<T>(first: T, most: usize) -> Vec<T> {
            let mut values = Vec::with_capacity(most);
            values.push(first);
            values
        }
        match first {
            Arg::Text(text) => Self::Text(begin(text, most)),
            Arg::Int(number) => Self::Int(begin(number, most)),
            Arg::Bool(yes) => Self::Bool(begin(yes, most)),
            Arg::Bytes(bytes) => Self::Bytes(begin(bytes, most)),
        }
    }

    fn push(&mut self, arg: Arg) -> Result<()> {
        match (self, arg) {
            (Self::Text(values), Arg::Text(text)) => values.push(text),
            (Self::Int(values), Arg::Int(number)) => values.push(number),
            (Self::Bool(values), Arg::Bool(yes)) => values.push(yes),
            (Self::Bytes(values), Arg::Bytes(bytes)) => values.push(bytes),
            _ => return Err(Error::Database("rows of one insertion differ in their kinds".to_owned())),
        }
        Ok(())
    }

    /// Binds it as an array.
    pub(super) fn bind(self, query: Query<'_, Postgres, PgArguments>) -> Query<'_, Postgres, PgArguments> {
        match self {
            Self::Text(values) => query.bind(values),
            Self::Int(values) => query.bind(values),
            Self::Bool(values) => query.bind(values),
            Self::Bytes(values) => query.bind(values),
        }
    }
}
