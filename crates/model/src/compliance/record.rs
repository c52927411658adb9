//! How a record is written.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{LogType, Shape, shape};
use crate::WorkspaceId;
use crate::event::{Actor, ActorKind, Event, EventType};
use crate::surface::client_id;

/// A line of a log file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Of which file.
    pub log: LogType,
    /// When the event happened.
    pub at: Timestamp,
    /// The line, without its end.
    pub json: Value,
}

/// The records of an event: one, and two of a turn. The first has the event's id as its `event_id`; the second
/// the same with `-log` behind, so that whoever drops what they have seen drops neither for the other.
pub fn record(ws: WorkspaceId, event: &Event) -> Vec<Record> {
    let line = |log, id: String, more: Value| {
        let mut json = envelope(ws, event, log, id);
        if let (Some(json), Value::Object(more)) = (json.as_object_mut(), more) {
            json.extend(more);
        }
        Record { log, at: event.at, json }
    };
    let id = event.id.to_string();
    match shape(event.kind) {
        Shape::Auth(action) => vec![line(LogType::Auth, id, json!({ "action_data": auth(event, action) }))],
        Shape::Audit(action, result, is_admin) => {
            vec![line(LogType::Audit, id, audit(event, action, result, is_admin))]
        }
        Shape::Codex(kind) => vec![line(LogType::Codex, id, codex(ws, event, kind))],
        Shape::Security(kind) => vec![line(LogType::CodexSecurity, id, codex(ws, event, kind))],
        Shape::Turn => {
            let said = codex(ws, event, "PROMPT_RESPONSE_RECEIVED");
            vec![line(LogType::CodexTurn, id.clone(), turn(event)), line(LogType::Codex, format!("{id}-log"), said)]
        }
    }
}

/// What every record begins with. What is not known is null.
fn envelope(ws: WorkspaceId, event: &Event, log: LogType, id: String) -> Value {
    json!({
        "event_id": id,
        "type": log.as_str(),
        "timestamp": event.at,
        "principal": { "id": ws, "type": "CHATGPT_WORKSPACE" },
        "actor": actor(&event.actor),
        "request_metadata": {
            "client_ip": event.origin.ip,
            "client_ip_details": null,
            "client_user_agent": event.origin.user_agent,
            "client_ja3": null,
            "client_ja4": null,
            "destination_hostname": null,
        },
    })
}

/// Who did it; null is Provost itself.
fn actor(actor: &Actor) -> Value {
    match actor.kind {
        ActorKind::Member | ActorKind::Anonymous => {
            json!({ "type": "ACCOUNT_USER", "user_id": actor.id, "user_email": actor.email })
        }
        ActorKind::ApiKey | ActorKind::Device => {
            json!({ "type": "API_KEY", "redacted_id": null, "credential_id": actor.id })
        }
        ActorKind::System => Value::Null,
    }
}

fn auth(event: &Event, action: &str) -> Value {
    let said = &event.details;
    let provider = [&said["connection"], &said["provider"], &said["method"]].into_iter().find(|said| said.is_string());
    json!({
        "action": action, "role": said["role"], "auth_provider_name": provider, "details": said,
    })
}

fn audit(event: &Event, action: &str, result: &str, is_admin: bool) -> Value {
    let mut action = action;
    let mut data = json!({ "event": event.kind.as_str(), "target": event.target, "details": event.details });
    match event.kind {
        // The documented shape is of one switch; more at once, or another setting, are told as what they are.
        EventType::SettingsUpdated => match one_toggle(&event.details) {
            Some((feature, value)) => {
                data["feature"] = json!(feature);
                data["value"] = json!(value);
            }
            None => action = "WORKSPACE_UPDATE_SETTINGS",
        },
        EventType::MemberUpdated if event.details["changed"]["builtin_role"].is_null() => action = "USER_UPDATE",
        _ => {}
    }
    json!({
        "action": action,
        "action_result": result,
        "action_privilege": if is_admin { "ADMIN" } else { "STANDARD_USER" },
        "action_data": data,
    })
}

fn one_toggle(details: &Value) -> Option<(&str, bool)> {
    let changed = details["changed"].as_object()?;
    let (feature, values) = changed.iter().next().filter(|_| changed.len() == 1)?;
    Some((feature, values["after"].as_bool()?))
}

fn codex(ws: WorkspaceId, event: &Event, kind: &str) -> Value {
    let said = &event.details;
    let mut details = match event.kind {
        EventType::AccessTokenCreated | EventType::AccessTokenRevoked | EventType::AccessTokenRotated => json!({
            "access_token_id": event.target.as_ref().map(|target| &target.id),
            "access_token_name": event.target.as_ref().and_then(|target| target.name.as_ref()),
            "created_by_user_id": said.get("member_id").cloned().or_else(|| event.actor.id.clone().map(Value::from)),
            "expires_at": said["expires_at"],
        }),
        EventType::TurnCompleted | EventType::TurnFailed | EventType::TurnRefused => response(event),
        _ => {
            let mut details = said.as_object().cloned().unwrap_or_default();
            details.insert("target".to_owned(), json!(event.target));
            Value::Object(details)
        }
    };
    details["detail_type"] = json!(kind);
    json!({
        "event_type": kind,
        "client_id": client_id(said["client"].as_str().or_else(|| said["originator"].as_str())),
        "workspace_id": ws,
        "event_details": details,
    })
}

/// What is known of an answer. Its texts are null: what was said is not in events.
fn response(event: &Event) -> Value {
    let said = &event.details;
    let (status, error) = match event.kind {
        EventType::TurnCompleted => ("success", Value::Null),
        EventType::TurnRefused => ("error", said["reason"].clone()),
        _ => ("error", said["error"].clone()),
    };
    json!({
        "session_id": said["session_id"],
        "turn_id": said["turn_id"],
        "call_id": event.id,
        "prompt_text": null,
        "response_text": null,
        "status": status,
        "model": said["model"],
        "service_tier": null,
        "reasoning_effort": null,
        "token_usage": {
            "input_tokens": said["input_tokens"],
            "output_tokens": said["output_tokens"],
            "cached_input_tokens": said["cached_input_tokens"],
            "reasoning_output_tokens": said["reasoning_tokens"],
        },
        "environment_id": null,
        "error_code": error,
        "error_message": null,
    })
}

fn turn(event: &Event) -> Value {
    let said = &event.details;
    let cached = said["cached_input_tokens"].as_u64();
    let uncached = said["input_tokens"].as_u64().map(|input| input.saturating_sub(cached.unwrap_or(0)));
    json!({
        "product_client_id": client_id(said["client"].as_str()),
        "model": said["model"],
        "session_id": said["session_id"],
        "thread_id": said["thread_id"],
        "turn_id": said["turn_id"],
        "token_usage": {
            "uncached_input_tokens": uncached,
            "cached_input_tokens": cached,
            "output_tokens": said["output_tokens"],
        },
        "cost_usd": null,
        "estimated_cost_usd": null,
        "credits": said["credits"],
    })
}
