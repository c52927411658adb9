//! A text as the tree that its keys are compared in: with one spelling for what has several.

use serde_json::{Map, Value, json};

use crate::spelling::current_word;

/// The tree of a text; none if it is no TOML.
pub(super) fn parse(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(text).ok()?;
    let mut tree = from_toml(toml::Value::Table(table));
    one_spelling(&mut tree);
    Some(tree)
}

/// Dates and numbers that JSON does not know become texts.
fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) if number.is_finite() => number.into(),
        toml::Value::Float(number) => Value::String(number.to_string()),
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(when) => Value::String(when.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(from_toml).collect()),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, from_toml(value))).collect(),
    }
}

/// What clients read alike is written alike: the names of the network rules and their older list form, and
/// words that have an older name (`requirements-keys.md` §2.1, §2.3).
fn one_spelling(tree: &mut Value) {
    let Some(root) = tree.as_object_mut() else { return };
    let alias = root.remove("network_proxy").or_else(|| {
        let permissions = root.get_mut("permissions")?.as_object_mut()?;
        let network = permissions.remove("network");
        if permissions.is_empty() && network.is_some() {
            root.remove("permissions");
        }
        network
    });
    if let Some(network) = alias {
        // Two of them are refused by clients; one is compared then.
        root.entry("experimental_network").or_insert(network);
    }
    if let Some(network) = root.get_mut("experimental_network").and_then(Value::as_object_mut) {
        to_map(network, "allowed_domains", "domains", "allow");
        to_map(network, "denied_domains", "domains", "deny");
        to_map(network, "allow_unix_sockets", "unix_sockets", "allow");
    }
    for key in ["allowed_approval_policies", "allowed_approvals_reviewers"] {
        let words = root.get_mut(key).and_then(Value::as_array_mut);
        for word in words.into_iter().flatten() {
            if let Value::String(text) = word {
                *text = current_word(key, text).to_owned();
            }
        }
    }
}

/// Turns the older list form into the map that clients make of it. An empty list stays what it is, since an
/// empty allow list and none at all differ between layers.
fn to_map(table: &mut Map<String, Value>, list: &str, map: &str, word: &str) {
    let is_names =
        |value: &Value| value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string));
    if !table.get(list).is_some_and(is_names) || table.get(map).is_some_and(|map| !map.is_object()) {
        return;
    }
    let Some(Value::Array(names)) = table.remove(list) else { return };
    let entries = table.entry(map).or_insert_with(|| Value::Object(Map::new()));
    for name in names {
        if let (Some(entries), Value::String(name)) = (entries.as_object_mut(), name) {
            // Denials come last: they win.
            entries.insert(name, json!(word));
        }
    }
}
