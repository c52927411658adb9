//! Combines the layers of one device the way clients do: strongest first, tables key by key, a few lists joined.

use std::borrow::Cow;
use std::collections::HashMap;

use super::check::check_at;
use super::document::{Node, Place, Value};
use super::report::Report;
use super::rules::{network, sandbox};
use super::schema::{MCP_SERVERS, PLUGINS};

/// Lists that all layers add to instead of the strongest replacing the others.
const JOINED: &[&[&str]] = &[&["rules", "prefix_rules"], &["permissions", "filesystem", "deny_read"]];

/// The merged policy; every value still knows the layer it came from.
pub(crate) fn layers<'a>(trees: Vec<Node<'a>>, report: &mut Report) -> Node<'a> {
    let mut trees = trees.into_iter().map(|mut tree| {
        sandbox::choose_for_unknown_host(&mut tree);
        tree
    });
    let Some(mut merged) = trees.next() else {
        return Node { place: Place { layer: 0, offset: 0 }, value: Value::Table(Vec::new()) };
    };
    for mut weaker in trees {
        network::adopt_name(&merged, &mut weaker);
        conflicts(&merged, &weaker, report);
        combine(&mut merged, weaker, &mut Vec::new());
    }
    merged
}

/// The merged `config.toml`: tables key by key, and else the strongest.
pub(crate) fn configs<'a>(trees: Vec<Node<'a>>) -> Option<Node<'a>> {
    trees.into_iter().reduce(|mut merged, weaker| {
        combine(&mut merged, weaker, &mut vec![CONFIG.to_owned()]);
        merged
    })
}

/// Stands before the paths of a `config.toml`, which then are none of the joined ones.
const CONFIG: &str = "config.toml";

/// Identities are merged key by key like everything else, and two that are right may make one that is not.
pub(super) fn check(merged: &Node<'_>, report: &mut Report) {
    for (key, shape) in [("mcp_servers", MCP_SERVERS), ("plugins", PLUGINS)] {
        if let Some(node) = merged.get(key) {
            check_at(node, shape, key, report);
        }
    }
}

fn combine<'a>(strong: &mut Node<'a>, weak: Node<'a>, path: &mut Vec<String>) {
    match (&mut strong.value, weak.value) {
        (Value::Table(entries), Value::Table(weaker)) => {
            let known = entries.iter().enumerate().map(|(index, entry)| (entry.key.clone(), index));
            let known: HashMap<Cow<'a, str>, usize> = known.collect();
            for entry in weaker {
                match known.get(&entry.key).and_then(|index| entries.get_mut(*index)) {
                    Some(strong) => {
                        path.push(entry.key.into_owned());
                        combine(&mut strong.node, entry.node, path);
                        path.pop();
                    }
                    None => entries.push(entry),
                }
            }
        }
        (Value::List(items), Value::List(weaker)) if joined(path) => items.extend(weaker),
        // An app that any layer switches off stays off.
        (Value::Bool(true), Value::Bool(false)) if is_app_switch(path) => {
            *strong = Node { place: weak.place, value: Value::Bool(false) };
        }
        _ => {}
    }
}

fn is_app_switch(path: &[String]) -> bool {
    matches!(path, [apps, _, enabled] if apps == "apps" && enabled == "enabled")
}

/// Whether all layers add to the list at this path.
pub(crate) fn joined(path: &[String]) -> bool {
    let event = matches!(path, [hooks, event] if hooks == "hooks" && super::schema::EVENTS.contains(&event.as_str()));
    event || JOINED.iter().any(|list| list.iter().eq(path.iter()))
}

/// What two layers must agree on.
fn conflicts(strong: &Node<'_>, weak: &Node<'_>, report: &mut Report) {
    let path = ["hooks", "managed_dir"];
    if let (Some(ours), Some(theirs)) = (strong.at(&path), weak.at(&path))
        && ours.text() != theirs.text()
    {
        let message = "Two policies for the same device name different directories for hooks, and clients refuse both \
            policies. Use the same `managed_dir` in both.";
        report.error(theirs.place, &"hooks.managed_dir", "conflicting_layers", message);
    }
    let path = ["hooks", "windows_managed_dir"];
    if let (Some(ours), Some(theirs)) = (strong.at(&path), weak.at(&path))
        && ours.text() != theirs.text()
    {
        let message = "Two policies for the same device name different directories for hooks on Windows, and Windows \
            clients may refuse both. Use the same `windows_managed_dir` in both.";
        report.warn(theirs.place, &"hooks.windows_managed_dir", "conflicting_layers", message);
    }
}
