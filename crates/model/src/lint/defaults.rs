//! Managed defaults: fragments of `config.toml` that clients lay below the developer's own settings.

use super::check;
use super::document::Node;
use super::report::Report;
use super::rules;
use super::schema::{DEFAULTS, ROOT};

pub(super) fn check(tree: &Node<'_>, report: &mut Report) {
    check::check(tree, &DEFAULTS, report);
    rules::defaults(tree, report);
    idle_keys(tree, report);
    refused(tree, report);
    hook_state(tree, report);
    files(tree, report);
    servers(tree, report);
}

/// Keys that do nothing here, be it that they belong into a policy or that nobody knows them.
fn idle_keys(tree: &Node<'_>, report: &mut Report) {
    for entry in tree.entries().iter().filter(|entry| DEFAULTS.field(&entry.key).is_none()) {
        let key = check::quoted_key(&entry.key);
        if ROOT.field(&entry.key).is_some() {
            let message = format!("`{key}` is a key of policies and does nothing in defaults. Move it to the policy.");
            report.warn(entry.place, &key, "policy_key", message);
        } else {
            let guess = report.guess(&entry.key, DEFAULTS.fields.iter().map(|field| field.key));
            let hint = guess.map(|key| format!(" Did you mean `{key}`?")).unwrap_or_default();
            let message = format!("Clients may not know `{key}` and then ignore it.{hint}");
            report.warn(entry.place, &key, "unknown_key", message);
        }
    }
}

/// Settings clients once had and now refuse.
fn refused(tree: &Node<'_>, report: &mut Report) {
    if let Some(profile) = tree.entry("profile").filter(|entry| entry.node.text().is_some()) {
        let message = "Clients refuse `profile`. Remove the line and write the profile's settings directly.";
        report.error(profile.place, &"profile", "forbidden_key", message);
    }
    if let Some(policy) = tree.get("approval_policy").filter(|node| node.text() == Some("untrusted")) {
        let message = "Clients refuse \"untrusted\" as a default. Write \"on-request\", or remove the line.";
        report.error(policy.place, &"approval_policy", "forbidden_value", message);
    }
    if let Some(effort) = tree.get("model_reasoning_effort").filter(|node| node.text() == Some("")) {
        let message = "The reasoning effort must not be empty. Write a level such as \"medium\", or remove the line.";
        report.error(effort.place, &"model_reasoning_effort", "blank_text", message);
    }
}

/// Clients keep the state of hooks in a table of this name.
fn hook_state(tree: &Node<'_>, report: &mut Report) {
    if let Some(state) = tree.at(&["hooks", "state"]).filter(|state| !state.is_table()) {
        report.error(state.place, &"hooks.state", "wrong_type", "`hooks.state` must be a table. Remove the line.");
    }
}

/// Files that must be on every device.
fn files(tree: &Node<'_>, report: &mut Report) {
    for key in ["model_instructions_file", "experimental_compact_prompt_file", "model_catalog_json"] {
        let Some(path) = tree.get(key) else { continue };
        match path.text() {
            Some("") => {
                report.error(
                    path.place,
                    &key,
                    "blank_text",
                    "The path must not be empty. Name a file, or remove the line.",
                );
            }
            Some(_) => {
                let message = "Clients refuse to start on every device where this file is missing. Make sure that it is \
                    there before you publish.";
                report.warn(path.place, &key, "depends_on_device", message);
            }
            None => {}
        }
    }
}

/// An MCP server runs as a command or answers at a URL, and each kind has keys of its own.
fn servers(tree: &Node<'_>, report: &mut Report) {
    for server in tree.get("mcp_servers").map(Node::entries).unwrap_or_default() {
        let key = format!("mcp_servers.{}", check::quoted_key(&server.key));
        let foreign: &[&str] = match (server.node.get("command"), server.node.get("url")) {
            (Some(_), _) => &["url", "bearer_token", "bearer_token_env_var", "http_headers", "env_http_headers"],
            (None, Some(_)) => &["args", "env", "env_vars", "cwd", "bearer_token"],
            (None, None) if server.node.is_table() => {
                let message = "A server needs `command` or `url`.";
                report.error(server.place, &key, "missing_field", message);
                continue;
            }
            _ => continue,
        };
        let kind = if foreign.contains(&"url") { "runs as a command" } else { "answers at a URL" };
        for entry in foreign.iter().filter_map(|name| server.node.entry(name)) {
            let message = format!("A server that {kind} cannot have `{}`. Remove it.", entry.key);
            report.error(entry.place, &format!("{key}.{}", entry.key), "exclusive_fields", message);
        }
    }
}
