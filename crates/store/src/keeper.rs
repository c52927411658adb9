//! Writes the last good snapshot: soon after each change, and now and then without one, to say that it
//! still holds. Never in anybody's way: it reads what is shown, and works on a thread of its own.

use std::sync::Weak;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::last_good::LastGood;
use crate::store::Inner;
use crate::tables::signing_keys;
use crate::{Error, Result};

/// Changes that come together are written together.
const GATHER: Duration = Duration::from_secs(1);
/// How long it rests after a write; and at least so many times as long as the write took.
const REST: Duration = Duration::from_secs(2);
const REST_TIMES: u32 = 20;
/// How often it says that a snapshot without changes still holds.
const CONFIRM: Duration = Duration::from_secs(600);

/// Keeps the last good snapshot until the store is closed or gone.
pub(crate) async fn keep(store: Weak<Inner>, mut swaps: watch::Receiver<u64>) {
    // A start has better to do.
    tokio::time::sleep(GATHER).await;
    loop {
        let Some(inner) = store.upgrade().filter(|inner| !inner.db.is_closed()) else { return };
        let began = Instant::now();
        if inner.db.is_admitted()
            && let Err(error) = inner.keep_last_good().await
        {
            tracing::warn!(%error, "the last good snapshot was not written; will try again");
        }
        drop(inner);
        tokio::time::sleep(REST.max(began.elapsed() * REST_TIMES)).await;
        // A store that is gone ends this as a change does: the next turn finds out.
        let _ = tokio::time::timeout(CONFIRM, swaps.changed()).await;
        tokio::time::sleep(GATHER).await;
    }
}

impl Inner {
    /// Writes the last good snapshot, if one is to be kept and there is anything to keep.
    pub(crate) async fn keep_last_good(&self) -> Result<()> {
        let Some(keep) = &self.last_good else { return Ok(()) };
        // The time first: what is newer than it says is no harm.
        let as_of = self.confirmed_at();
        let world = self.world.load_full();
        if world.workspaces.is_empty() || self.degraded.load().is_some() {
            return Ok(());
        }
        let mut tx = self.db.read().await?;
        let signing_keys = signing_keys::list(&mut tx, as_of).await?;
        drop(tx);
        let (path, sealer, name) = (keep.path.clone(), self.sealer.clone(), self.name.clone());
        let written = tokio::task::spawn_blocking(move || {
            let begin = Instant::now();
            LastGood::of(&world, signing_keys, as_of).write(&path, &sealer, &name)?;
            tracing::debug!(took = ?begin.elapsed(), "the last good snapshot is written");
            std::io::Result::Ok(())
        });
        let written = written.await.map_err(|error| Error::Database(error.to_string()))?;
        written.map_err(|error| Error::Database(format!("{}: {error}", keep.path.display())))
    }
}
