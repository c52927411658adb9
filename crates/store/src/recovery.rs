//! Without the database, and back: how a store says since when it runs on a snapshot alone, and how one
//! that began so goes over to its database.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use provost_model::World;

use crate::opening::{EMPTY, holds_workspaces};
use crate::store::Inner;
use crate::{Error, Result, migrate, refresh};

/// How often a store that began without its database looks whether it is back.
const PAUSE: Duration = Duration::from_secs(1);

/// That the database is away, and what stands in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Degraded {
    /// Since when.
    pub since: Timestamp,
    /// Why, in words for anybody: no name and no path is in them.
    pub reason: &'static str,
    /// Of when the snapshot is that decides.
    pub as_of: Timestamp,
}

/// Goes over to the database when it is back. For PostgreSQL: a file that an operator copies back is
/// not looked at half-way, so SQLite wants a restart.
pub(crate) async fn come_back(store: Weak<Inner>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let Some(inner) = store.upgrade().filter(|inner| !inner.db.is_closed()) else { return };
        match inner.try_to_come_back().await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "the database is not back yet"),
        }
    }
}

impl Inner {
    async fn try_to_come_back(&self) -> Result<()> {
        let (db, now) = (self.db.unguarded(), self.clock.now());
        if !holds_workspaces(&db).await? {
            self.say_why(EMPTY);
            return Err(Error::Unavailable(EMPTY.to_owned()));
        }
        migrate::migrate(&db, now).await?;
        // The whole, from the database alone: it may have been restored from a backup.
        let mut world = World::default();
        self.sealer.go_over(&db, now).await?;
        refresh::refresh(&db, &self.sealer, &mut world, now).await?;
        let turn = self.refreshing.lock().await;
        self.db.admit();
        self.swap(world);
        drop(turn);
        self.confirm(now);
        Ok(())
    }

    /// The reason that it is away turned out to be another.
    fn say_why(&self, reason: &'static str) {
        let before = self.degraded.load_full();
        if let Some(before) = before.filter(|before| before.reason != reason) {
            tracing::error!(reason, "the database answers, but Provost goes on without it");
            self.degraded.store(Some(Arc::new(Degraded { reason, ..*before })));
        }
    }

    /// Notes that the snapshots are what the database holds.
    pub(crate) fn confirm(&self, at: Timestamp) {
        self.note_confirmed(at);
        if let Some(degraded) = self.degraded.swap(None) {
            tracing::info!(since = %degraded.since, "the database answers again");
        }
    }

    /// Notes that the database is away.
    pub(crate) fn lose(&self, now: Timestamp) {
        if self.degraded.load().is_none() {
            tracing::error!("the database does not answer; going on with the last snapshot");
            let reason = "the database does not answer";
            self.degraded.store(Some(Arc::new(Degraded { since: now, reason, as_of: self.confirmed_at() })));
        }
    }
}
