//! Compares our keys with a client's `configRequirements/read`, which has its own spelling.

use provost_model::effective::Effective;
use serde_json::{Map, Value, json};

/// What a client reads back of these requirements, as far as it shows them: a nested object in our spelling.
pub(crate) fn nested(found: &Effective) -> Value {
    let mut root = json!({});
    for key in &found.requirements {
        let mut at = &mut root;
        for part in parts(&key.key) {
            at = match part.parse::<usize>() {
                Ok(_) if at.is_array() || at.is_null() => {
                    if at.is_null() {
                        *at = json!([]);
                    }
                    let list = at.as_array_mut().expect("a list");
                    list.push(Value::Null);
                    list.last_mut().expect("just pushed")
                }
                _ => {
                    if at.is_null() {
                        *at = json!({});
                    }
                    at.as_object_mut().expect("a table").entry(part).or_insert(Value::Null)
                }
            };
        }
        *at = key.value.clone();
    }
    root
}

/// The parts of a dotted key: quoted parts may hold dots, and a position stands in brackets.
fn parts(key: &str) -> Vec<String> {
    let (key, position) = match key.strip_suffix(']').and_then(|key| key.rsplit_once('[')) {
        Some((key, position)) => (key, Some(position.to_owned())),
        None => (key, None),
    };
    let table: toml::Table = toml::from_str(&format!("{key} = 1")).expect("a dotted key of TOML");
    let mut parts = Vec::new();
    let mut at = &toml::Value::Table(table);
    while let toml::Value::Table(table) = at {
        let (key, value) = table.iter().next().expect("one key");
        parts.push(key.clone());
        at = value;
    }
    parts.extend(position);
    parts
}

/// Every difference between our requirements and what the client read back, as far as it shows them.
pub(crate) fn differences(found: &Effective, client: &Value) -> Vec<String> {
    let ours = nested(found);
    let ours = ours.as_object().expect("a table");
    let mut shown = Map::new();
    for (key, value) in ours {
        match key.as_str() {
            // The client does not show these.
            "rules"
            | "permissions"
            | "marketplaces"
            | "mcp_servers"
            | "plugins"
            | "apps"
            | "guardian_policy_config"
            | "remote_sandbox_config"
            | "auto_review"
            | "guardian_extra_policy" => {}
            "features" => drop(shown.insert("feature_requirements".into(), value.clone())),
            "experimental_network" => drop(shown.insert("network".into(), network(value))),
            "windows" => {
                let list = value["allowed_sandbox_implementations"].clone();
                shown.insert("allowed_windows_sandbox_implementations".into(), list);
            }
            key => drop(shown.insert(key.into(), value.clone())),
        }
    }
    let mut client = client.clone();
    // Shown open as it is, where a device has a file of its own that does not say it.
    if !shown.contains_key("allowed_login_methods") {
        client.as_object_mut().map(|client| client.remove("allowedLoginMethods"));
    }
    let client = &client;
    let mut wrong = Vec::new();
    compare("", &Value::Object(shown), client, &mut wrong);
    wrong
}

/// The client turns the old lists of domains into a table, and shows both forms.
fn network(ours: &Value) -> Value {
    let mut ours = ours.clone();
    let table = ours.as_object_mut().expect("a table");
    let mut domains = table.remove("domains").unwrap_or(json!({}));
    for (list, word) in [("allowed_domains", "allow"), ("denied_domains", "deny")] {
        for name in table.remove(list).iter().flat_map(|list| list.as_array().cloned().unwrap_or_default()) {
            domains[name.as_str().expect("a name")] = json!(word);
        }
    }
    let by_word = |word: &str| -> Value {
        let names = domains.as_object().expect("a table").iter().filter(|(_, said)| **said == word);
        names.map(|(name, _)| name.clone()).collect()
    };
    let (allowed, denied) = (by_word("allow"), by_word("deny"));
    for (key, value) in [("domains", domains), ("allowed_domains", allowed), ("denied_domains", denied)] {
        if !value.as_object().is_some_and(Map::is_empty) && !value.as_array().is_some_and(Vec::is_empty) {
            table.insert(key.into(), value);
        }
    }
    let mut sockets = table.get("unix_sockets").cloned().unwrap_or(json!({}));
    for path in table.remove("allow_unix_sockets").iter().flat_map(|list| list.as_array().cloned().unwrap_or_default())
    {
        sockets[path.as_str().expect("a path")] = json!("allow");
    }
    let allowed = sockets.as_object().expect("a table").iter().filter(|(_, said)| **said == "allow");
    let allowed: Value = allowed.map(|(path, _)| path.clone()).collect();
    if !sockets.as_object().is_some_and(Map::is_empty) {
        table.insert("unix_sockets".into(), sockets);
        table.insert("allow_unix_sockets".into(), allowed);
    }
    ours
}

fn snake(key: &str) -> String {
    key.chars()
        .flat_map(|c| c.is_ascii_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()]))
        .collect()
}

fn compare(path: &str, ours: &Value, client: &Value, wrong: &mut Vec<String>) {
    match (ours, client) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                // A handler that the client skips is shown without what it would do.
                if key == "prompt" && theirs.get("type").is_some() {
                    continue;
                }
                let key = if key == "timeout" && theirs.contains_key("timeoutSec") { "timeout_sec" } else { key };
                let same = |name: &&String| {
                    name.as_str() == key || snake(name) == key || snake(name).trim_start_matches('_') == key
                };
                match theirs.keys().find(same) {
                    Some(name) => compare(&format!("{path}.{key}"), value, &theirs[name], wrong),
                    None => wrong.push(format!("{path}.{key}: the client does not show {value}")),
                }
            }
            for (name, value) in theirs {
                let said = [
                    name.as_str(),
                    &snake(name),
                    snake(name).trim_end_matches("_sec"),
                    snake(name).trim_start_matches('_'),
                ]
                .iter()
                .any(|name| ours.contains_key(*name));
                let nothing = match value {
                    Value::Null | Value::Bool(false) => true,
                    Value::Array(list) => list.is_empty(),
                    _ => false,
                };
                if !said && !nothing {
                    wrong.push(format!("{path}.{name}: the client shows {value}"));
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{path}[{index}]"), ours, theirs, wrong);
            }
        }
        (_, Value::String(text)) if text == "[redacted]" => {}
        (Value::String(ours), Value::String(theirs)) if *theirs == format!("file://{ours}") => {}
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => wrong.push(format!("{path}: we say {ours}, the client {theirs}")),
    }
}
