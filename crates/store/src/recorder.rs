//! Events of the hot path: handed over in memory, written in batches.
//!
//! Policy fetches, turns and refusals must not wait for the database, nor fail with it. They are
//! queued here, and a task of its own writes what has gathered in one transaction. While the
//! database is away they stay queued; only when the queue is full is one dropped, and then an
//! `events.lost` says how many.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use provost_model::event::{Actor, EventType, NewEvent, Origin};
use provost_model::{Clock, EventId, WorkspaceId};
use tokio::sync::{mpsc, oneshot};

use crate::db::Db;
use crate::{Result, ledger};

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
    lost: Arc<AtomicU64>,
}

impl Recorder {
    /// Starts the writer.
    pub(crate) fn start(db: Db, clock: Clock) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        tokio::spawn(Writer { db, clock, waiting, lost: lost.clone() }.run());
        Self { queue, lost }
    }

    /// Queues an event. Never waits.
    pub(crate) fn record(&self, event: NewEvent) {
        if self.queue.try_send(Message::Event(Box::new(event))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many events wait.
    pub(crate) fn backlog(&self) -> usize {
        QUEUE - self.queue.capacity()
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
    lost: Arc<AtomicU64>,
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
            for message in messages.drain(..) {
                match message {
                    Message::Event(event) => by_workspace.entry(event.workspace_id).or_default().push(*event),
                    Message::Flush(done) => flushed.push(done),
                }
            }
            for (workspace_id, mut events) in by_workspace {
                self.write(workspace_id, &mut events).await;
            }
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    /// Writes, however long it takes: what comes meanwhile waits in the queue.
    async fn write(&self, workspace_id: WorkspaceId, events: &mut Vec<NewEvent>) {
        loop {
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                events.push(self.confession(workspace_id, lost));
            }
            match self.try_write(workspace_id, events).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, waiting = events.len(), "events cannot be written; will try again");
                    if lost > 0 {
                        events.pop();
                        self.lost.fetch_add(lost, Ordering::Relaxed);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
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
