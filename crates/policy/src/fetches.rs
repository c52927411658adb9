//! Who fetched which policy, for the events: a member's client, or the machines of a device enrolment, which
//! are one caller.

use std::sync::Arc;

use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{DeviceEnrolmentId, MemberId, Policy, PolicyId, Workspace, WorkspaceId};
use provost_web::{App, Client, EnrolledDevice, First, Repeats};
use serde_json::{Value, json};

/// Records who fetched which policy.
#[derive(Clone, Default)]
pub(crate) struct Fetches {
    recent: Repeats<Fetch>,
}

/// What makes two fetches equal.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Fetch {
    workspace_id: WorkspaceId,
    by: By,
    policy: Option<(PolicyId, u32)>,
    endpoint: &'static str,
}

/// Whose fetch it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Member(MemberId),
    Enrolment(DeviceEnrolmentId),
}

/// Who fetches.
pub(crate) trait Fetcher: Clone + Send + 'static {
    fn workspace(&self) -> &Arc<Workspace>;
    fn by(&self) -> By;
    fn actor(&self) -> Actor;
    fn origin(&self) -> &Origin;
    /// What its events hold besides.
    fn add_details(&self, _details: &mut Value) {}
}

impl Fetcher for Client {
    fn workspace(&self) -> &Arc<Workspace> {
        &self.workspace
    }
    fn by(&self) -> By {
        By::Member(self.member.id)
    }
    fn actor(&self) -> Actor {
        Self::actor(self)
    }
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Fetcher for EnrolledDevice {
    fn workspace(&self) -> &Arc<Workspace> {
        &self.workspace
    }
    fn by(&self) -> By {
        By::Enrolment(self.enrolment.id)
    }
    fn actor(&self) -> Actor {
        Self::actor(self)
    }
    fn origin(&self) -> &Origin {
        &self.origin
    }
    fn add_details(&self, details: &mut Value) {
        details["device_enrolment"] = json!(self.enrolment.name);
    }
}

impl Fetches {
    /// Records a fetch: the first at once, its like within the window together when that is over.
    pub(crate) fn record(&self, app: &App, who: &impl Fetcher, policy: Option<&Policy>, endpoint: &'static str) {
        let fetch = Fetch {
            workspace_id: who.workspace().id,
            by: who.by(),
            policy: policy.map(|policy| (policy.id, policy.version)),
            endpoint,
        };
        let Some(first) = self.recent.note(fetch, |fetch| fetch) else { return };
        write(app, who, policy, endpoint, 1);
        tokio::spawn(close(app.clone(), who.clone(), first));
    }
}

async fn close(app: App, who: impl Fetcher, first: First<Fetch>) {
    let repeats = first.repeats().await;
    if repeats > 0 {
        let policy = first.key.policy.and_then(|(id, version)| {
            let published = who.workspace().policies.get(&id)?;
            let candidate = published.rollout.as_ref().map(|rollout| &rollout.candidate);
            candidate.filter(|candidate| candidate.version == version).or(Some(published)).cloned()
        });
        write(&app, &who, policy.as_deref(), first.key.endpoint, repeats);
    }
}

fn write(app: &App, who: &impl Fetcher, policy: Option<&Policy>, endpoint: &'static str, count: u64) {
    let target = policy.map(|policy| Target::new("policy", policy.id, policy.name.as_ref()));
    let mut details = json!({ "version": policy.map(|policy| policy.version), "endpoint": endpoint, "count": count });
    who.add_details(&mut details);
    let (ws, actor, origin) = (who.workspace().id, who.actor(), who.origin().clone());
    app.store.record(ws, EventType::PolicyFetched, actor, origin, target, details);
}
