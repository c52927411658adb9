use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::{SignedDuration, Timestamp};
use provost_model::event::{Actor, EventType, NewEvent, Origin, Target};
use provost_model::{Clock, EventId, Settings, Workspace, WorkspaceId, World};
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::change::Change;
use crate::db::{Db, Tx};
use crate::follow::follow;
use crate::keeper::keep;
use crate::last_good::KeepLastGood;
use crate::opening::{Opened, open};
use crate::recorder::Recorder;
use crate::recovery::{Degraded, come_back};
use crate::seal::follow::follow_keys;
use crate::seal::random;
use crate::tables::signing_keys::SigningKeyRow;
use crate::{Error, MasterKeys, Result, Sealer, refresh, tables};

/// How a store is opened.
pub struct Options {
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: String,
    /// How many connections to PostgreSQL.
    pub connections: u32,
    /// Wrap the keys that seal what is secret.
    pub master_keys: MasterKeys,
    /// The time.
    pub clock: Clock,
    /// Where the last good snapshot is kept, that stands in for a database that is away; none is nowhere.
    pub last_good: Option<KeepLastGood>,
}

impl Options {
    /// SQLite in this file.
    pub fn sqlite(path: PathBuf, master_keys: MasterKeys, clock: Clock) -> Self {
        Self { database_url: format!("sqlite:{}", path.display()), connections: 4, master_keys, clock, last_good: None }
    }
}

/// The memory. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: Db,
    /// What it goes by among the stores on one database.
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) sealer: Sealer,
    pub(crate) world: ArcSwap<World>,
    /// Counts how often `world` was replaced.
    swaps: watch::Sender<u64>,
    /// Held while the snapshots are brought up to date, so that an older one never replaces a newer.
    pub(crate) refreshing: Mutex<()>,
    recorder: Recorder,
    /// Since when and why the database is away, while it is.
    pub(crate) degraded: ArcSwapOption<Degraded>,
    /// When the snapshots were last known to be what the database holds, in microseconds since 1970.
    confirmed_at: AtomicI64,
    pub(crate) last_good: Option<KeepLastGood>,
    /// The signing keys of the last good snapshot, where the store began with it.
    kept_keys: Vec<SigningKeyRow>,
}

impl Store {
    /// Opens the database, migrates it, and reads the snapshots. Where that cannot be, begins with the
    /// last good snapshot, if one is kept.
    pub async fn open(options: Options) -> Result<Self> {
        let now = options.clock.now();
        let (db, sealer, world, last_good) = match open(&options).await? {
            Opened::Database(db, sealer, world) => (db, sealer, world, None),
            Opened::LastGood(db, sealer, found, reason) => (db, sealer, found.world(), Some((found, reason))),
        };
        let recorder = Recorder::start(db.clone(), options.clock.clone());
        let name = provost_model::hex(&random::<8>());
        let inner = Inner {
            db,
            name: name.clone(),
            clock: options.clock,
            sealer,
            world: ArcSwap::from_pointee(world),
            swaps: watch::Sender::new(0),
            refreshing: Mutex::new(()),
            recorder,
            degraded: ArcSwapOption::from_pointee(last_good.as_ref().map(|(found, reason)| Degraded {
                since: now,
                reason,
                as_of: found.as_of,
            })),
            confirmed_at: last_good.as_ref().map_or(now, |(found, _)| found.as_of).as_microsecond().into(),
            last_good: options.last_good,
            kept_keys: last_good.map(|(found, _)| found.signing_keys).unwrap_or_default(),
        };
        let store = Self { inner: Arc::new(inner) };
        let weak = Arc::downgrade(&store.inner);
        if !store.inner.db.is_admitted() && store.inner.db.postgres().is_some() {
            tokio::spawn(come_back(weak.clone()));
        }
        tokio::spawn(follow(store.inner.db.clone(), weak.clone(), name));
        tokio::spawn(follow_keys(weak.clone()));
        if store.inner.last_good.is_some() {
            tokio::spawn(keep(weak, store.swaps()));
        }
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
        self.inner.degraded.load().is_none()
    }

    /// Since when and why the database is away, while it is.
    pub fn degraded(&self) -> Option<Degraded> {
        self.inner.degraded.load().as_deref().copied()
    }

    /// The time by which access tokens of signed-in clients are judged: now; and while the database is away,
    /// when it was last there, since nobody can renew a token then. For as long as a last good snapshot is
    /// good for, and not where none is kept.
    pub fn token_time(&self) -> Timestamp {
        let now = self.inner.clock.now();
        match (self.inner.degraded.load().as_deref(), &self.inner.last_good) {
            // Ended client sessions are forgotten once their tokens have died, on a clock that may be a
            // moment ahead: what died in that moment stays dead.
            (Some(degraded), Some(keep)) if now.duration_since(degraded.as_of) <= keep.max_age => {
                now.min(degraded.as_of + SignedDuration::from_secs(5))
            }
            _ => now,
        }
    }

    /// The signing keys to go on with, while the store runs on the last good snapshot that it began with.
    pub fn kept_signing_keys(&self) -> Option<&[SigningKeyRow]> {
        (!self.inner.db.is_admitted()).then_some(self.inner.kept_keys.as_slice())
    }

    /// Writes the last good snapshot now. It is written by itself soon after each change of a workspace;
    /// what it holds beside those (signing keys) is told here.
    pub async fn keep_last_good(&self) -> Result<()> {
        self.inner.keep_last_good().await
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
            Err(Error::Corrupt(..) | Error::Unsealable | Error::UnknownDataKey(_)) => Ok(None),
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
        if let Err(error) = self.inner.keep_last_good().await {
            tracing::warn!(%error, "the last good snapshot was not written");
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
        match &result {
            Err(Error::Unavailable(_)) => self.lose(self.clock.now()),
            _ => self.confirm(self.clock.now()),
        }
        if !world.workspaces.ptr_eq(&before.workspaces) {
            self.swap(world);
        }
        result
    }

    /// When the snapshots were last known to be what the database holds.
    pub(crate) fn confirmed_at(&self) -> Timestamp {
        let micros = self.confirmed_at.load(Ordering::Relaxed);
        Timestamp::from_microsecond(micros).expect("it was a time before")
    }

    pub(crate) fn note_confirmed(&self, at: Timestamp) {
        self.confirmed_at.store(at.as_microsecond(), Ordering::Relaxed);
    }

    /// That the data keys changed, which the last good snapshot has beside it: it is written again soon.
    pub(crate) fn note_keys(&self) {
        self.swaps.send_modify(|count| *count += 1);
    }

    /// Shows a world, and tells whoever holds something against it.
    pub(crate) fn swap(&self, world: World) {
        self.world.store(Arc::new(world));
        self.swaps.send_modify(|count| *count += 1);
    }
}
