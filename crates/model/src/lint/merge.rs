//! Combines the layers of one device the way clients do: strongest first, tables key by key, a few lists joined.

use super::document::{Entry, Node, Value};
use super::report::Report;
use super::rules::{network, sandbox};

/// Lists that all layers add to instead of the strongest replacing the others.
const JOINED: &[&[&str]] = &[&["rules", "prefix_rules"], &["permissions", "filesystem", "deny_read"]];

/// The merged policy; every value still knows the layer it came from.
pub(super) fn layers<'a>(trees: Vec<Node<'a>>, report: &mut Report) -> Node<'a> {
    let mut trees = trees.into_iter().map(|mut tree| {
        sandbox::choose_for_unknown_host(&mut tree);
        tree
    });
    let Some(mut merged) = trees.next() else {
        return Node { place: super::document::Place { layer: 0, offset: 0 }, value: Value::Table(Vec::new()) };
    };
    for mut weaker in trees {
        network::adopt_name(&merged, &mut weaker);
        conflicts(&merged, &weaker, report);
        combine(&mut merged, weaker, &mut Vec::new());
    }
    merged
}

fn combine<'a>(strong: &mut Node<'a>, weak: Node<'a>, path: &mut Vec<String>) {
    match (&mut strong.value, weak.value) {
        (Value::Table(entries), Value::Table(weaker)) => {
            for entry in weaker {
                add(entries, entry, path);
            }
        }
        (Value::List(items), Value::List(weaker)) if joined(path) => items.extend(weaker),
        _ => {}
    }
}

fn add<'a>(entries: &mut Vec<Entry<'a>>, weaker: Entry<'a>, path: &mut Vec<String>) {
    match entries.iter_mut().find(|entry| entry.key == weaker.key) {
        Some(entry) => {
            path.push(weaker.key.into_owned());
            combine(&mut entry.node, weaker.node, path);
            path.pop();
        }
        None => entries.push(weaker),
    }
}

fn joined(path: &[String]) -> bool {
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
