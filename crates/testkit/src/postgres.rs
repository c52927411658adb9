//! A PostgreSQL database for one test, on the server that `mk/with-postgres` runs.
//!
//! The tests of `provost-store` include this file by its path: they cannot depend on this crate,
//! which depends on theirs.

use std::hash::{BuildHasher, Hasher, RandomState};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// Where `mk/with-postgres` says its server is.
const VARIABLE: &str = "PROVOST_TEST_POSTGRES";

/// A database of its own, dropped with this value.
pub struct PostgresDatabase {
    server: PgConnectOptions,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// Makes an empty database under a random name.
    ///
    /// # Panics
    /// Without a server: a test that needs PostgreSQL fails rather than passing unseen.
    pub async fn create() -> Self {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: run through `make test` (or mk/with-postgres)");
        });
        let (base, _) = server.rsplit_once('/').expect("the server's URL ends with a database");
        // The standard library's own source of a random number: names need no better one.
        let name = format!("test_{:016x}", RandomState::new().build_hasher().finish());
        let url = format!("{base}/{name}");
        let server = server.parse().expect("the server's URL can be read");
        run(&server, format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        Self { server, name, url }
    }

    /// Its URL, as `--database-url` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes the database away, as an outage would: open connections end, new ones are refused.
    pub async fn shut(&self) {
        run(&self.server, format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name)).await;
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name);
        run(&self.server, end).await;
    }

    /// Empties it, as somebody would who makes it anew.
    pub async fn empty(&self) {
        let mut database = self.server.clone();
        database = database.database(&self.name);
        run(&database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public".to_owned()).await;
    }

    /// Gives it back.
    pub async fn reopen(&self) {
        run(&self.server, format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name)).await;
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        // A thread of its own, since a test's runtime does not wait in `drop`.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(run(&server, sql));
        });
        // A failure leaves the database to the end of its server; the test has said what it had to.
        let _ = dropped.join();
    }
}

async fn run(server: &PgConnectOptions, sql: String) {
    let mut connection = server.connect().await.expect("the test's PostgreSQL answers");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("PostgreSQL does as the test asks");
    connection.close().await.expect("the connection closes");
}
