//! Two databases behind one face.
//!
//! Every statement is one text for SQLite and PostgreSQL: `$1` placeholders, `RETURNING`,
//! `ON CONFLICT`, and columns of five kinds (text, integer, boolean, bytes, and times as integers).
//! sqlx's native drivers run it; its `Any` driver is not used since it fails on booleans and bytes,
//! and an ORM is not used since SQL that both speak needs no second language (ARCHITECTURE.md).

mod arg;
mod column;
mod many;
mod row;
mod tx;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use arg::Arg;
pub use row::Row;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
pub use tx::Tx;

use crate::{Error, Result};

/// How long a caller waits for a connection before the database counts as away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many prepared statements a connection keeps: those of [`many`] come in several sizes.
const PREPARED: usize = 512;

/// How much of the database SQLite's writer keeps in memory, in KiB (negative: so SQLite has it). A
/// change touches a page of each index; with SQLite's own 2 MB most are read from the file each time.
const WRITER_CACHE: &str = "-65536";

/// After how many pages (of 4 KiB) SQLite moves what is in its log to the database: a checkpoint writes
/// each page once, however often the log has it, and waits for the disk twice.
const CHECKPOINT: &str = "8192";

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    pools: Pools,
    /// Whether transactions may begin. Not while Provost runs on its last good snapshot: what is there
    /// then may be another database, or an older one.
    is_admitted: Arc<AtomicBool>,
}

#[derive(Debug, Clone)]
enum Pools {
    /// One writer, readers beside it (WAL).
    Sqlite { writer: sqlx::SqlitePool, readers: sqlx::SqlitePool },
    /// A pool.
    Postgres(sqlx::PgPool),
}

impl Db {
    /// Opens `postgres://…`, or `sqlite:PATH` (made if absent).
    pub(crate) async fn open(url: &str, connections: u32) -> Result<Self> {
        let pools = match Url::read(url)? {
            Url::Postgres(options) => Pools::Postgres(postgres_pool(connections).connect_with(*options).await?),
            Url::Sqlite(path) => {
                let (writing, reading) = sqlite_options(path);
                let writer = sqlite_pool(1).connect_with(writing).await?;
                Pools::Sqlite { writer, readers: sqlite_pool(4).connect_with(reading).await? }
            }
        };
        Ok(Self { pools, is_admitted: Arc::new(true.into()) })
    }

    /// One that cannot be reached now: it is not dialled, and no transaction begins until
    /// [`Self::admit`].
    pub(crate) fn unreachable(url: &str, connections: u32) -> Result<Self> {
        let pools = match Url::read(url)? {
            Url::Postgres(options) => Pools::Postgres(postgres_pool(connections).connect_lazy_with(*options)),
            Url::Sqlite(path) => {
                let (writing, reading) = sqlite_options(path);
                let writer = sqlite_pool(1).connect_lazy_with(writing.create_if_missing(false));
                Pools::Sqlite { writer, readers: sqlite_pool(4).connect_lazy_with(reading) }
            }
        };
        Ok(Self { pools, is_admitted: Arc::default() })
    }

    /// Lets transactions begin, here and in every clone.
    pub(crate) fn admit(&self) {
        self.is_admitted.store(true, Ordering::Release);
    }

    /// Whether transactions may begin.
    pub(crate) fn is_admitted(&self) -> bool {
        self.is_admitted.load(Ordering::Acquire)
    }

    /// The same for whoever looks whether it is back.
    pub(crate) fn unguarded(&self) -> Self {
        Self { pools: self.pools.clone(), is_admitted: Arc::new(true.into()) }
    }

    /// A transaction that reads: everything in it is of one moment.
    pub(crate) async fn read(&self) -> Result<Tx> {
        // SQLite reads so by itself; PostgreSQL would otherwise look anew at each statement.
        const POSTGRES: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.check()?;
        match &self.pools {
            Pools::Sqlite { readers, .. } => readers.begin().await.map(Tx::Sqlite),
            Pools::Postgres(pool) => pool.begin_with(POSTGRES).await.map(Tx::Postgres),
        }
        .map_err(away)
    }

    /// A transaction that writes.
    pub(crate) async fn write(&self) -> Result<Tx> {
        self.check()?;
        match &self.pools {
            Pools::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite),
            Pools::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        }
        .map_err(away)
    }

    fn check(&self) -> Result<()> {
        if self.is_admitted() {
            return Ok(());
        }
        Err(Error::Unavailable("Provost runs on its last good snapshot until the database is back".to_owned()))
    }

    /// The pool, where it is PostgreSQL.
    pub(crate) fn postgres(&self) -> Option<&sqlx::PgPool> {
        match &self.pools {
            Pools::Postgres(pool) => Some(pool),
            Pools::Sqlite { .. } => None,
        }
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.pools {
            Pools::Sqlite { writer, .. } => writer.is_closed(),
            Pools::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Closes every connection, after what they are doing.
    pub(crate) async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

/// Where a database is.
pub(crate) enum Url<'a> {
    /// On a server.
    Postgres(Box<PgConnectOptions>),
    /// In a file.
    Sqlite(&'a Path),
}

impl<'a> Url<'a> {
    /// Reads one.
    pub(crate) fn read(url: &'a str) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options: PgConnectOptions =
                url.parse().map_err(|error| Error::Migration(format!("the database URL cannot be read: {error}")))?;
            return Ok(Self::Postgres(Box::new(options.statement_cache_capacity(PREPARED))));
        }
        let path = url.strip_prefix("sqlite:").ok_or_else(|| {
            let scheme = url.split(':').next().unwrap_or_default();
            Error::Migration(format!("the database URL starts with `{scheme}:`; use sqlite:PATH or postgres://…"))
        })?;
        Ok(Self::Sqlite(Path::new(path.trim_start_matches("//"))))
    }
}

fn postgres_pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
}

/// How the writer opens the file, and how the readers do.
fn sqlite_options(path: &Path) -> (SqliteConnectOptions, SqliteConnectOptions) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Every commit is on disk when it is answered.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .statement_cache_capacity(PREPARED)
        .busy_timeout(Duration::from_secs(5));
    let writing = options.clone().pragma("cache_size", WRITER_CACHE).pragma("wal_autocheckpoint", CHECKPOINT);
    (writing, options.read_only(true).create_if_missing(false))
}

/// Where no transaction can begin, nothing was asked yet: whatever the reason (no route, no such
/// database, connections refused or used up), the database is away.
fn away(error: sqlx::Error) -> Error {
    Error::Unavailable(error.to_string())
}
