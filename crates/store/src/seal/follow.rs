//! Follows the data keys: what one node changes, the others see soon.

use std::sync::Weak;
use std::time::Duration;

use crate::Error;
use crate::store::Inner;

/// How often a node asks whether the data keys changed. With the pace of a new key this is how soon it is
/// used everywhere: within a second.
const POLL: Duration = Duration::from_millis(400);
/// How long it rests after the master key failed it: a KMS is not asked in a storm.
const REST: Duration = Duration::from_secs(30);

/// Keeps the data keys up to date until the store is closed or gone.
pub(crate) async fn follow_keys(store: Weak<Inner>) {
    let mut pause = POLL;
    loop {
        tokio::time::sleep(pause).await;
        let Some(inner) = store.upgrade().filter(|inner| !inner.db.is_closed()) else { return };
        pause = POLL;
        if !inner.db.is_admitted() {
            continue;
        }
        match inner.sealer.reload(&inner.db).await {
            Ok(true) => {
                tracing::info!(key = %inner.sealer.current(), "the data keys changed");
                // The last good snapshot has them beside it.
                inner.note_keys();
            }
            // That the database is away is found out, and said, elsewhere.
            Ok(false) | Err(Error::Unavailable(_)) => {}
            Err(error) => {
                tracing::error!(%error, "the data keys changed and cannot be read; going on with those in memory");
                pause = REST;
            }
        }
    }
}
