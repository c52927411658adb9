//! Model providers: clients check them only once all layers are merged.

use super::gateway;
use crate::lint::check::{check_at, quoted_key};
use crate::lint::document::{Entry, Node, Value};
use crate::lint::report::Report;
use crate::lint::schema::{PROVIDERS, Shape};

/// Providers clients bring along, which a policy may select.
const BUILT_IN: [&str; 6] = ["openai", "amazon-bedrock", "amazon-bedrock-runtime", "gcp", "ollama", "lmstudio"];

const BEDROCK: [&str; 2] = ["amazon-bedrock", "amazon-bedrock-runtime"];

/// Keys whose value does not change a built-in provider.
const HARMLESS: &[(&str, &str)] = &[("wire_api", "responses"), ("name", "")];

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    let providers = merged.get("model_providers");
    if let Some(providers) = providers {
        check_at(providers, PROVIDERS, "model_providers", report);
    }
    let entries = providers.map(Node::entries).unwrap_or_default();
    for entry in entries.iter().filter(|entry| entry.node.is_table()) {
        provider(entry, report);
    }
    if let Some(node) = merged.get("model_provider") {
        selected(node, entries, report);
    }
}

fn selected(node: &Node<'_>, entries: &[Entry<'_>], report: &mut Report) {
    let Some(id) = node.text() else { return };
    if BUILT_IN.contains(&id) || entries.iter().any(|entry| entry.key == id) {
        return;
    }
    let known = BUILT_IN.into_iter().chain(entries.iter().map(|entry| entry.key.as_ref()));
    let guess = report.guess(id, known).map(|id| format!(" Did you mean \"{id}\"?")).unwrap_or_default();
    let name = quoted_key(id);
    let message = format!("There is no model provider {name}. Define it in `[model_providers.{name}]`.{guess}");
    report.error(node.place, &"model_provider", "undefined_provider", message);
}

fn provider(entry: &Entry<'_>, report: &mut Report) {
    let node = &entry.node;
    let id = entry.key.as_ref();
    let key = format!("model_providers.{}", quoted_key(id));
    let changes = |permitted: &[&str]| {
        let changed = node.entries().iter().find(|e| !permitted.contains(&e.key.as_ref()) && changes_provider(e));
        changed.map(|changed| changed.place)
    };
    let built_in = match id {
        "openai" | "ollama" | "lmstudio" => Some((&[][..], "cannot be changed")),
        "gcp" => Some((
            &["base_url", "auth", "http_headers", "project_id", "location", "credential_file", "aws"][..],
            "can only be changed in `base_url`, `auth`, `http_headers`, `project_id`, `location` and `credential_file`",
        )),
        _ if BEDROCK.contains(&id) => Some((
            &["base_url", "auth", "http_headers", "aws"][..],
            "can only be changed in `base_url`, `auth`, `http_headers` and `aws`",
        )),
        _ => None,
    };
    match built_in {
        Some((permitted, what)) => {
            // An empty table leaves the first as it is but not the other two, whose addresses clients compute.
            let local = matches!(id, "ollama" | "lmstudio").then_some(entry.place);
            if let Some(place) = changes(permitted).or(local) {
                let message =
                    format!("The built-in provider `{id}` {what}. Define one of your own, such as `{id}-custom`.");
                report.error(place, &key, "built_in_provider", message);
            }
        }
        None if node.text_at("name").unwrap_or_default().trim().is_empty() => {
            let message = "A provider needs a name. Add `name = \"…\"`, which developers see.";
            let place = node.get("name").map_or(entry.place, |name| name.place);
            report.error(place, &format!("{key}.name"), "missing_field", message);
        }
        None => {}
    }
    aws(node, id, &key, report);
    auth(node, &key, report);
    gateway::check(node, &key, report);
}

/// Whether a key makes a built-in provider differ from what it is anyway.
fn changes_provider(entry: &Entry<'_>) -> bool {
    let harmless = HARMLESS.iter().any(|(key, value)| entry.key == *key && entry.node.text() == Some(value));
    let off = matches!(entry.node.value, Value::Bool(false));
    let known = matches!(PROVIDERS, Shape::Map(Shape::Table(table)) if table.field(&entry.key).is_some());
    known && !harmless && !off
}

fn aws(node: &Node<'_>, id: &str, key: &str, report: &mut Report) {
    let Some(aws) = node.entry("aws") else { return };
    let key = format!("{key}.aws");
    if !BEDROCK.contains(&id) {
        let message = "AWS settings work only for `amazon-bedrock` and `amazon-bedrock-runtime`. Move them there.";
        return report.error(aws.place, &key, "exclusive_fields", message);
    }
    if node.get("auth").is_some() {
        let message = "A provider uses either `aws` or `auth`. Remove one of the two.";
        report.error(aws.place, &key, "exclusive_fields", message);
    }
    if let Some(refresh) = aws.node.at(&["auth_refresh", "command"]).filter(|node| node.text() != Some("aws")) {
        let message = "The command that renews an AWS sign-in must be `aws`.";
        report.error(refresh.place, &format!("{key}.auth_refresh.command"), "forbidden_value", message);
    }
    if let Some(export) = aws.node.get("credential_export") {
        command(export, &format!("{key}.credential_export"), report);
        if let Some(profile) = aws.node.get("profile") {
            let message =
                "AWS credentials come either from `profile` or from `credential_export`. Remove one of the two.";
            report.error(profile.place, &format!("{key}.profile"), "exclusive_fields", message);
        }
    }
}

/// A command must name a program.
pub(super) fn command(node: &Node<'_>, key: &str, report: &mut Report) {
    if let Some(command) = node.get("command").filter(|node| node.text().is_some_and(|text| text.trim().is_empty())) {
        let message = "The command must not be blank. Name the program that prints the credential.";
        report.error(command.place, &format!("{key}.command"), "blank_text", message);
    }
}

fn auth(node: &Node<'_>, key: &str, report: &mut Report) {
    let Some(auth) = node.get("auth") else { return };
    command(auth, &format!("{key}.auth"), report);
    for other in ["env_key", "experimental_bearer_token", "requires_openai_auth"] {
        if let Some(entry) = node.entry(other).filter(|entry| entry.node.bool() != Some(false)) {
            let message =
                format!("A provider has one source of credentials: `auth` or `{other}`. Remove one of the two.");
            report.error(entry.place, &format!("{key}.{other}"), "exclusive_fields", message);
        }
    }
}
