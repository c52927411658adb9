//! What runs for somebody: streams of a model. They end when their caller may no longer have them,
//! whatever took it away, because they are held to the same snapshot as a new request would be.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use provost_model::{MemberId, Permission, TokenHash, Workspace, WorkspaceId, World};
use provost_store::Store;
use tokio::sync::oneshot;

use crate::{Client, Via};

/// Why something that ran was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its member is suspended or gone.
    Deprovisioned,
    /// Its member may not use Codex Local any more.
    NotPermitted,
    /// The token or the client session that it began with was revoked.
    CredentialRevoked,
}

impl Ended {
    /// For events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deprovisioned => "deprovisioned",
            Self::NotPermitted => "not_permitted",
            Self::CredentialRevoked => "credential_revoked",
        }
    }
}

/// Whose something is that runs, and on what it rests: what is asked again of each new snapshot.
#[derive(Debug, Clone, Copy)]
struct Standing {
    workspace_id: WorkspaceId,
    member_id: MemberId,
    via: Via,
    /// Of a personal access token.
    token: Option<TokenHash>,
}

impl Standing {
    /// Whether a snapshot takes it away. A token that expires meanwhile does not: it was good when
    /// the turn began.
    fn ended(&self, workspace: &Workspace) -> Option<Ended> {
        let Some(member) = workspace.members.get(&self.member_id).filter(|member| member.active) else {
            return Some(Ended::Deprovisioned);
        };
        if !workspace.may(member, Permission::CodexLocalUse) {
            return Some(Ended::NotPermitted);
        }
        let is_revoked = match self.via {
            Via::Grant(id) => workspace.revoked_grants.contains_key(&id),
            Via::AccessToken(_) => self.token.is_some_and(|hash| !workspace.access_tokens.contains_key(&hash)),
        };
        is_revoked.then_some(Ended::CredentialRevoked)
    }
}

/// Everything that runs on this node. Cheap to clone; every clone is the same one.
#[derive(Debug, Clone, Default)]
pub struct Running {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    by_workspace: HashMap<WorkspaceId, Place>,
}

#[derive(Debug, Default)]
struct Place {
    /// The snapshot that all of `streams` have been held to.
    version: i64,
    streams: HashMap<u64, (Standing, oneshot::Sender<Ended>)>,
}

impl Running {
    /// Notes that something runs for a client, from now until the guard is dropped.
    pub fn enter(&self, store: &Store, client: &Client) -> RunningGuard {
        let standing = Standing {
            workspace_id: client.workspace.id,
            member_id: client.member.id,
            via: client.via,
            token: client.token,
        };
        let (cut, ended) = oneshot::channel();
        let mut inner = self.lock();
        inner.next += 1;
        let number = inner.next;
        let place = inner.by_workspace.entry(standing.workspace_id).or_default();
        place.streams.insert(number, (standing, cut));
        drop(inner);
        // A snapshot that came since the client was looked up, and before it was in the list, has
        // been missed: so it is asked of the one that is there now.
        let gone = match store.workspace(standing.workspace_id) {
            Some(workspace) => standing.ended(&workspace),
            None => Some(Ended::Deprovisioned),
        };
        if let Some(reason) = gone {
            self.remove(standing.workspace_id, number, Some(reason));
        }
        RunningGuard { running: self.clone(), workspace_id: standing.workspace_id, number, ended }
    }

    /// Ends what the snapshots take away; how many of whom. Workspaces that have not changed since
    /// cost nothing.
    pub fn sweep(&self, world: &World) -> HashMap<MemberId, i64> {
        let mut cut = HashMap::new();
        let mut inner = self.lock();
        for (id, place) in &mut inner.by_workspace {
            let workspace = world.workspaces.get(id);
            let version = workspace.map_or(-1, |workspace| workspace.version);
            if place.version == version {
                continue;
            }
            place.version = version;
            let ended = |standing: &Standing| match workspace {
                Some(workspace) => standing.ended(workspace),
                None => Some(Ended::Deprovisioned),
            };
            for (_, (standing, sender)) in place.streams.extract_if(|_, (standing, _)| ended(standing).is_some()) {
                *cut.entry(standing.member_id).or_default() += 1;
                // Nobody listens where it has just ended by itself.
                let _ = sender.send(ended(&standing).unwrap_or(Ended::Deprovisioned));
            }
        }
        inner.by_workspace.retain(|_, place| !place.streams.is_empty());
        cut
    }

    /// How many run.
    pub fn count(&self) -> usize {
        self.lock().by_workspace.values().map(|place| place.streams.len()).sum()
    }

    fn remove(&self, workspace_id: WorkspaceId, number: u64, reason: Option<Ended>) {
        let mut inner = self.lock();
        let found = inner.by_workspace.get_mut(&workspace_id).and_then(|place| place.streams.remove(&number));
        if let Some(((_, sender), reason)) = found.zip(reason) {
            let _ = sender.send(reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that runs. Dropped, it does no more.
#[derive(Debug)]
pub struct RunningGuard {
    running: Running,
    workspace_id: WorkspaceId,
    number: u64,
    ended: oneshot::Receiver<Ended>,
}

impl RunningGuard {
    /// Ready when it must end, and why. Not to be polled again after that.
    pub fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        match Pin::new(&mut self.ended).poll(cx) {
            Poll::Ready(Ok(reason)) => Poll::Ready(reason),
            // Its sender goes nowhere but into `send`.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }

    /// Waits until it must end.
    pub async fn ended(&mut self) -> Ended {
        std::future::poll_fn(|cx| self.poll_ended(cx)).await
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.running.remove(self.workspace_id, self.number, None);
    }
}
