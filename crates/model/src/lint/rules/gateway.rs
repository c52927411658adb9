//! Sign-in at a gateway in front of a model provider.

use super::providers::command;
use crate::lint::check::{check_at, quoted_key};
use crate::lint::document::{Node, Place, Value};
use crate::lint::report::Report;
use crate::lint::schema::GATEWAY;

pub(super) fn check(node: &Node<'_>, key: &str, report: &mut Report) {
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
    let catalog = node.get("model_catalog_url");
    if let Some(catalog) = catalog {
        url(catalog, catalog.place, &key.replace(".gateway_oauth", ".model_catalog_url"));
    }
    match node.get("base_url") {
        Some(base) => {
            url(base, base.place, &key.replace(".gateway_oauth", ".base_url"));
            if let Some((catalog, there)) = catalog.and_then(|node| Some((node, origin(node.text()?)?)))
                && base.text().and_then(origin).is_some_and(|here| here != there)
            {
                let message = "The gateway's token would be sent to another server. Name one with the scheme, host and \
                    port of `base_url`, or remove the line to use the gateway's own catalog.";
                let key = key.replace(".gateway_oauth", ".model_catalog_url");
                report.error(catalog.place, &key, "bad_url", message);
            }
        }
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
    match gateway.node.get("delivery") {
        None => conflict(node, "authorization", key, report),
        Some(delivery) => self::delivery(delivery, node, key, report),
    }
}

/// Headers that are the client's own.
const RESERVED: [&str; 8] = [
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "proxy-authorization",
    "chatgpt-account-id",
];

fn delivery(delivery: &Node<'_>, node: &Node<'_>, key: &str, report: &mut Report) {
    let kind = delivery.text_at("kind").unwrap_or_default();
    let header = delivery.text_at("name").unwrap_or_default().to_ascii_lowercase();
    let own = RESERVED.contains(&header.as_str()) || header.starts_with("x-openai-") || header.starts_with("x-codex-");
    let fault = if !is_token(&header) {
        Some("Write a name of letters, digits and dashes, such as `X-Gateway-Auth`.")
    } else if kind == "header" && own {
        Some("This header belongs to the client. Choose another, such as `X-Gateway-Auth`.")
    } else {
        None
    };
    if let Some(message) = fault {
        return report.error(delivery.place, &format!("{key}.delivery.name"), "bad_header", message);
    }
    if let Some(scheme) = delivery.get("scheme").filter(|scheme| !scheme.text().is_some_and(is_token)) {
        let message = "The scheme is one word, such as `Bearer`. Remove the line to send the bare token.";
        report.error(scheme.place, &format!("{key}.delivery.scheme"), "bad_header", message);
    }
    conflict(node, if kind == "cookie" { "cookie" } else { &header }, key, report);
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The header that carries the gateway's token must be free.
fn conflict(node: &Node<'_>, header: &str, key: &str, report: &mut Report) {
    let credentials: &[&str] = match header {
        "authorization" => &["env_key", "experimental_bearer_token", "auth", "requires_openai_auth"],
        _ => &[],
    };
    let own = credentials.iter().filter_map(|name| node.entry(name)).find(|entry| entry.node.bool() != Some(false));
    let headers = ["http_headers", "env_http_headers"].iter().filter_map(|name| node.get(name));
    let same = headers.flat_map(Node::entries).find(|entry| entry.key.eq_ignore_ascii_case(header));
    if let Some(entry) = own.or(same) {
        let message = format!(
            "The gateway's token and `{}` would both fill the {header} header. Remove it, or set \
             `delivery = {{ kind = \"header\", name = \"X-Gateway-Auth\" }}` in `gateway_oauth`.",
            quoted_key(&entry.key)
        );
        report.error(entry.place, &key, "header_conflict", message);
    }
}

/// The parts of an address that say whom it reaches.
struct Address<'u> {
    scheme: &'u str,
    authority: &'u str,
    host: &'u str,
    port: Option<&'u str>,
}

/// None for what is no address.
fn address(url: &str) -> Option<Address<'_>> {
    let (scheme, rest) = url.split_once(':')?;
    if scheme.is_empty() || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let authority = rest.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => host_and_port.split_once(':').map_or((host_and_port, None), |(host, port)| (host, Some(port))),
    };
    let port_ok = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
    let host_ok = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "<>^|%".contains(c));
    (host_ok && port_ok).then_some(Address { scheme, authority, host, port: port.filter(|port| !port.is_empty()) })
}

/// The client's parser drops tabs and line breaks wherever they stand.
fn without_breaks(url: &str) -> String {
    url.trim().chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect()
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> Option<(String, String, Option<u16>)> {
    let url = without_breaks(url);
    let address = address(&url)?;
    let scheme = address.scheme.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = address.port.map_or(Some(usual), |port| port.parse().ok());
    Some((scheme, address.host.to_ascii_lowercase(), port))
}

/// Why clients do not take an address: they want HTTPS, or HTTP on this machine, without user or fragment.
fn url_fault(url: &str) -> Option<&'static str> {
    let url = without_breaks(url);
    let Some(Address { scheme, authority, host, .. }) = address(&url) else {
        return Some("it is no URL. Write one like `https://host/path`.");
    };
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let secure = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http") && loopback;
    if !secure || authority.contains('@') || url.contains('#') {
        return Some("use HTTPS (or HTTP on this machine), without user, password or fragment.");
    }
    None
}
