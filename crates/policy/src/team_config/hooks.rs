//! Hooks: `.codex/hooks.json`, or `[hooks]` of `config.toml` (requirements-keys.md §2.7).

use provost_model::lint::{self, HOOK_EVENTS, Problem, Severity};
use serde_json::Value;

use super::config::line_of;
use super::files::line_at;
use super::found;

/// Hooks for one event.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    /// Where they stand.
    pub(super) file: String,
    /// The event.
    pub(super) event: String,
}

/// Reads `[hooks]` of a `config.toml`, whose shape is linted already.
pub(super) fn read_table(text: &str, events: &toml::Table, hooks: &mut Vec<Hook>) -> Vec<Problem> {
    let events = events.keys().filter(|event| *event != "state");
    let mut problems = Vec::new();
    for event in events {
        let line = line_of(text, &format!("hooks.{event}")).or_else(|| line_of(text, event));
        problems.extend(known(event, line.unwrap_or(1)));
        hooks.push(Hook { file: ".codex/config.toml".to_owned(), event: event.clone() });
    }
    problems
}

/// Reads a `hooks.json`: `{"hooks": {EVENT: [group…]}}`.
pub(super) fn read_json(path: &str, text: &str, hooks: &mut Vec<Hook>) -> Vec<Problem> {
    let error = |place, code, message: String| vec![found(Severity::Error, place, None, code, message)];
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(wrong) => {
            let number = |place| u32::try_from(place).unwrap_or(u32::MAX).max(1);
            return error((number(wrong.line()), number(wrong.column())), "invalid_json", format!("No JSON: {wrong}."));
        }
    };
    let Some(events) = value["hooks"].as_object() else {
        let message = "The file is an object with `hooks`, an object of events: {\"hooks\": {\"Stop\": […]}}.";
        return error((1, 1), "wrong_type", message.to_owned());
    };
    let line = |event: &str| {
        let at = text.find(&format!("\"{event}\"")).unwrap_or_default();
        line_at(text.as_bytes().get(..at).unwrap_or_default())
    };
    let mut problems = Vec::new();
    for (event, groups) in events {
        problems.extend(known(event, line(event)));
        hooks.push(Hook { file: path.to_owned(), event: event.clone() });
        // The same shape as in TOML, so the same rules; what TOML cannot say (null) fits nowhere.
        let as_toml = toml::to_string(&serde_json::json!({ "hooks": { event: groups } }));
        let Ok(as_toml) = as_toml else {
            problems.extend(error((line(event), 1), "wrong_type", format!("`{event}` must be a list of groups.")));
            continue;
        };
        let linted = lint::defaults(&as_toml).into_iter();
        problems.extend(linted.map(|problem| Problem { line: line(event), column: 1, ..problem }));
    }
    problems
}

fn known(event: &str, line: u32) -> Option<Problem> {
    if HOOK_EVENTS.contains(&event) {
        return None;
    }
    let message = format!("Clients know no event `{event}` and ignore its hooks.");
    Some(found(Severity::Warning, (line, 1), Some(format!("hooks.{event}")), "unknown_key", message))
}
