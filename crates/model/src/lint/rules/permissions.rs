//! Which permission profiles exist, which are allowed, and which one is the default.

use std::collections::HashSet;

use super::{profiles, start_profile};
use crate::lint::check::{check_at, quoted_key};
use crate::lint::document::{Entry, Node};
use crate::lint::report::Report;
use crate::lint::schema::{NETWORK, Shape};

/// The profiles every client has.
pub(super) const BUILT_IN: [&str; 3] = [":read-only", ":workspace", ":danger-full-access"];

/// Names below `[permissions]` that are no profiles.
const RESERVED: [&str; 2] = ["filesystem", "network"];

/// Keys that make `[permissions.network]` a profile in the client's eyes.
const PROFILE_KEYS: [&str; 5] = ["description", "extends", "workspace_roots", "filesystem", "network"];

/// The profiles a policy defines.
pub(super) fn defined<'n, 'a>(tree: &'n Node<'a>) -> impl Iterator<Item = &'n Entry<'a>> + Clone {
    let entries = tree.get("permissions").map(Node::entries).unwrap_or_default();
    entries.iter().filter(|entry| !RESERVED.contains(&entry.key.as_ref()))
}

pub(super) fn layer(tree: &Node<'_>, report: &mut Report) {
    reserved_prefix(tree, report);
    for entry in defined(tree) {
        profiles::mitm(entry, report);
    }
    let filesystem = tree.at(&["permissions", "filesystem"]);
    if let Some(node) = filesystem.filter(|node| PROFILE_KEYS.iter().any(|key| node.get(key).is_some())) {
        let message = "`permissions.filesystem` is reserved for rules that hold for everyone and cannot be a profile. \
            Rename the profile.";
        report.error(node.place, &"permissions.filesystem", "reserved_name", message);
    }
    if let Some(entry) = tree.get("permissions").and_then(|permissions| permissions.entry("network")) {
        network(entry, report);
    }
}

fn reserved_prefix(tree: &Node<'_>, report: &mut Report) {
    for entry in defined(tree).filter(|entry| entry.key.starts_with(':')) {
        let key = format!("permissions.{}", quoted_key(&entry.key));
        let message = "Names that start with a colon belong to the built-in profiles. Choose a name without it.";
        report.error(entry.place, &key, "reserved_name", message);
    }
}

/// `[permissions.network]` holds network rules; clients mistake it for a profile if it is empty or looks like one.
fn network(entry: &Entry<'_>, report: &mut Report) {
    let node = &entry.node;
    let looks_like_profile = PROFILE_KEYS.iter().any(|key| node.get(key).is_some());
    if node.is_table() && (node.entries().is_empty() || looks_like_profile) {
        let message = "`permissions.network` is reserved for network rules and cannot be a profile. Rename the profile, \
            for example to `network-access`.";
        return report.error(entry.place, &"permissions.network", "reserved_name", message);
    }
    check_at(node, Shape::Table(&NETWORK), "permissions.network", report);
}

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    let allowed = merged.entry("allowed_permission_profiles");
    let default = merged.entry("default_permissions").filter(|entry| entry.node.text().is_some());
    let named = default.and_then(|entry| entry.node.text());
    match (allowed, default) {
        (None, Some(default)) => {
            let message = "`default_permissions` needs `allowed_permission_profiles`. Add a table that allows it: \
                `allowed_permission_profiles = { \":workspace\" = true, \":read-only\" = true }`.";
            report.error(default.node.place, &"default_permissions", "missing_field", message);
        }
        (None, None) => {
            if let Some(profile) = defined(merged).next() {
                let message = "A policy that defines profiles must say which one to start with. Add \
                    `default_permissions` and `allowed_permission_profiles`.";
                let key = format!("permissions.{}", quoted_key(&profile.key));
                report.error(profile.place, &key, "missing_default_permissions", message);
            }
        }
        (Some(allowed), _) => {
            let names: HashSet<&str> = defined(merged).map(|entry| entry.key.as_ref()).collect();
            for profile in allowed.node.entries().iter().filter(|profile| !names.contains(profile.key.as_ref())) {
                built_in(profile, merged, report);
            }
            choice(allowed, default, report);
        }
    }
    // Clients compile only the profile they start with, and those it builds on.
    if let Some(name) = named {
        profiles::chain(name, merged, report);
        start_profile::policy(merged, name, report);
    }
}

/// In defaults, profiles need no permission, only a start.
pub(super) fn defaults(tree: &Node<'_>, report: &mut Report) {
    reserved_prefix(tree, report);
    match tree.get("default_permissions").and_then(|node| Some((node, node.text()?))) {
        None => {
            if let Some(profile) = defined(tree).next() {
                let message = "Whoever defines profiles must say which one to start with. Add `default_permissions`.";
                let key = format!("permissions.{}", quoted_key(&profile.key));
                report.error(profile.place, &key, "missing_default_permissions", message);
            }
        }
        Some((_, name)) if BUILT_IN.contains(&name) => {}
        Some((node, name)) => {
            if tree.get("permissions").is_none_or(|profiles| profiles.get(name).is_none()) {
                let name = quoted_key(name);
                let message =
                    format!("There is no profile {name}. Define it below `[permissions]`, or use \":workspace\".");
                report.error(node.place, &"default_permissions", "undefined_profile", message);
            }
            profiles::chain(name, tree, report);
        }
    }
}

/// Every profile in the list must exist, even those denied; this one is not defined.
fn built_in(profile: &Entry<'_>, merged: &Node<'_>, report: &mut Report) {
    let name = profile.key.as_ref();
    if BUILT_IN.contains(&name) {
        return;
    }
    let known = BUILT_IN.into_iter().chain(defined(merged).map(|entry| entry.key.as_ref()));
    let guess = report.guess(name, known).map(|name| format!(" Did you mean `{}`?", quoted_key(name)));
    let guess = guess.unwrap_or_default();
    let key = quoted_key(name);
    let message = format!(
        "There is no profile {key}: it is neither built in (\":read-only\", \":workspace\", \":danger-full-access\") nor \
         defined below `[permissions]`.{guess}"
    );
    report.error(profile.place, &format!("allowed_permission_profiles.{key}"), "undefined_profile", message);
}

/// The default must be allowed, and may only be left out if both usual profiles are.
fn choice(allowed: &Entry<'_>, default: Option<&Entry<'_>>, report: &mut Report) {
    let allows = |name: &str| allowed.node.get(name).and_then(Node::bool) == Some(true);
    match default {
        Some(entry) if !entry.node.text().is_some_and(allows) => {
            let name = quoted_key(entry.node.text().unwrap_or_default());
            let message = format!(
                "The default profile must be allowed. Add `{name} = true` to `[allowed_permission_profiles]`, or choose \
                 another default."
            );
            report.error(entry.node.place, &"default_permissions", "default_not_allowed", message);
        }
        None if allowed.node.is_table() && !(allows(":workspace") && allows(":read-only")) => {
            let message = "Clients need to know which profile to start with, unless both \":workspace\" and \
                \":read-only\" are allowed. Add `default_permissions`.";
            report.error(allowed.place, &"default_permissions", "missing_default_permissions", message);
        }
        _ => {}
    }
}
