//! What the types alone do not say: keys that need or exclude each other, and values that mean something else than they
//! seem to.

mod commands;
mod deny_read;
mod desktop;
mod features;
mod gateway;
mod glob;
mod hooks;
mod integrations;
mod models;
pub(super) mod network;
mod permissions;
mod profiles;
mod providers;
pub(super) mod sandbox;
mod start_profile;

use super::document::Node;
use super::report::Report;

/// Judges one layer by itself, before anything stronger hides parts of it.
pub(super) fn layer(tree: &Node<'_>, report: &mut Report) {
    if let Some(entry) = tree.entry("config_server") {
        let message = "A policy from the server must not say where policies come from, and clients refuse it. Remove \
            this table; it belongs into the devices' own `/etc/codex/requirements.toml`.";
        report.error(entry.place, &"config_server", "forbidden_key", message);
    }
    desktop::layer(tree, report);
    deny_read::layer(tree, report);
    models::layer(tree, report);
    permissions::layer(tree, report);
    sandbox::layer(tree, report);
}

/// Judges the merged policy.
pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    sandbox::policy(merged, report);
    commands::policy(merged, report);
    permissions::policy(merged, report);
    network::policy(merged, report);
    providers::policy(merged, report);
    integrations::policy(merged, report);
    models::policy(merged, report);
    hooks::policy(merged, report);
    features::policy(merged, report);
}

/// Judges a fragment of managed defaults.
pub(super) fn defaults(tree: &Node<'_>, report: &mut Report) {
    permissions::defaults(tree, report);
    providers::policy(tree, report);
}
