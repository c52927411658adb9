//! Approvals and sandbox modes: lists that must not be empty, or must include something.

use crate::lint::document::{Node, Value};
use crate::lint::report::Report;

/// Lists a client refuses when empty.
const NEVER_EMPTY: &[(&[&str], &str)] = &[
    (&["allowed_approval_policies"], "at least one policy, such as \"on-request\""),
    (&["allowed_approvals_reviewers"], "\"user\", \"auto_review\" or both"),
    (&["windows", "allowed_sandbox_implementations"], "\"elevated\", \"unelevated\" or both"),
];

pub(super) fn layer(tree: &Node<'_>, report: &mut Report) {
    let Some(list) = tree.get("remote_sandbox_config") else { return };
    for (index, entry) in list.items().iter().enumerate() {
        let Some(modes) = entry.get("allowed_sandbox_modes").filter(|modes| lacks_read_only(modes)) else { continue };
        if !matches_every_host(entry) {
            let key = format!("remote_sandbox_config[{index}].allowed_sandbox_modes");
            let message = format!("Clients on hosts with these names refuse to start. {}", must_include(modes));
            report.warn(modes.place, &key, "must_include_read_only", message);
        }
    }
}

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    if let Some(modes) = merged.get("allowed_sandbox_modes").filter(|modes| lacks_read_only(modes)) {
        report.error(modes.place, &"allowed_sandbox_modes", "must_include_read_only", must_include(modes));
    }
    for (path, fill) in NEVER_EMPTY {
        if let Some(list) = merged.at(path).filter(|list| list.is_list() && list.items().is_empty()) {
            let key = path.join(".");
            let message = format!("`{key}` must not be empty. List {fill}, or remove the line to leave it open.");
            report.error(list.place, &key, "empty_list", message);
        }
    }
}

/// A layer's sandbox modes depend on the name of the host. Only an entry for every name is certain to apply, so it takes
/// the place of the layer's own list, as on a client.
pub(in crate::lint) fn choose_for_unknown_host(tree: &mut Node<'_>) {
    let chosen = tree.get("remote_sandbox_config").and_then(|list| {
        list.items()
            .iter()
            .find(|entry| matches_every_host(entry))
            .and_then(|entry| entry.entry("allowed_sandbox_modes"))
    });
    let Some(chosen) = chosen.cloned() else { return };
    if let Value::Table(entries) = &mut tree.value {
        entries.retain(|entry| entry.key != "allowed_sandbox_modes");
        entries.push(chosen);
    }
}

fn matches_every_host(entry: &Node<'_>) -> bool {
    let everything = |pattern: &str| !pattern.is_empty() && pattern.chars().all(|c| c == '*');
    entry.get("hostname_patterns").is_some_and(|list| list.items().iter().filter_map(Node::text).any(everything))
}

fn lacks_read_only(modes: &Node<'_>) -> bool {
    // The quirky table form of a word counts, too.
    let word = |mode: &Node<'_>| mode.text() == Some("read-only") || mode.get("read-only").is_some();
    modes.is_list() && !modes.items().iter().any(word)
}

fn must_include(modes: &Node<'_>) -> String {
    let mut words = vec!["\"read-only\"".to_owned()];
    let others = modes.items().iter().filter_map(Node::text).filter(|word| word.len() <= 20 && !word.contains('"'));
    words.extend(others.map(|word| format!("\"{word}\"")));
    format!(
        "The list must include \"read-only\", the mode every client can fall back to. Write `allowed_sandbox_modes = [{}]`.",
        words.join(", ")
    )
}
