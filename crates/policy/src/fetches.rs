use provost_model::event::{EventType, Origin, Target};
use provost_model::{MemberId, Policy, PolicyId, WorkspaceId};
use provost_web::{App, Client, First, Repeats};
use serde_json::json;

/// Records who fetched which policy.
#[derive(Clone, Default)]
pub(crate) struct Fetches {
    recent: Repeats<Fetch>,
}

/// What makes two fetches equal.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Fetch {
    workspace_id: WorkspaceId,
    member_id: MemberId,
    policy: Option<(PolicyId, u32)>,
    endpoint: &'static str,
}

impl Fetches {
    /// Records a fetch: the first at once, its like within the window together when that is over.
    pub(crate) fn record(&self, app: &App, client: &Client, policy: Option<&Policy>, endpoint: &'static str) {
        let fetch = Fetch {
            workspace_id: client.workspace.id,
            member_id: client.member.id,
            policy: policy.map(|policy| (policy.id, policy.version)),
            endpoint,
        };
        let Some(first) = self.recent.note(fetch, |fetch| fetch) else { return };
        write(app, client, policy, endpoint, 1);
        tokio::spawn(close(app.clone(), client.clone(), first));
    }
}

async fn close(app: App, client: Client, first: First<Fetch>) {
    let repeats = first.repeats().await;
    if repeats > 0 {
        let policy = first.key.policy.and_then(|(id, version)| {
            let published = client.workspace.policies.get(&id)?;
            let candidate = published.rollout.as_ref().map(|rollout| &rollout.candidate);
            candidate.filter(|candidate| candidate.version == version).or(Some(published)).cloned()
        });
        write(&app, &client, policy.as_deref(), first.key.endpoint, repeats);
    }
}

fn write(app: &App, client: &Client, policy: Option<&Policy>, endpoint: &'static str, count: u64) {
    let target = policy.map(|policy| Target::new("policy", policy.id, policy.name.as_ref()));
    let details = json!({ "version": policy.map(|policy| policy.version), "endpoint": endpoint, "count": count });
    let origin: Origin = client.origin.clone();
    app.store.record(client.workspace.id, EventType::PolicyFetched, client.actor(), origin, target, details);
}
