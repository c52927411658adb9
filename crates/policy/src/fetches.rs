use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use provost_model::event::{EventType, Origin, Target};
use provost_model::{MemberId, Policy, PolicyId, WorkspaceId};
use provost_web::{App, Client};
use serde_json::json;

/// Equal fetches within so long are one event with a count: a client that starts in a loop must not
/// bury the trail.
const WINDOW: Duration = Duration::from_secs(60);

/// Records who fetched which policy.
#[derive(Clone, Default)]
pub(crate) struct Fetches {
    recent: Arc<Mutex<HashMap<Fetch, u64>>>,
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
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repeats) = recent.get_mut(&fetch) {
            *repeats += 1;
            return;
        }
        recent.insert(fetch.clone(), 0);
        drop(recent);
        write(app, client, policy, endpoint, 1);
        tokio::spawn(self.clone().close(app.clone(), client.clone(), fetch));
    }

    async fn close(self, app: App, client: Client, fetch: Fetch) {
        tokio::time::sleep(WINDOW).await;
        let repeats = self.recent.lock().unwrap_or_else(PoisonError::into_inner).remove(&fetch).unwrap_or(0);
        if repeats > 0 {
            let policy = fetch.policy.and_then(|(id, _)| client.workspace.policies.get(&id).cloned());
            write(&app, &client, policy.as_deref(), fetch.endpoint, repeats);
        }
    }
}

fn write(app: &App, client: &Client, policy: Option<&Policy>, endpoint: &'static str, count: u64) {
    let target = policy.map(|policy| Target::new("policy", policy.id, policy.name.as_ref()));
    let details = json!({ "version": policy.map(|policy| policy.version), "endpoint": endpoint, "count": count });
    let origin: Origin = client.origin.clone();
    app.store.record(client.workspace.id, EventType::PolicyFetched, client.actor(), origin, target, details);
}
