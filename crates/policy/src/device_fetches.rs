use provost_model::event::{EventType, Target};
use provost_model::{DeviceEnrolmentId, Policy, PolicyId, WorkspaceId};
use provost_web::{App, EnrolledDevice, First, Repeats};
use serde_json::json;

/// Records which policy machines fetched through which device enrolment: the first at once, its like
/// within a minute together, since all machines of an enrolment are one caller.
#[derive(Clone, Default)]
pub(crate) struct DeviceFetches {
    recent: Repeats<Fetch>,
}

/// What makes two fetches equal.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Fetch {
    workspace_id: WorkspaceId,
    enrolment_id: DeviceEnrolmentId,
    policy: Option<(PolicyId, u32)>,
}

impl DeviceFetches {
    /// Records a fetch.
    pub(crate) fn record(&self, app: &App, device: &EnrolledDevice, policy: Option<&Policy>) {
        let fetch = Fetch {
            workspace_id: device.workspace.id,
            enrolment_id: device.enrolment.id,
            policy: policy.map(|policy| (policy.id, policy.version)),
        };
        let Some(first) = self.recent.note(fetch, |fetch| fetch) else { return };
        write(app, device, policy, 1);
        tokio::spawn(close(app.clone(), device.clone(), first));
    }
}

async fn close(app: App, device: EnrolledDevice, first: First<Fetch>) {
    let repeats = first.repeats().await;
    if repeats > 0 {
        let policy = first.key.policy.and_then(|(id, _)| device.workspace.policies.get(&id).cloned());
        write(&app, &device, policy.as_deref(), repeats);
    }
}

fn write(app: &App, device: &EnrolledDevice, policy: Option<&Policy>, count: u64) {
    let target = policy.map(|policy| Target::new("policy", policy.id, policy.name.as_ref()));
    let details = json!({
        "version": policy.map(|policy| policy.version), "endpoint": "device", "count": count,
        "device_enrolment": device.enrolment.name,
    });
    let (actor, origin) = (device.actor(), device.origin.clone());
    app.store.record(device.workspace.id, EventType::PolicyFetched, actor, origin, target, details);
}
