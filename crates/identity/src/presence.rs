//! A node among nodes: says that it runs, lets go of whoever left, and says when it had.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_model::{MemberId, NodeId, World};
use provost_store::tables::{deprovisions, nodes};
use provost_store::{Result, Store};
use provost_web::App;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// How often a node says that it runs.
const BEAT: Duration = Duration::from_secs(2);
/// A node that has not said so for this long is taken for gone: no receipt waits for it.
const GONE: SignedDuration = SignedDuration::from_mins(2);
/// Many snapshots in a row are looked at together. Short beside a second, long beside a look.
const GATHER: Duration = Duration::from_millis(10);

/// This node, as the others know it.
pub struct Presence {
    store: Store,
    id: NodeId,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Presence {
    /// Says that this node runs, and follows the snapshots from now on.
    pub async fn begin(app: &App) -> Result<Self> {
        let started_at = app.store.clock().now();
        let id = NodeId::new(started_at);
        let (stop, stopped) = watch::channel(false);
        let swaps = app.store.swaps();
        let swept = Mutex::new(Swept { world: app.store.world(), at: started_at, cut: HashMap::new() });
        let follower = Follower { app: app.clone(), id, started_at, swept, called: Notify::new() };
        // Before anything runs here: who leaves from now on is waited for.
        match follower.beat().await {
            // On the last good snapshot nobody leaves; the beat goes on by itself when the database is back.
            Err(provost_store::Error::Unavailable(_)) if app.store.degraded().is_some() => {}
            said => said?,
        }
        let task = tokio::spawn(follower.run(swaps, stopped));
        Ok(Self { store: app.store.clone(), id, stop, task })
    }

    /// The node's id.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Says that this node runs no more. Call it when it does not.
    pub async fn end(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
        if let Err(error) = forget(&self.store, self.id).await {
            tracing::warn!(%error, "the other nodes cannot be told that this one stops");
        }
    }
}

async fn forget(store: &Store, id: NodeId) -> Result<()> {
    let mut tx = store.write().await?;
    nodes::delete(&mut tx, id).await?;
    tx.commit().await
}

struct Follower {
    app: App,
    id: NodeId,
    started_at: Timestamp,
    swept: Mutex<Swept>,
    called: Notify,
}

/// What the streams of this node have been held to.
struct Swept {
    world: Arc<World>,
    /// When.
    at: Timestamp,
    /// How many were cut, of whom, that no receipt says yet.
    cut: HashMap<MemberId, i64>,
}

impl Swept {
    fn note(&mut self, world: Arc<World>, cut: HashMap<MemberId, i64>, at: Timestamp) {
        self.world = world;
        self.at = at;
        for (member, count) in cut {
            *self.cut.entry(member).or_default() += count;
        }
    }
}

impl Follower {
    async fn run(self, swaps: watch::Receiver<u64>, mut stopped: watch::Receiver<bool>) {
        // Signing waits for the database. Cutting must not, so it does not wait for the signing.
        tokio::select! {
            _ = stopped.changed() => {}
            () = self.sweep(swaps) => {}
            () = self.sign() => {}
        }
    }

    /// Ends what each new snapshot takes away.
    async fn sweep(&self, mut swaps: watch::Receiver<u64>) {
        while swaps.changed().await.is_ok() {
            let world = self.app.store.world();
            let cut = self.app.running.sweep(&world);
            self.swept().note(world, cut, self.app.store.clock().now());
            self.called.notify_one();
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Says that this node runs, and whom it has let go of. What fails is tried again: the database
    /// may be away for a while.
    async fn sign(&self) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_beat = tokio::select! {
                () = self.called.notified() => false,
                _ = beat.tick() => true,
            };
            if is_beat && let Err(error) = self.beat().await {
                tracing::debug!(%error, "this node cannot say that it runs");
            }
            if let Err(error) = self.sign_receipts().await {
                tracing::debug!(%error, "this node cannot say whom it has let go of");
            }
        }
    }

    async fn beat(&self) -> Result<()> {
        let now = self.app.store.clock().now();
        let mut tx = self.app.store.write().await?;
        nodes::note(&mut tx, self.id, self.started_at, now).await?;
        nodes::delete_unseen(&mut tx, now - GONE, self.id).await?;
        tx.commit().await
    }

    /// Signs the receipts of those whom the last sweep has let go.
    async fn sign_receipts(&self) -> Result<()> {
        let (world, at, cut) = {
            let swept = self.swept();
            (swept.world.clone(), swept.at, swept.cut.clone())
        };
        let mut pending = deprovisions::pending(&mut self.app.store.read().await?, self.id).await?;
        pending.retain(|pending| {
            let workspace = world.workspaces.get(&pending.workspace_id);
            workspace.is_some_and(|workspace| workspace.version >= pending.version)
        });
        if !pending.is_empty() {
            let mut tx = self.app.store.write().await?;
            for pending in &pending {
                let streams = cut.get(&pending.member_id).copied().unwrap_or(0);
                deprovisions::apply(&mut tx, pending.deprovision_id, self.id, at, streams).await?;
            }
            tx.commit().await?;
        }
        // What was cut since stays for the next time.
        let mut swept = self.swept();
        swept.cut.retain(|member, count| {
            *count -= cut.get(member).copied().unwrap_or(0);
            *count > 0
        });
        Ok(())
    }

    fn swept(&self) -> MutexGuard<'_, Swept> {
        self.swept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
