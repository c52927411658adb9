//! Lays a tree out as keys and values.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::Overridden;
use crate::lint::document::{Node, Value};
use crate::lint::merge::joined;

/// One key, before the client's reading of it.
pub(super) struct Flat {
    pub(super) key: String,
    pub(super) value: Json,
    pub(super) layer: Option<usize>,
    pub(super) overrode: Vec<Overridden>,
    /// Whether it is an element of a list to which every layer adds.
    pub(super) joined: bool,
}

/// The keys of a merged tree in their order.
pub(super) fn list(tree: &Node<'_>, texts: &[&str], requires: bool) -> Vec<Flat> {
    let mut walk = Walk { texts, requires, path: Vec::new(), name: String::new(), found: Vec::new() };
    walk.node(tree);
    walk.found
}

/// The values of one layer by their keys, with the layer.
pub(super) fn by_name(tree: &Node<'_>, texts: &[&str], requires: bool) -> HashMap<String, (usize, Json)> {
    let found = list(tree, texts, requires).into_iter();
    found.filter_map(|flat| flat.layer.map(|layer| (flat.key, (layer, flat.value)))).collect()
}

struct Walk<'t> {
    texts: &'t [&'t str],
    requires: bool,
    path: Vec<String>,
    name: String,
    found: Vec<Flat>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node<'_>) {
        match &node.value {
            Value::Table(entries) if !entries.is_empty() || self.path.is_empty() => {
                for entry in entries {
                    let before = self.name.len();
                    if before > 0 {
                        self.name.push('.');
                    }
                    quote(&entry.key, &mut self.name);
                    self.path.push(entry.key.to_string());
                    self.node(&entry.node);
                    self.path.pop();
                    self.name.truncate(before);
                }
            }
            Value::List(items) if self.requires && joined(&self.path) && !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.found.push(self.flat(format!("{}[{index}]", self.name), item, true));
                }
            }
            _ => self.found.push(self.flat(self.name.clone(), node, false)),
        }
    }

    fn flat(&self, key: String, node: &Node<'_>, joined: bool) -> Flat {
        let layer = Some(node.place.layer);
        Flat { key, value: json(node, self.texts, MAX_LEVELS), layer, overrode: Vec::new(), joined }
    }
}

/// A key as it would stand in a dotted path.
fn quote(key: &str, name: &mut String) {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.bytes().all(bare) {
        name.push_str(key);
    } else {
        name.push_str(&Json::from(key).to_string());
    }
}

/// How deep a value is shown. No key of clients comes close, and what is far deeper would overflow the stack of whoever
/// writes it out.
const MAX_LEVELS: usize = 80;

/// A value as JSON, down to so many levels.
fn json(node: &Node<'_>, texts: &[&str], levels: usize) -> Json {
    let Some(below) = levels.checked_sub(1) else { return Json::from("(nested too deeply to be shown)") };
    match &node.value {
        Value::Bool(bool) => Json::Bool(*bool),
        Value::Integer(integer) => Json::from(*integer),
        Value::Float { .. } => float(node, texts),
        Value::Text(text) => Json::from(text.as_ref()),
        Value::Date(text) => Json::from(text.as_str()),
        Value::List(items) => Json::Array(items.iter().map(|item| json(item, texts, below)).collect()),
        Value::Table(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.to_string(), json(&entry.node, texts, below)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// The tree keeps no decimal numbers, but knows where they stand. What JSON cannot say (`inf`) stays a text.
fn float(node: &Node<'_>, texts: &[&str]) -> Json {
    let text = texts.get(node.place.layer).and_then(|text| text.get(node.place.offset..)).unwrap_or_default();
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
    let written: String = text.chars().take_while(|c| part(*c)).filter(|c| *c != '_').collect();
    let number = written.parse().ok().and_then(serde_json::Number::from_f64);
    number.map_or(Json::from(written), Json::Number)
}
