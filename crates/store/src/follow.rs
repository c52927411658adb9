//! Follows the changes of other nodes: PostgreSQL calls out each one, and a poll stands behind it.

use std::sync::Weak;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;

use crate::db::Db;
use crate::store::Inner;

/// Where [`crate::Change::commit`] calls out.
const CHANNEL: &str = "provost_changes";
/// How often a node asks whether another has changed something.
const POLL: Duration = Duration::from_millis(400);
/// How long the listener waits after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the snapshots up to date until the store is closed or gone.
pub(crate) async fn follow(db: Db, store: Weak<Inner>, own: String) {
    let called = Notify::new();
    // Both in one task: when the store is gone, so is the listener and its connection.
    tokio::select! {
        () = listen(&db, &called, &own) => {}
        () = refresh(&store, &called) => {}
    }
}

async fn refresh(store: &Weak<Inner>, called: &Notify) {
    loop {
        // Either reason will do, so that a poll which was not called for is no error.
        let _ = tokio::time::timeout(POLL, called.notified()).await;
        let Some(store) = store.upgrade().filter(|store| !store.db.is_closed()) else { return };
        // What failed has been logged, and this is where it is tried again.
        let _ = store.refresh().await;
    }
}

/// Passes on what PostgreSQL calls out, but for what this store (`own`) called out itself: it shows its
/// changes when they are committed, and to read them once more at the same moment would only be in its
/// way. Never ends: a lost connection is made anew.
async fn listen(db: &Db, called: &Notify, own: &str) {
    let Some(pool) = db.postgres() else { return std::future::pending().await };
    // Its own connection: one of the store's pool would be missing there for good.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(pool.connect_options().as_ref().clone());
    loop {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(CHANNEL).await.is_ok()
        {
            called.notify_one();
            while let Ok(Some(call)) = listener.try_recv().await {
                // Many calls at once want one look.
                let mut is_foreign = call.payload() != own;
                while let Some(call) = listener.next_buffered() {
                    is_foreign |= call.payload() != own;
                }
                if is_foreign {
                    called.notify_one();
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
