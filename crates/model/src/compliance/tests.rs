use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::event::{Actor, ActorKind, Event, EventType, Origin, Target};
use crate::{EventId, WorkspaceId};

fn event(kind: EventType, details: Value) -> Event {
    Event {
        id: EventId::new(Timestamp::UNIX_EPOCH),
        seq: 7,
        kind,
        at: Timestamp::UNIX_EPOCH,
        actor: Actor {
            kind: ActorKind::Member,
            id: Some("mem_1".to_owned()),
            email: Some("mia@acme.example".to_owned()),
        },
        target: Some(Target::new("thing", "id_1", "Thing")),
        origin: Origin { ip: Some("192.0.2.7".to_owned()), ..Origin::default() },
        details,
        hash: String::new(),
    }
}

#[test]
fn every_event_is_in_a_log_under_its_own_id_and_nothing_is_two_things() {
    let ws = WorkspaceId::new(Timestamp::UNIX_EPOCH);
    for kind in EventType::ALL {
        let event = event(*kind, json!({}));
        let records = record(ws, &event);
        assert_eq!(records[0].json["event_id"], json!(event.id), "{kind:?}");
        let ids: BTreeSet<String> = records.iter().map(|record| record.json["event_id"].to_string()).collect();
        assert_eq!(ids.len(), records.len(), "{kind:?}");
        for Record { log, json, .. } in records {
            assert_eq!(json["type"], log.as_str());
            assert_eq!(json["principal"]["id"], json!(ws));
            assert_eq!(json["actor"]["user_id"], "mem_1");
            assert_eq!(json["request_metadata"]["client_ip"], "192.0.2.7");
            if matches!(log, LogType::Codex | LogType::CodexSecurity) {
                assert_eq!(json["event_details"]["detail_type"], json["event_type"], "{kind:?}");
            }
        }
    }
}

#[test]
fn a_turn_says_what_it_used_and_never_what_was_said() {
    let ws = WorkspaceId::new(Timestamp::UNIX_EPOCH);
    let details = json!({
        "model": "gpt-test", "client": "codex_exec", "session_id": "s", "thread_id": "t", "turn_id": "u",
        "input_tokens": 2000, "cached_input_tokens": 1200, "output_tokens": 100, "reasoning_tokens": 40, "credits": 0.5,
    });
    let records = record(ws, &event(EventType::TurnCompleted, details));
    let (turn, said) = (&records[0].json, &records[1].json);
    assert_eq!(
        turn["token_usage"],
        json!({ "uncached_input_tokens": 800, "cached_input_tokens": 1200, "output_tokens": 100 })
    );
    assert_eq!(
        (&turn["product_client_id"], &turn["credits"], &turn["cost_usd"]),
        (&json!("CODEX_CLI"), &json!(0.5), &Value::Null)
    );
    assert_eq!(
        (&said["event_type"], &said["event_details"]["status"]),
        (&json!("PROMPT_RESPONSE_RECEIVED"), &json!("success"))
    );
    assert_eq!(said["event_details"]["token_usage"]["reasoning_output_tokens"], 40);
    assert_eq!(
        (&said["event_details"]["prompt_text"], &said["event_details"]["response_text"]),
        (&Value::Null, &Value::Null)
    );
    // What was not reported is not nothing.
    let unknown = record(ws, &event(EventType::TurnFailed, json!({ "error": "upstream_failed" })));
    assert_eq!(unknown[0].json["token_usage"]["uncached_input_tokens"], Value::Null);
    assert_eq!(unknown[1].json["event_details"]["error_code"], "upstream_failed");
}

#[test]
fn one_switch_is_a_feature_and_more_are_settings() {
    let ws = WorkspaceId::new(Timestamp::UNIX_EPOCH);
    let of =
        |changed: Value| record(ws, &event(EventType::SettingsUpdated, json!({ "changed": changed })))[0].json.clone();
    let one = of(json!({ "codex_cloud": { "before": false, "after": true } }));
    assert_eq!(one["action"], "WORKSPACE_TOGGLE_FEATURE");
    assert_eq!((&one["action_data"]["feature"], &one["action_data"]["value"]), (&json!("codex_cloud"), &json!(true)));
    for other in [
        json!({ "a": { "before": false, "after": true }, "b": { "before": false, "after": true } }),
        json!({ "retention_days": { "before": 30, "after": 60 } }),
    ] {
        assert_eq!(of(other)["action"], "WORKSPACE_UPDATE_SETTINGS");
    }
}

#[test]
fn a_log_type_is_known_by_its_name() {
    for kind in LogType::KEPT {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert_eq!("APP_LOG".parse(), Ok(LogType::Empty("APP_LOG")));
    assert!("codex_log".parse::<LogType>().is_err() && "".parse::<LogType>().is_err());
}
