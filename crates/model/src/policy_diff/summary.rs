//! Changes in sentences.

use std::fmt::Write;

use serde_json::Value;

use super::ChangeKind::{Added, Changed, Removed};
use super::meaning::Meaning;
use super::{ChangeKind, rules};

/// So much of a value is in a sentence, in characters.
const MAX_CHARS: usize = 120;

/// A path as it would be written in TOML: keys that are not plain stand in quotes.
pub(super) fn dotted(path: &[String]) -> String {
    let is_plain = |key: &str| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let mut text = String::new();
    for key in path {
        if !text.is_empty() {
            text.push('.');
        }
        match is_plain(key) {
            true => text.push_str(key),
            false => write!(text, "{}", Value::from(key.as_str())).expect("writing to a string does not fail"),
        }
    }
    text
}

/// What a change does, in a sentence.
pub(super) fn sentence(meaning: Meaning, path: &[String], change: ChangeKind, before: &Value, after: &Value) -> String {
    let (old, new) = (brief(before), brief(after));
    let name = path.last().map(String::as_str).unwrap_or_default();
    match (meaning, change) {
        (Meaning::Choices(_), Added) if after.is_array() => format!("only {new} may be chosen"),
        (Meaning::Choices(_), Removed) if before.is_array() => "everything may be chosen".to_owned(),
        (Meaning::Choices(_), Added) => format!("{new} may be chosen"),
        (Meaning::Choices(_), Removed) => format!("{old} may no longer be chosen"),
        (Meaning::Grants, Added) => format!("{new} is allowed"),
        (Meaning::Grants, Removed) => format!("{old} is no longer allowed"),
        (Meaning::Denials, Added) => format!("{new} is denied"),
        (Meaning::Denials, Removed) => format!("{old} is no longer denied"),
        (Meaning::Only, Added) if name == "mcp_servers" => format!("only these may run: {}", names(after)),
        (Meaning::Only, Removed) if name == "mcp_servers" => "any may run".to_owned(),
        (Meaning::Only, Added) => format!("`{name}` may run"),
        (Meaning::Only, Removed) => format!("`{name}` may no longer run"),
        (Meaning::Profiles, Added) => format!("only these may be chosen: {}", names(after)),
        (Meaning::Profiles, Removed) => "every profile may be chosen".to_owned(),
        (Meaning::Rules, Added) => format!("`{}` is now: {}", rules::words(Some(after)), decision(after)),
        (Meaning::Rules, Removed) => format!("`{}` has no rule any more", rules::words(Some(before))),
        (Meaning::Rules, Changed) if decision(before) != decision(after) => {
            format!("`{}` is now: {}, was: {}", rules::words(Some(after)), decision(after), decision(before))
        }
        (Meaning::Rules, Changed) => format!("the rule of `{}` is worded otherwise", rules::words(Some(after))),
        (_, Added) => format!("set to {new}"),
        (_, Removed) => format!("no longer set, was {old}"),
        (_, Changed) if old == new => "changed".to_owned(),
        (_, Changed) => format!("{new}, was {old}"),
    }
}

fn decision(rule: &Value) -> &str {
    rule.get("decision").and_then(Value::as_str).unwrap_or("?")
}

fn names(table: &Value) -> String {
    let names: Vec<String> = table.as_object().into_iter().flat_map(|table| table.keys()).cloned().collect();
    if names.is_empty() { "none".to_owned() } else { cut(&names.join(", ")) }
}

fn brief(value: &Value) -> String {
    cut(&value.to_string())
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
