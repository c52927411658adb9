//! The two databases, each test in one of its own.

use provost_model::Clock;
use provost_store::{MasterKey, MasterKeys, Options, Result, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres::PostgresDatabase;

/// A database of one test.
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres(Box<PostgresDatabase>),
}

/// Which one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Runs a test on both databases at once. Each has a thread of its own, whose name says in a failure
/// on which one it happened.
pub(crate) fn on_both(test: impl AsyncFn(&Database) -> Result<()> + Sync) {
    std::thread::scope(|scope| {
        let run = |kind| {
            let test = &test;
            let body = move || {
                runtime().block_on(async {
                    let database = Database::create(kind).await;
                    test(&database).await.expect("the store does what the test asks");
                });
            };
            std::thread::Builder::new().name(format!("on {kind:?}")).spawn_scoped(scope, body)
        };
        let both = [Kind::Sqlite, Kind::Postgres].map(|kind| run(kind).expect("a thread starts"));
        let failed = both.map(|thread| thread.join().is_err());
        assert_eq!(failed, [false, false], "failed on SQLite, on PostgreSQL");
    });
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

/// The master key of every store of these tests.
pub(crate) fn master_key() -> MasterKey {
    let key = format!("{}=", "A".repeat(43));
    MasterKey::from_text(&key).expect("32 bytes in base64")
}

impl Database {
    pub(crate) async fn create(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(TempDir::new().expect("a directory can be made")),
            Kind::Postgres => Self::Postgres(Box::new(PostgresDatabase::create().await)),
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(dir) => format!("sqlite:{}", dir.path().join("provost.db").display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    /// Opens a store: a node of its own, also if there is one already.
    pub(crate) async fn open(&self) -> Result<Store> {
        self.open_at(&self.url(), Clock::system()).await
    }

    pub(crate) async fn open_at(&self, url: &str, clock: Clock) -> Result<Store> {
        self.open_with(url, master_key().into(), clock).await
    }

    /// With these master keys.
    pub(crate) async fn open_with(&self, url: &str, master_keys: MasterKeys, clock: Clock) -> Result<Store> {
        Store::open(Options { database_url: url.to_owned(), connections: 4, master_keys, clock, last_good: None }).await
    }

    /// Does what no Provost would do: runs any SQL, behind the store's back.
    pub(crate) async fn tamper(&self, sql: impl Into<String>) {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Sqlite(_) => {
                sqlx::raw_sql(sql).execute(&mut self.sqlite().await).await.expect("SQLite obeys");
            }
            Self::Postgres(database) => {
                let mut connection = PgConnection::connect(database.url()).await.expect("PostgreSQL answers");
                sqlx::raw_sql(sql).execute(&mut connection).await.expect("PostgreSQL obeys");
            }
        }
    }

    /// A connection to the SQLite file, beside the store's.
    pub(crate) async fn sqlite(&self) -> SqliteConnection {
        let Self::Sqlite(dir) = self else { panic!("this is not SQLite") };
        let options = SqliteConnectOptions::new().filename(dir.path().join("provost.db"));
        options.connect().await.expect("SQLite opens")
    }
}
