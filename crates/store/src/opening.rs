//! Opens the database, or finds out that it is away or lost and that the last good snapshot stands in.

use provost_model::World;

use crate::db::{Db, Url};
use crate::last_good::{LastGood, Unusable};
use crate::migrate::migrate;
use crate::refresh::refresh;
use crate::store::Options;
use crate::{Error, Result, Sealer};

/// What a store begins with.
pub(crate) enum Opened {
    /// Its database, migrated, and what it holds.
    Database(Db, Sealer, World),
    /// The last good snapshot, and why the database is not used.
    LastGood(Db, Sealer, LastGood, &'static str),
}

/// The database is there, and nothing is in it that was there before.
pub(crate) const EMPTY: &str = "the database holds no workspace any more: restore a backup";
/// The file is gone.
const MISSING: &str = "the database file is missing: restore a backup and start again";
/// PostgreSQL cannot be reached.
const UNREACHABLE: &str = "the database cannot be reached";
/// Whatever else it says.
const UNREADABLE: &str = "the database cannot be read: restore a backup and start again";

pub(crate) async fn open(options: &Options) -> Result<Opened> {
    let (reason, error) = match open_database(options).await {
        Ok((db, sealer, world)) => return Ok(Opened::Database(db, sealer, world)),
        // Another version's, a wrong URL, a wrong key: the operator's to repair, before anybody is served.
        Err((_, error @ (Error::Migration(_) | Error::MasterKey(_)))) => return Err(error),
        Err(found) => found,
    };
    let Some(keep) = &options.last_good else { return Err(error) };
    match LastGood::read(keep, &options.master_keys, options.clock.now()).await {
        Ok((last_good, sealer)) => {
            tracing::error!(%error, reason, as_of = %last_good.as_of, "STARTING WITHOUT THE DATABASE, from the last \
                good snapshot: policies are delivered and models answer as of then; nothing can be changed");
            let db = Db::unreachable(&options.database_url, options.connections)?;
            Ok(Opened::LastGood(db, sealer, last_good, reason))
        }
        Err(Unusable::Missing) => Err(error),
        Err(unusable) => {
            let path = keep.path.display();
            let message = format!(
                "{error}; and the last good snapshot {path} cannot stand in: {unusable}. Restore a backup of the \
                 database, or delete that file to start anew without what was there"
            );
            Err(Error::Migration(message))
        }
    }
}

/// Opens and migrates. Where a last good snapshot is kept there was a database: then none is made.
async fn open_database(options: &Options) -> Result<(Db, Sealer, World), (&'static str, Error)> {
    let url = Url::read(&options.database_url).map_err(|error| (UNREACHABLE, error))?;
    let was_there = options.last_good.as_ref().is_some_and(|keep| keep.path.exists());
    let reason = match url {
        Url::Postgres(_) => UNREACHABLE,
        Url::Sqlite(path) => {
            if was_there && std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
                return Err((MISSING, Error::Unavailable(format!("{} is missing or empty", path.display()))));
            }
            UNREADABLE
        }
    };
    let db = Db::open(&options.database_url, options.connections).await.map_err(|error| (reason, error))?;
    let checked = async {
        if was_there && !holds_workspaces(&db).await? {
            return Ok(None);
        }
        let (now, mut world) = (options.clock.now(), World::default());
        migrate(&db, now).await?;
        let sealer = Sealer::open_in(&db, options.master_keys.clone(), now).await?;
        refresh(&db, &sealer, &mut world, now).await?;
        Ok(Some((sealer, world)))
    };
    match checked.await {
        Ok(Some((sealer, world))) => Ok((db, sealer, world)),
        Ok(None) => {
            db.close().await;
            Err((EMPTY, Error::Unavailable("it holds no workspace, where there was one".to_owned())))
        }
        Err(error) => {
            db.close().await;
            Err((reason, error))
        }
    }
}

/// Whether there is a workspace; none where there is not even a table of them.
pub(crate) async fn holds_workspaces(db: &Db) -> Result<bool> {
    match db.read().await?.row("SELECT id FROM workspaces LIMIT 1", []).await {
        Ok(row) => Ok(row.is_some()),
        Err(Error::Database(message)) if message.contains("workspaces") => Ok(false),
        Err(error) => Err(error),
    }
}
