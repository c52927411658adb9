//! Events of the hot path: handed over in memory, written in batches.
//!
//! Policy fetches, turns and refusals must not wait for the database, nor fail with it. They are
//! queued here, and a task of its own writes what has gathered in one transaction. While the
//! database is away they stay queued; only when the queue is full is one dropped, and then an
//! `events.lost` says how many.

use std::collections::HashMap;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provost_model::event::{Actor, EventType, NewEvent, Origin};
use provost_model::{Clock, EventId, WorkspaceId};
use tokio::sync::{mpsc, oneshot};

use crate::db::Db;
use crate::{Error, Result, ledger};

/// How many events wait at most: some minutes of a large fleet, some hundred bytes each.
const QUEUE: usize = 100_000;
/// How many go into one transaction.
const BATCH: usize = 1_000;
/// How long the writer lets events gather before it writes them.
const GATHER: Duration = Duration::from_millis(50);
/// How long the writer waits after a failure.
const PAUSE: Duration = Duration::from_millis(500);

enum Message {
    Event(Box<NewEvent>),
    /// Answered when everything queued before has been written or given up.
    Flush(oneshot::Sender<()>),
}

/// The queue's entrance.
#[derive(Clone)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<Message>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How many events are queued or in the writer's hands.
    waiting: AtomicUsize,
    /// How many events of each workspace are lost and not yet confessed.
    lost: Mutex<HashMap<WorkspaceId, u64>>,
}

impl State {
    fn lose(&self, workspace_id: WorkspaceId) {
        *self.lost.lock().expect("nobody panics while counting").entry(workspace_id).or_default() += 1;
    }

    fn take_lost(&self) -> HashMap<WorkspaceId, u64> {
        std::mem::take(&mut *self.lost.lock().expect("nobody panics while counting"))
    }
}

impl Recorder {
    /// Starts the writer.
    pub(crate) fn start(db: Db, clock: Clock) -> Self {
        Self::with_room(QUEUE, db, clock)
    }

    fn with_room(room: usize, db: Db, clock: Clock) -> Self {
        let (queue, waiting) = mpsc::channel(room);
        let state = Arc::new(State::default());
        tokio::spawn(Writer { db, clock, waiting, state: state.clone() }.run());
        Self { queue, state }
    }

    /// Queues an event. Never waits.
    pub(crate) fn record(&self, event: NewEvent) {
        let workspace_id = event.workspace_id;
        self.state.waiting.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(Message::Event(Box::new(event))).is_err() {
            self.state.waiting.fetch_sub(1, Ordering::Relaxed);
            self.state.lose(workspace_id);
        }
    }

    /// How many events wait.
    pub(crate) fn backlog(&self) -> usize {
        self.state.waiting.load(Ordering::Relaxed)
    }

    /// Waits until everything queued so far is written, or `patience` is over; whether it was.
    pub(crate) async fn flush(&self, patience: Duration) -> bool {
        let (done, wait) = oneshot::channel();
        let flushed = async { self.queue.send(Message::Flush(done)).await.is_ok() && wait.await.is_ok() };
        tokio::time::timeout(patience, flushed).await.unwrap_or(false)
    }
}

struct Writer {
    db: Db,
    clock: Clock,
    waiting: mpsc::Receiver<Message>,
    state: Arc<State>,
}

impl Writer {
    async fn run(mut self) {
        let mut messages = Vec::with_capacity(BATCH);
        while let Some(first) = self.waiting.recv().await {
            let urgent = matches!(first, Message::Flush(_));
            messages.push(first);
            if !urgent {
                tokio::time::sleep(GATHER).await;
            }
            while messages.len() < BATCH
                && let Ok(message) = self.waiting.try_recv()
            {
                messages.push(message);
            }
            let mut flushed = Vec::new();
            let mut by_workspace: HashMap<WorkspaceId, Vec<NewEvent>> = HashMap::new();
            let mut taken = 0;
            for message in messages.drain(..) {
                match message {
                    Message::Event(event) => {
                        by_workspace.entry(event.workspace_id).or_default().push(*event);
                        taken += 1;
                    }
                    Message::Flush(done) => flushed.push(done),
                }
            }
            for (workspace_id, lost) in self.state.take_lost() {
                by_workspace.entry(workspace_id).or_default().push(self.confession(workspace_id, lost));
            }
            for (workspace_id, events) in by_workspace {
                self.write(workspace_id, &events).await;
            }
            self.state.waiting.fetch_sub(taken, Ordering::Relaxed);
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    /// Writes; what the database will never take is given up, so that it does not hold back the rest.
    async fn write(&self, workspace_id: WorkspaceId, events: &[NewEvent]) {
        if self.persist(workspace_id, events).await.is_ok() {
            return;
        }
        for event in events {
            if let Err(error) = self.persist(workspace_id, slice::from_ref(event)).await {
                tracing::error!(%error, workspace = %workspace_id, kind = event.kind.as_str(), "an event is lost");
                // A confession that is refused is not confessed again.
                if event.kind != EventType::EventsLost {
                    self.state.lose(workspace_id);
                }
            }
        }
    }

    /// Writes all or nothing, however long the database is away: what comes meanwhile waits in the
    /// queue. An error is the database's refusal.
    async fn persist(&self, workspace_id: WorkspaceId, events: &[NewEvent]) -> Result<()> {
        loop {
            match self.try_write(workspace_id, events).await {
                Err(error @ Error::Unavailable(_)) => {
                    tracing::warn!(%error, waiting = events.len(), "events cannot be written; will try again");
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
    }

    async fn try_write(&self, workspace_id: WorkspaceId, events: &[NewEvent]) -> Result<()> {
        let mut tx = self.db.write().await?;
        ledger::append(&mut tx, workspace_id, events).await?;
        tx.commit().await
    }

    fn confession(&self, workspace_id: WorkspaceId, lost: u64) -> NewEvent {
        let at = self.clock.now();
        NewEvent {
            workspace_id,
            id: EventId::new(at),
            kind: EventType::EventsLost,
            at,
            actor: Actor::system(),
            target: None,
            origin: Origin::default(),
            details: serde_json::json!({ "count": lost }),
        }
    }
}

#[cfg(test)]
mod tests {
    use provost_model::Settings;

    use super::*;
    use crate::ledger::{Filter, list};
    use crate::migrate::migrate;
    use crate::tables::workspaces;

    #[tokio::test]
    async fn what_no_longer_fits_is_counted_in_its_own_ledger() -> Result<()> {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let db = Db::open(&format!("sqlite:{}", dir.path().join("db").display()), 1).await?;
        let clock = Clock::system();
        let now = clock.now();
        migrate(&db, now).await?;
        let (a, b) = (WorkspaceId::new(now), WorkspaceId::new(now));
        let mut tx = db.write().await?;
        for id in [a, b] {
            workspaces::insert(&mut tx, id, &Settings::default(), now).await?;
        }
        tx.commit().await?;

        let recorder = Recorder::with_room(4, db.clone(), clock);
        for workspace_id in [a, a, a, a, a, a, b] {
            recorder.record(NewEvent {
                workspace_id,
                id: EventId::new(now),
                kind: EventType::TurnCompleted,
                at: now,
                actor: Actor::system(),
                target: None,
                origin: Origin::default(),
                details: serde_json::json!({}),
            });
        }
        assert_eq!(recorder.backlog(), 4);
        assert!(recorder.flush(Duration::from_secs(10)).await);
        let mut tx = db.read().await?;
        let mut counts = Vec::new();
        for id in [a, b] {
            let events = list(&mut tx, id, &Filter { limit: 100, ..Filter::default() }).await?;
            let turns = events.iter().filter(|event| event.kind == EventType::TurnCompleted).count();
            let lost = events.iter().find(|event| event.kind == EventType::EventsLost);
            counts.push((turns, lost.and_then(|event| event.details["count"].as_i64())));
        }
        assert_eq!(counts, [(4, Some(2)), (0, Some(1))]);
        Ok(())
    }
}
