use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use provost_model::event::{Actor, EventType, NewEvent, Origin, Target};
use provost_model::{Clock, EventId, Settings, Workspace, WorkspaceId, World};
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::change::Change;
use crate::db::{Db, Tx};
use crate::follow::follow;
use crate::migrate::migrate;
use crate::recorder::Recorder;
use crate::seal::random;
use crate::{Error, Result, Sealer, refresh, tables};

/// How a store is opened.
pub struct Options {
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: String,
    /// How many connections to PostgreSQL.
    pub connections: u32,
    /// Seals what is secret.
    pub sealer: Sealer,
    /// The time.
    pub clock: Clock,
}

impl Options {
    /// SQLite in this file.
    pub fn sqlite(path: PathBuf, sealer: Sealer, clock: Clock) -> Self {
        Self { database_url: format!("sqlite:{}", path.display()), connections: 4, sealer, clock }
    }
}

/// The memory. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: Db,
    /// What it goes by among the stores on one database.
    name: String,
    clock: Clock,
    sealer: Sealer,
    world: ArcSwap<World>,
    /// Counts how often `world` was replaced.
    swaps: watch::Sender<u64>,
    /// Held while the snapshots are brought up to date, so that an older one never replaces a newer.
    refreshing: Mutex<()>,
    recorder: Recorder,
    healthy: AtomicBool,
}

impl Store {
    /// Opens the database, migrates it, and reads the snapshots.
    pub async fn open(options: Options) -> Result<Self> {
        let db = Db::open(&options.database_url, options.connections).await?;
        migrate(&db, options.clock.now()).await?;
        let recorder = Recorder::start(db.clone(), options.clock.clone());
        let name: String = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let inner = Inner {
            db,
            name: name.clone(),
            clock: options.clock,
            sealer: options.sealer,
            world: ArcSwap::default(),
            swaps: watch::Sender::new(0),
            refreshing: Mutex::new(()),
            recorder,
            healthy: AtomicBool::new(true),
        };
        let store = Self { inner: Arc::new(inner) };
        store.refresh().await?;
        tokio::spawn(follow(store.inner.db.clone(), Arc::downgrade(&store.inner), name));
        Ok(store)
    }

    /// The snapshots of every workspace, as they are now.
    pub fn world(&self) -> Arc<World> {
        self.inner.world.load_full()
    }

    /// The snapshot of one workspace.
    pub fn workspace(&self, id: WorkspaceId) -> Option<Arc<Workspace>> {
        self.inner.world.load().workspaces.get(&id).cloned()
    }

    /// Tells of each new [`Store::world`], however it came.
    pub fn swaps(&self) -> watch::Receiver<u64> {
        self.inner.swaps.subscribe()
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Seals and opens secrets.
    pub fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }

    /// Whether the database answered when it was last asked.
    pub fn is_healthy(&self) -> bool {
        self.inner.healthy.load(Ordering::Relaxed)
    }

    /// How many events wait to be written.
    pub fn backlog(&self) -> usize {
        self.inner.recorder.backlog()
    }

    /// What this store goes by when it calls out its changes to others on the same database.
    pub(crate) fn name(&self) -> &str {
        &self.inner.name
    }

    /// A transaction that reads.
    pub async fn read(&self) -> Result<Tx> {
        self.inner.db.read().await
    }

    /// A transaction that writes what is no change of a workspace: sessions, sign-ins in progress,
    /// use counts. What an admin would call a change goes through [`Store::change`].
    pub async fn write(&self) -> Result<Tx> {
        self.inner.db.write().await
    }

    /// Begins a change of a workspace.
    pub async fn change(&self, workspace_id: WorkspaceId, actor: Actor, origin: Origin) -> Result<Change> {
        let tx = self.inner.db.write().await?;
        Change::begin(self, tx, workspace_id, actor, origin).await
    }

    /// Begins the change that makes a workspace.
    pub async fn create_workspace(&self, name: &str, actor: Actor, origin: Origin) -> Result<Change> {
        let mut tx = self.inner.db.write().await?;
        // A row that is always there serves as the lock: of two who make a workspace at once, the
        // second sees the first's.
        tx.execute("UPDATE migrations SET done_at = done_at WHERE name = '0001_first'", []).await?;
        let now = self.clock().now();
        let id = WorkspaceId::new(now);
        tables::workspaces::insert(&mut tx, id, &Settings { name: name.to_owned(), ..Settings::default() }, now)
            .await?;
        Change::begin(self, tx, id, actor, origin).await
    }

    /// Queues an event of the hot path: it is written soon, and never waits for the database.
    pub fn record(
        &self,
        workspace_id: WorkspaceId,
        kind: EventType,
        actor: Actor,
        origin: Origin,
        target: Option<Target>,
        details: Value,
    ) {
        let at = self.clock().now();
        let event = NewEvent { workspace_id, id: EventId::new(at), kind, at, actor, target, origin, details };
        self.inner.recorder.record(event);
    }

    /// Waits until every queued event is written; whether it was within `patience`.
    pub async fn flush(&self, patience: Duration) -> bool {
        self.inner.recorder.flush(patience).await
    }

    /// Brings the snapshots up to what the database holds.
    pub async fn refresh(&self) -> Result<()> {
        self.inner.refresh().await
    }

    /// The snapshot that a change makes, read inside of it; none where something cannot be read.
    pub(crate) async fn next(&self, tx: &mut Tx, id: WorkspaceId, version: i64) -> Result<Option<Workspace>> {
        let known = self.workspace(id);
        match refresh::bring_up(tx, &self.inner.sealer, id, known, version, self.clock().now()).await {
            Ok(next) => Ok(Some(next)),
            // Somebody else's row may be at fault: no reason to refuse this change.
            Err(Error::Corrupt(..) | Error::Unsealable) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Shows the snapshot of a change that is committed, unless a later one is shown already.
    pub(crate) async fn show(&self, next: Workspace) {
        let _turn = self.inner.refreshing.lock().await;
        let mut world = World::clone(&self.inner.world.load_full());
        if world.workspaces.get(&next.id).is_none_or(|known| known.version < next.version) {
            world.workspaces.insert(next.id, Arc::new(next));
            self.inner.swap(world);
        }
    }

    /// Writes what is queued and closes the database.
    pub async fn close(&self, patience: Duration) {
        if !self.flush(patience).await {
            tracing::error!(waiting = self.backlog(), "closed with events unwritten: the database did not answer");
        }
        self.inner.db.close().await;
    }
}

impl Inner {
    pub(crate) async fn refresh(&self) -> Result<()> {
        let _turn = self.refreshing.lock().await;
        let before = self.world.load_full();
        let mut world = World::clone(&before);
        let result = refresh::refresh(&self.db, &self.sealer, &mut world, self.clock.now()).await;
        let is_healthy = !matches!(result, Err(Error::Unavailable(_)));
        if self.healthy.swap(is_healthy, Ordering::Relaxed) != is_healthy {
            if is_healthy {
                tracing::info!("the database answers again");
            } else {
                tracing::error!("the database does not answer; going on with the last snapshot");
            }
        }
        if !world.workspaces.ptr_eq(&before.workspaces) {
            self.swap(world);
        }
        result
    }

    /// Shows a world, and tells whoever holds something against it.
    fn swap(&self, world: World) {
        self.world.store(Arc::new(world));
        self.swaps.send_modify(|count| *count += 1);
    }
}
