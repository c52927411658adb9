//! Clients are told to report what they run with: another fragment rides along with the policy.

use std::sync::Arc;

use provost_model::lint::{self, Problem};
use provost_model::{Bundle, Permission, Workspace};
use provost_web::{App, Client, telemetry_token};
use serde_json::json;

/// The bundle of a client with the place where it reports; none if the workspace has it report nothing, or
/// the policy says itself where to. Clients before the bundle (0.136) report nothing.
pub(crate) fn with_telemetry(app: &App, client: &Client, bundle: &Bundle) -> Option<Arc<[u8]>> {
    let is_asked = client.workspace.settings.telemetry && client.may(Permission::CodexLocalUse);
    if !is_asked || bundle.names_otel {
        return None;
    }
    let token = telemetry_token(app.store.sealer(), client, app.store.clock().now());
    let fragment = json!({
        "id": "telemetry",
        "name": "Provost telemetry",
        "contents": requirements(&app.public_url, &token),
    });
    bundle.with_fragment(&fragment.to_string()).map(Arc::from)
}

/// What there is to say of a policy in a workspace that has its clients report, and that those of this policy do not.
pub(crate) fn warning(workspace: &Workspace, contents: &str) -> Option<Problem> {
    if workspace.settings.telemetry { lint::own_otel(contents) } else { None }
}

/// What a developer says and what the agent answers stays on the machine, and so do the results of tools.
/// The words of commands are dropped where they arrive, unless the workspace records them.
fn requirements(public_url: &str, token: &str) -> String {
    format!(
        "[otel]\nlog_user_prompt = false\nlog_agent_responses = false\n\
         log_sse_deltas = false\nlog_guardian_assessments = false\n\n\
         [otel.tool_result]\nmax_bytes = 0\n\n\
         [otel.exporter.otlp-http]\nendpoint = \"{public_url}/otlp/v1/logs\"\nprotocol = \"json\"\n\n\
         [otel.exporter.otlp-http.headers]\nauthorization = \"Bearer {token}\"\n"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn clients_take_what_is_added() {
        let problems = provost_model::lint::requirements(&super::requirements("https://x.example", "tt-a_b.c"));
        assert!(problems.is_empty(), "{problems:?}");
    }
}
