use jiff::Timestamp;
use serde_json::Value;

use super::report::{Feed, MAX_ITEMS, Report, believed, id, sandbox, text};

/// The sessions that analytics events tell of; other events are passed over.
pub(super) fn read(body: &Value, now: Timestamp) -> Vec<Report> {
    let events = body["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().take(MAX_ITEMS).filter_map(|event| report(event, now)).collect()
}

fn report(event: &Value, now: Timestamp) -> Option<Report> {
    let said = &event["event_params"];
    let began = match event["event_type"].as_str()? {
        "codex_thread_initialized" => &said["created_at"],
        "codex_turn_event" => &said["started_at"],
        _ => return None,
    };
    let client = &said["app_server_client"];
    Some(Report {
        feed: Feed::Analytics,
        thread_id: id(&said["thread_id"])?,
        at: believed(began.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok()), now),
        client_version: text(&client["client_version"]),
        originator: text(&client["product_client_id"]),
        model: text(&said["model"]),
        approval_policy: text(&said["approval_policy"]),
        sandbox_policy: sandbox(&said["sandbox_policy"]),
        network_access: match said["sandbox_network_access"].as_bool() {
            Some(true) => "on".to_owned(),
            Some(false) => "off".to_owned(),
            None => String::new(),
        },
    })
}
