//! The insides of a permission profile: what it builds on, and the paths it names.

use std::collections::{HashMap, HashSet};

use super::network::matches_every_host;
use super::permissions::defined;
use crate::lint::check::quoted_key;
use crate::lint::document::{Entry, Node, Value};
use crate::lint::report::Report;

/// Follows a profile and those it extends to a built-in one, checking each.
pub(super) fn chain(start: &str, merged: &Node<'_>, report: &mut Report) {
    let by_name: HashMap<&str, &Entry<'_>> = defined(merged).map(|entry| (entry.key.as_ref(), entry)).collect();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut said = Said::new();
    let mut next = by_name.get(start).copied();
    while let Some(entry) = next.take() {
        let key = format!("permissions.{}", quoted_key(&entry.key));
        profile(&entry.node, &key, &mut said, report);
        let Some((parent, name)) = entry.node.get("extends").and_then(|node| Some((node, node.text()?))) else {
            return;
        };
        let key = format!("{key}.extends");
        seen.insert(&entry.key);
        if name.starts_with(':') {
            if name != ":read-only" && name != ":workspace" {
                let message =
                    "A profile can only build on \":read-only\", \":workspace\" or another profile of the policy.";
                report.error(parent.place, &key, "bad_base_profile", message);
            }
            return;
        }
        if seen.contains(name) {
            let message =
                "This profile builds on itself, directly or in a circle. Let one of them build on a built-in profile.";
            return report.error(parent.place, &key, "profile_cycle", message);
        }
        next = by_name.get(name).copied();
        if next.is_none() {
            let message = format!(
                "There is no profile {}. Define it, or build on \":read-only\" or \":workspace\".",
                quoted_key(name)
            );
            report.error(parent.place, &key, "undefined_profile", message);
        }
    }
}

/// What a child says hides what its parent says of the same: the kind of thing, and its name.
type Said<'n> = HashSet<(&'static str, &'n str, &'n str)>;

fn profile<'n>(profile: &'n Node<'_>, key: &str, said: &mut Said<'n>, report: &mut Report) {
    for entry in profile.get("filesystem").map(Node::entries).unwrap_or_default() {
        let name = entry.key.as_ref();
        let (word, table) = (("word", name, ""), ("table", name, ""));
        // Two tables are joined.
        if said.contains(&word) || !entry.node.is_table() && said.contains(&table) {
            continue;
        }
        said.insert(if entry.node.is_table() { table } else { word });
        if entry.key == "glob_scan_max_depth" {
            if matches!(entry.node.value, Value::Integer(0)) {
                let message = "`glob_scan_max_depth` must be at least 1.";
                report.error(
                    entry.node.place,
                    &format!("{key}.filesystem.glob_scan_max_depth"),
                    "out_of_range",
                    message,
                );
            }
        } else {
            path(entry, &format!("{key}.filesystem.{}", quoted_key(&entry.key)), said, report);
        }
    }
    for entry in profile.at(&["network", "domains"]).map(Node::entries).unwrap_or_default() {
        if said.insert(("domain", entry.key.as_ref(), ""))
            && entry.node.text() == Some("deny")
            && matches_every_host(&entry.key)
        {
            let message = "A profile cannot deny every host. Leave `enabled` false instead.";
            let key = format!("{key}.network.domains.{}", quoted_key(&entry.key));
            report.error(entry.place, &key, "rule_for_every_host", message);
        }
    }
}

/// A path with its access, or with a table of subpaths.
fn path<'n>(entry: &'n Entry<'_>, key: &str, said: &mut Said<'n>, report: &mut Report) {
    let path = entry.key.as_ref();
    let special = path.starts_with(':');
    for sub in entry.node.entries() {
        let key = format!("{key}.{}", quoted_key(&sub.key));
        if !said.insert(("sub", path, sub.key.as_ref())) {
            continue;
        }
        if matches!(path, ":root" | ":minimal" | ":tmpdir" | ":slash_tmp") && sub.key != "." {
            let message = format!("`{path}` cannot have subpaths. Give the access directly: `\"{path}\" = \"read\"`.");
            report.error(sub.place, &key, "no_subpaths", message);
        } else {
            subpath(sub, &key, report);
            // Clients escape the path before a pattern, and cannot escape these.
            let pattern = sub.key != "." && sub.key.contains(['*', '?', '[', ']']);
            if pattern && !special && path.contains(['*', '?', '[', ']', '{', '}', '\\']) {
                let message =
                    "The path above a pattern cannot be a pattern itself. Write the whole pattern as one path.";
                report.error(sub.place, &key, "nested_pattern", message);
            }
        }
    }
    if entry.node.is_table() {
        if !entry.node.entries().is_empty() && !special {
            anchored(path, entry, key, report);
        }
    } else if !special {
        let access = entry.node.text().unwrap_or_default();
        match glob_fault(path, access) {
            Some(message) => report.error(entry.place, &key, "glob_needs_deny", message),
            None => anchored(subtree(path, access), entry, key, report),
        }
    }
}

fn subpath(sub: &Entry<'_>, key: &str, report: &mut Report) {
    let path = sub.key.as_ref();
    if path == "." {
        return;
    }
    let steps = || path.split('/');
    if path.is_empty() || path.starts_with('/') || steps().any(|step| matches!(step, "." | "..")) {
        let message = "A subpath must lie below its path: no leading slash, no `.` or `..`, and not empty.";
        report.error(sub.place, &key, "bad_subpath", message);
    } else if let Some(message) = glob_fault(path, sub.node.text().unwrap_or_default()) {
        report.error(sub.place, &key, "glob_needs_deny", message);
    }
}

/// Clients can only deny by pattern; access to a whole subtree is the exception.
fn glob_fault(path: &str, access: &str) -> Option<&'static str> {
    let denies = matches!(access, "deny" | "none");
    let glob = |path: &str| path.contains(['*', '?', '[', ']']);
    let fault = !denies && glob(subtree(path, access));
    fault.then_some("Patterns can only be denied. For access, name an exact path or end it in `/**` for all below it.")
}

/// The path without the `/**` that stands for all below it.
fn subtree<'p>(path: &'p str, access: &str) -> &'p str {
    let denies = matches!(access, "deny" | "none");
    if denies { path } else { path.strip_suffix("/**").unwrap_or(path) }
}

fn anchored(path: &str, entry: &Entry<'_>, key: &str, report: &mut Report) {
    if !(path.starts_with('/') || path == "~" || path.starts_with("~/")) {
        let message =
            "Paths of a profile must be absolute, start with `~/`, or be a special name such as \":workspace_roots\".";
        report.error(entry.place, &key, "relative_path", message);
    } else if path.contains('\0') {
        report.error(entry.place, &key, "bad_path", "A path cannot contain a null character.");
    }
}

/// Inspection of encrypted requests: clients refuse versions they do not know and actions that do nothing.
pub(super) fn mitm(profile: &Entry<'_>, report: &mut Report) {
    let Some(mitm) = profile.node.at(&["network", "mitm"]) else { return };
    let key = format!("permissions.{}.network.mitm", quoted_key(&profile.key));
    if let Some(version) = mitm.get("version").filter(|node| !matches!(node.value, Value::Integer(2))) {
        report.error(
            version.place,
            &format!("{key}.version"),
            "unknown_value",
            "The only version is 2. Write `version = 2`.",
        );
    }
    for hook in mitm.get("hooks").map(Node::entries).unwrap_or_default() {
        let key = format!("{key}.hooks.{}", quoted_key(&hook.key));
        if let Some(action) = hook.node.get("action").filter(|list| list.is_list() && list.items().is_empty()) {
            let message = "A hook must name an action. Add one, or remove the hook.";
            report.error(action.place, &format!("{key}.action"), "empty_list", message);
        }
    }
    for action in mitm.get("actions").map(Node::entries).unwrap_or_default() {
        if action.node.is_table() && action.node.entries().is_empty() {
            let key = format!("{key}.actions.{}", quoted_key(&action.key));
            report.error(
                action.place,
                &key,
                "empty_table",
                "An action must do something. Add an operation, or remove it.",
            );
        }
    }
}
