//! Model providers: clients check them only once all layers are merged.

use crate::lint::check::{check_at, quoted_key};
use crate::lint::document::{Entry, Node, Place, Value};
use crate::lint::report::Report;
use crate::lint::schema::{GATEWAY, PROVIDERS, Shape};
use crate::lint::suggest::nearest;

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
    let guess = nearest(id, known).map(|id| format!(" Did you mean \"{id}\"?")).unwrap_or_default();
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
    gateway(node, &key, report);
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
fn command(node: &Node<'_>, key: &str, report: &mut Report) {
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

fn gateway(node: &Node<'_>, key: &str, report: &mut Report) {
    let Some(gateway) = node.entry("gateway_oauth") else { return };
    let key = &format!("{key}.gateway_oauth");
    let before = report.errors();
    check_at(&gateway.node, GATEWAY, key, report);
    if report.errors() > before {
        return;
    }
    let mut url = |node: &Node<'_>, place: Place, name: &str| {
        if let Some(fault) = node.text().and_then(url_fault) {
            let message = format!("This address does not work for gateway sign-in: {fault}");
            report.error(place, &name, "bad_url", message);
        }
    };
    for name in ["authorization_url", "token_url", "device_authorization_url"] {
        if let Some(node) = gateway.node.get(name) {
            url(node, node.place, &format!("{key}.{name}"));
        }
    }
    match node.get("base_url") {
        Some(base) => url(base, base.place, &key.replace(".gateway_oauth", ".base_url")),
        None => {
            let message = "Gateway sign-in needs the address of the gateway. Add `base_url` to the provider.";
            report.error(gateway.place, key, "missing_field", message);
        }
    }
    if let Some(client) = gateway.node.get("client_id").filter(|id| id.text().is_some_and(|id| id.trim().is_empty())) {
        report.error(client.place, &format!("{key}.client_id"), "blank_text", "The client id must not be blank.");
    }
    if let Some(port) = gateway.node.get("redirect_port").filter(|port| matches!(port.value, Value::Integer(0))) {
        let message = "The port must not be 0. Remove the line to let the client choose one.";
        report.error(port.place, &format!("{key}.redirect_port"), "out_of_range", message);
    }
    if let Some(export) = gateway.node.get("credential_export") {
        command(export, &format!("{key}.credential_export"), report);
    }
    if gateway.node.get("delivery").is_none() {
        header_conflict(node, key, report);
    }
}

/// Without a delivery of its own, the gateway's token travels in the Authorization header, which must be free.
fn header_conflict(node: &Node<'_>, key: &str, report: &mut Report) {
    let credentials = ["env_key", "experimental_bearer_token", "auth", "requires_openai_auth"];
    let own = credentials.iter().filter_map(|name| node.entry(name)).find(|entry| entry.node.bool() != Some(false));
    let headers = ["http_headers", "env_http_headers"].iter().filter_map(|name| node.get(name));
    let header = headers.flat_map(Node::entries).find(|entry| entry.key.eq_ignore_ascii_case("authorization"));
    if let Some(entry) = own.or(header) {
        let message = format!(
            "The gateway's token and `{}` would both fill the Authorization header. Remove it, or set \
             `delivery = {{ kind = \"header\", name = \"…\" }}` in `gateway_oauth`.",
            entry.key
        );
        report.error(entry.place, &key, "header_conflict", message);
    }
}

/// Why clients do not take an address: they want HTTPS, or HTTP on this machine, without user or fragment.
fn url_fault(url: &str) -> Option<&'static str> {
    const INVALID: Option<&str> = Some("it is no URL. Write one like `https://host/path`.");
    let url = url.trim();
    let Some((scheme, rest)) = url.split_once(':') else { return INVALID };
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) {
        return INVALID;
    }
    let authority = rest.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => host_and_port.split_once(':').map_or((host_and_port, None), |(host, port)| (host, Some(port))),
    };
    let port_ok = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "<>^|%".contains(c)) || !port_ok {
        return INVALID;
    }
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let secure = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") && loopback;
    if !secure || authority.contains('@') || url.contains('#') {
        return Some("use HTTPS (or HTTP on this machine), without user, password or fragment.");
    }
    None
}
