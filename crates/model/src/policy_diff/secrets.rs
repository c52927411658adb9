//! Values that may be secrets are not shown, in changes as in texts.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const REDACTED: &str = "[redacted]";
/// A string longer than this is cut, in characters.
const MAX_CHARS: usize = 2_000;
/// Of a list or table so many entries are shown.
const MAX_ENTRIES: usize = 100;

/// Whether a value at this path may be a secret: what it is called says so (`requirements-keys.md` §2.3,
/// §2.11, and the keys of providers and servers in `config.toml`).
fn is_secret<'k>(mut path: impl Iterator<Item = &'k str>) -> bool {
    let named = |key: &str| {
        let key = key.to_ascii_lowercase().replace('-', "_");
        let tables = ["headers", "http_headers", "request_headers", "inject_request_headers", "query_params", "env"];
        let ends = ["_token", "_key", "_headers", "password", "secret", "authorization"];
        tables.contains(&key.as_str())
            || ["body_secret_substitution", "aws_sigv4", "set"].contains(&key.as_str())
            || ends.iter().any(|end| key.ends_with(end))
    };
    path.any(named)
}

/// Whether a text is a URL with a name and password in it.
fn has_userinfo(text: &str) -> bool {
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.is_some_and(|authority| authority.contains('@'))
}

/// A value as it is shown: secrets redacted, and not without end.
pub(super) fn shown(path: &[String], value: &Value) -> Value {
    show(is_secret(path.iter().map(String::as_str)), value, 0)
}

fn show(secret: bool, value: &Value, depth: usize) -> Value {
    const MAX_DEPTH: usize = 16;
    match value {
        Value::String(_) | Value::Number(_) if secret => REDACTED.into(),
        Value::String(text) if has_userinfo(text) => REDACTED.into(),
        Value::String(text) => match text.char_indices().nth(MAX_CHARS) {
            Some((at, _)) => format!("{}…", &text[..at]).into(),
            None => value.clone(),
        },
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => "…".into(),
        Value::Array(items) => {
            let mut shown: Vec<Value> =
                items.iter().take(MAX_ENTRIES).map(|item| show(secret, item, depth + 1)).collect();
            if items.len() > MAX_ENTRIES {
                shown.push(format!("… and {} more", items.len() - MAX_ENTRIES).into());
            }
            shown.into()
        }
        Value::Object(table) => {
            let entry = |(key, value): (&String, &Value)| {
                (key.clone(), show(secret || is_secret([key.as_str()].into_iter()), value, depth + 1))
            };
            table.iter().take(MAX_ENTRIES).map(entry).collect()
        }
        other => other.clone(),
    }
}

/// A text without its secrets. One that is another than in the text before says so.
pub(super) fn hidden(text: &str, before: Option<&str>) -> String {
    let earlier: std::collections::HashSet<(Vec<String>, &str)> = before
        .map(|before| find(before).into_iter().map(|(path, span)| (path, &before[span])).collect())
        .unwrap_or_default();
    let mut shown = text.to_owned();
    let mut found = find(text);
    found.sort_by_key(|(_, span)| std::cmp::Reverse(span.start));
    for (path, span) in found {
        let is_other = before.is_some() && !earlier.contains(&(path, &text[span.clone()]));
        shown.replace_range(span, if is_other { "\"[redacted, another value]\"" } else { "\"[redacted]\"" });
    }
    shown
}

/// Where the secrets of a text stand, and what they are called.
fn find(text: &str) -> Vec<(Vec<String>, Range<usize>)> {
    let mut found = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        in_table(table.get_ref(), &mut Vec::new(), &mut found);
    }
    found.retain(|(_, span)| text.get(span.clone()).is_some());
    found
}

fn in_table(table: &DeTable<'_>, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Range<usize>)>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        in_value(value, path, found);
        path.pop();
    }
}

fn in_value(value: &Spanned<DeValue<'_>>, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Range<usize>)>) {
    let secret = || is_secret(path.iter().map(String::as_str));
    match value.get_ref() {
        DeValue::Table(table) => in_table(table, path, found),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                in_value(item, path, found);
                path.pop();
            }
        }
        DeValue::String(text) if has_userinfo(text) || secret() => found.push((path.clone(), value.span())),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) if secret() => {
            found.push((path.clone(), value.span()));
        }
        _ => {}
    }
}
