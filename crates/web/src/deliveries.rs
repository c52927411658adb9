//! Who was sent which version of which policy, and whether they then got on with their work: counted in
//! memory, and written about every second, so that nobody waits for it and a database that is away
//! stops nobody.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_model::{AccessTokenId, ClientVersion, DeviceEnrolmentId, GrantId, MemberId, PolicyId, WorkspaceId};
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_store::{Error, Result, Store};
use quick_cache::sync::Cache;

use crate::{Client, EnrolledDevice, Via};

/// What gathers for so long is written together.
const GATHER: Duration = Duration::from_secs(1);
/// How many rows are written in one transaction.
const BATCH: usize = 4_096;
/// How many rows wait at most while the database is away: a large fleet, once.
const ROOM: usize = 200_000;
/// Of how many devices it is remembered what they were sent last.
const REMEMBERED: usize = 100_000;
/// The same again within so long is not counted.
const AGAIN: SignedDuration = SignedDuration::from_secs(1);
/// For how long a client keeps what it was sent (`client-contract.md` §2.3). One that goes on after that
/// has asked another node.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// The credential that a client calls with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// A client session.
    Grant(GrantId),
    /// An access token.
    AccessToken(AccessTokenId),
    /// An address for machines.
    Enrolment(DeviceEnrolmentId),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(id) => id.fmt(f),
            Self::AccessToken(id) => id.fmt(f),
            Self::Enrolment(id) => id.fmt(f),
        }
    }
}

impl From<Via> for Device {
    fn from(via: Via) -> Self {
        match via {
            Via::Grant(id) => Self::Grant(id),
            Via::AccessToken(id) => Self::AccessToken(id),
        }
    }
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    workspace_id: WorkspaceId,
    device: Device,
    policy: Option<(PolicyId, u32)>,
    client_version: Option<ClientVersion>,
}

/// What was counted since it was last written.
#[derive(Debug, Clone)]
struct Counted {
    member_id: Option<MemberId>,
    first_at: Timestamp,
    last_at: Timestamp,
    fetches: u32,
    turns: u32,
    failed_turns: u32,
    last_turn_at: Option<Timestamp>,
}

impl Counted {
    fn add(&mut self, more: &Self) {
        self.first_at = self.first_at.min(more.first_at);
        self.last_at = self.last_at.max(more.last_at);
        self.fetches = self.fetches.saturating_add(more.fetches);
        self.turns = self.turns.saturating_add(more.turns);
        self.failed_turns = self.failed_turns.saturating_add(more.failed_turns);
        self.last_turn_at = self.last_turn_at.max(more.last_turn_at);
    }
}

/// What a device was sent last.
#[derive(Debug, Clone, Copy)]
struct Sent {
    policy: Option<(PolicyId, u32)>,
    client_version: Option<ClientVersion>,
    at: Timestamp,
}

/// A turn that began, and what its device had been sent by then.
#[derive(Debug, Clone, Copy)]
pub struct TurnBegun {
    key: Key,
    member_id: MemberId,
    sent_at: Timestamp,
}

/// Notes deliveries and turns. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub struct Deliveries {
    inner: Arc<Inner>,
}

struct Inner {
    sent: Cache<(WorkspaceId, Device), Sent>,
    waiting: Mutex<Waiting>,
    /// Held by who writes, so that whoever flushes waits for what is being written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    rows: HashMap<Key, Counted>,
    /// Whether a task is on its way to write them.
    is_due: bool,
    /// How many did not fit.
    lost: u64,
}

impl Default for Deliveries {
    fn default() -> Self {
        let (waiting, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { inner: Arc::new(Inner { sent: Cache::new(REMEMBERED), waiting, writing }) }
    }
}

impl Deliveries {
    /// Notes that a client was sent a policy at a version (none: no policy).
    pub fn note_fetch(&self, store: &Store, client: &Client, policy: Option<(PolicyId, u32)>) {
        let device = (client.workspace.id, Device::from(client.via));
        self.note_sent(store, device, Some(client.member.id), client.version(), policy);
    }

    /// Notes that a machine without a member was sent a policy.
    pub fn note_device_fetch(&self, store: &Store, machine: &EnrolledDevice, policy: Option<(PolicyId, u32)>) {
        let device = (machine.workspace.id, Device::Enrolment(machine.enrolment.id));
        self.note_sent(store, device, None, machine.version(), policy);
    }

    fn note_sent(
        &self,
        store: &Store,
        (workspace_id, device): (WorkspaceId, Device),
        member_id: Option<MemberId>,
        client_version: Option<ClientVersion>,
        policy: Option<(PolicyId, u32)>,
    ) {
        let at = store.clock().now();
        let known = self.inner.sent.get(&(workspace_id, device));
        let is_again = |sent: Sent| {
            sent.policy == policy && sent.client_version == client_version && at.duration_since(sent.at) < AGAIN
        };
        if known.is_some_and(is_again) {
            return;
        }
        self.inner.sent.insert((workspace_id, device), Sent { policy, client_version, at });
        let counted =
            Counted { member_id, first_at: at, last_at: at, fetches: 1, turns: 0, failed_turns: 0, last_turn_at: None };
        self.count(store, Key { workspace_id, device, policy, client_version }, counted);
    }

    /// What this node sent a client last, and when, if it remembers.
    pub fn sent_to(&self, client: &Client) -> Option<(Option<(PolicyId, u32)>, Timestamp)> {
        let sent = self.inner.sent.get(&(client.workspace.id, Device::from(client.via)))?;
        Some((sent.policy, sent.at))
    }

    /// The policy and version that a client was sent last, as far as this node knows; else what it
    /// would be sent now.
    pub fn begin_turn(&self, store: &Store, client: &Client) -> TurnBegun {
        let now = store.clock().now();
        let (workspace_id, device) = (client.workspace.id, Device::from(client.via));
        let sent = self.inner.sent.get(&(workspace_id, device));
        let sent = sent.filter(|sent| now.duration_since(sent.at) <= KEPT).unwrap_or_else(|| {
            let client_version = client.version();
            let policy = client.workspace.delivery(&client.member, client_version, now).policy;
            Sent { policy: policy.map(|policy| (policy.id, policy.version)), client_version, at: now }
        });
        let Sent { policy, client_version, at } = sent;
        let key = Key { workspace_id, device, policy, client_version };
        TurnBegun { key, member_id: client.member.id, sent_at: at }
    }

    /// Notes how a turn ended: whether the model answered, or the client did not wait.
    pub fn end_turn(&self, store: &Store, begun: TurnBegun, ok: bool) {
        // Only a fetch moves `last_at` on.
        let counted = Counted {
            member_id: Some(begun.member_id),
            first_at: begun.sent_at,
            last_at: begun.sent_at,
            fetches: 0,
            turns: 1,
            failed_turns: u32::from(!ok),
            last_turn_at: Some(store.clock().now()),
        };
        self.count(store, begun.key, counted);
    }

    /// Notes a turn that ended where it began.
    pub fn note_turn(&self, store: &Store, client: &Client, ok: bool) {
        self.end_turn(store, self.begin_turn(store, client), ok);
    }

    fn count(&self, store: &Store, key: Key, counted: Counted) {
        let mut waiting = self.waiting();
        waiting.add(key, counted);
        if std::mem::replace(&mut waiting.is_due, true) {
            return;
        }
        drop(waiting);
        let (deliveries, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            // One more round after each failure: as long as something waits, this task does.
            loop {
                tokio::time::sleep(GATHER).await;
                let is_written = deliveries.write(&store).await;
                let mut waiting = deliveries.waiting();
                if is_written && waiting.rows.is_empty() {
                    waiting.is_due = false;
                    return;
                }
            }
        });
    }

    /// Writes what waits; whether it could be, within `patience`.
    pub async fn flush(&self, store: &Store, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.write(store)).await.unwrap_or(false)
    }

    /// Writes what waits. What cannot be written now waits on.
    async fn write(&self, store: &Store) -> bool {
        let _turn = self.inner.writing.lock().await;
        let (rows, lost) = {
            let mut waiting = self.waiting();
            (std::mem::take(&mut waiting.rows), std::mem::take(&mut waiting.lost))
        };
        if lost > 0 {
            tracing::error!(lost, "policy deliveries are not counted: too many wait for the database");
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        // In one order on every node, so that two of them never wait for each other.
        rows.sort_unstable_by_key(|(key, _)| *key);
        let mut rest = &rows[..];
        while let Some(batch) = rest.get(..BATCH.min(rest.len())).filter(|batch| !batch.is_empty()) {
            match write_batch(store, batch).await {
                Err(error @ Error::Unavailable(_)) => {
                    tracing::debug!(%error, rows = rest.len(), "policy deliveries wait for the database");
                    let mut waiting = self.waiting();
                    rest.iter().for_each(|(key, counted)| waiting.add(*key, counted.clone()));
                    return false;
                }
                Err(error) => tracing::error!(%error, rows = batch.len(), "policy deliveries are not counted"),
                Ok(()) => {}
            }
            rest = &rest[batch.len()..];
        }
        true
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, key: Key, counted: Counted) {
        if let Some(known) = self.rows.get_mut(&key) {
            known.add(&counted);
        } else if self.rows.len() < ROOM {
            self.rows.insert(key, counted);
        } else {
            self.lost += 1;
        }
    }
}

async fn write_batch(store: &Store, batch: &[(Key, Counted)]) -> Result<()> {
    let rows: Vec<DeliveryRow> = batch.iter().map(|(key, counted)| row(key, counted)).collect();
    let mut tx = store.write().await?;
    policy_deliveries::add(&mut tx, &rows).await?;
    tx.commit().await
}

fn row(key: &Key, counted: &Counted) -> DeliveryRow {
    DeliveryRow {
        workspace_id: key.workspace_id,
        device: key.device.to_string(),
        member_id: counted.member_id.map(|id| id.to_string()).unwrap_or_default(),
        policy: key.policy,
        client_version: key.client_version.map(|version| version.to_string()).unwrap_or_default(),
        first_at: counted.first_at,
        last_at: counted.last_at,
        fetches: counted.fetches,
        turns: counted.turns,
        failed_turns: counted.failed_turns,
        last_turn_at: counted.last_turn_at,
    }
}
