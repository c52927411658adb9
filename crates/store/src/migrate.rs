//! Brings a database to the schema that this Provost knows. Run at every start, under a lock, so
//! that two nodes which start at once do it once.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

use crate::db::{Db, Tx};
use crate::{Error, Result};

/// In order; one that has landed is never edited.
const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_first", include_str!("../migrations/0001_first.sql")),
    ("0002_sessions", include_str!("../migrations/0002_sessions.sql")),
    ("0003_connections", include_str!("../migrations/0003_connections.sql")),
    ("0004_scim", include_str!("../migrations/0004_scim.sql")),
    ("0005_second_factors", include_str!("../migrations/0005_second_factors.sql")),
    ("0006_deprovisions", include_str!("../migrations/0006_deprovisions.sql")),
    ("0007_keys", include_str!("../migrations/0007_keys.sql")),
    ("0008_saml", include_str!("../migrations/0008_saml.sql")),
    ("0009_workload_identity_makers", include_str!("../migrations/0009_workload_identity_makers.sql")),
    ("0010_policy_versions", include_str!("../migrations/0010_policy_versions.sql")),
    ("0011_rollouts", include_str!("../migrations/0011_rollouts.sql")),
    ("0012_policy_exceptions", include_str!("../migrations/0012_policy_exceptions.sql")),
    ("0013_device_enrolments", include_str!("../migrations/0013_device_enrolments.sql")),
    ("0014_policy_facts", include_str!("../migrations/0014_policy_facts.sql")),
    ("0018_log_files", include_str!("../migrations/0018_log_files.sql")),
    ("0020_data_keys", include_str!("../migrations/0020_data_keys.sql")),
];

/// Any number will do, as long as only Provost uses it: "PROV".
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(1347571542)";

const DONE: &str =
    "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, checksum BYTEA NOT NULL, done_at BIGINT NOT NULL)";

pub(crate) async fn migrate(db: &Db, now: Timestamp) -> Result<()> {
    let mut tx = db.write().await?;
    if matches!(tx, Tx::Postgres(_)) {
        tx.rows(POSTGRES_LOCK, []).await?;
    }
    tx.execute(DONE, []).await?;
    let done = tx.rows("SELECT name, checksum FROM migrations ORDER BY name", []).await?;
    for (index, row) in done.iter().enumerate() {
        let name = row.text("name")?;
        match MIGRATIONS.get(index) {
            Some((known, sql)) if *known == name => {
                if row.bytes("checksum")? != digest(&SHA256, sql.as_bytes()).as_ref() {
                    let message = format!("migration {name} in this database differs from the one in this Provost");
                    return Err(Error::Migration(message));
                }
            }
            _ => {
                let message = format!(
                    "the database has migration {name}, which this Provost does not know: it was written by a newer one"
                );
                return Err(Error::Migration(message));
            }
        }
    }
    for (name, sql) in &MIGRATIONS[done.len()..] {
        tx.script(sql).await?;
        let checksum = digest(&SHA256, sql.as_bytes());
        let insert = "INSERT INTO migrations (name, checksum, done_at) VALUES ($1, $2, $3)";
        tx.execute(insert, [(*name).into(), checksum.as_ref().into(), now.into()]).await?;
        tracing::info!(migration = name, "database migrated");
    }
    tx.commit().await
}
