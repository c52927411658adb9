//! The desktop app's own network, and the sites of the browser.

use std::collections::HashSet;

use crate::lint::check::quoted_key;
use crate::lint::document::Node;
use crate::lint::report::Report;

pub(super) fn layer(tree: &Node<'_>, report: &mut Report) {
    hosts(tree, report);
    origins(tree, report);
}

fn hosts(tree: &Node<'_>, report: &mut Report) {
    let Some(network) = tree.at(&["application", "network"]) else { return };
    let domains = network.get("domains").map(Node::entries).unwrap_or_default();
    let mut seen = HashSet::new();
    for entry in domains {
        let key = format!("application.network.domains.{}", quoted_key(&entry.key));
        let host = entry.key.strip_suffix('.').unwrap_or(&entry.key).to_ascii_lowercase();
        if !is_host(&host) {
            let message = "Write the exact ASCII name of a host: no scheme, port, path or wildcard.";
            report.error(entry.place, &key, "odd_host", message);
        } else if !seen.insert(host) {
            let message = "This host is listed twice: case and a final dot make no difference. Remove one of the two.";
            report.error(entry.place, &key, "duplicate_host", message);
        }
    }
    let allows = domains.iter().any(|entry| entry.node.text() == Some("allow"));
    if let Some(enabled) = network.get("enabled").filter(|enabled| enabled.bool() == Some(true) && !allows) {
        let message = "The app may then reach no host at all, not even this server. Allow hosts in `domains`.";
        report.warn(enabled.place, &"application.network.enabled", "nothing_allowed", message);
    }
}

fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(label)
}

fn origins(tree: &Node<'_>, report: &mut Report) {
    for entry in tree.at(&["browser_use", "origins"]).map(Node::entries).unwrap_or_default() {
        let host = entry.key.split_once("://").map(|(_, rest)| rest);
        let fault = match host {
            None => "it lacks the scheme, as in `https://example.com`.",
            Some(rest) if rest.contains(['/', '?', '#']) => "it must end with the host or port, without a path.",
            Some(_) => continue,
        };
        let key = format!("browser_use.origins.{}", quoted_key(&entry.key));
        report.warn(
            entry.place,
            &key,
            "odd_origin",
            format!("This is no origin, so the entry may match nothing: {fault}"),
        );
    }
}
