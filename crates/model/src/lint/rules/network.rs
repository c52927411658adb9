//! Managed network rules: one surface, one form of each list, no rule for every host.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::lint::check::quoted_key;
use crate::lint::document::{Entry, Node, Place, Value};
use crate::lint::report::Report;

/// The two names of the top-level table.
const NAMES: [&str; 2] = ["experimental_network", "network_proxy"];

/// Gives a weaker layer's network table the name the merged one has, so that the two meet.
pub(in crate::lint) fn adopt_name(strong: &Node<'_>, weak: &mut Node<'_>) {
    let [first, second] = NAMES;
    let (ours, theirs) = match (strong.get(first), strong.get(second)) {
        (Some(_), _) => (first, second),
        (None, Some(_)) => (second, first),
        (None, None) => return,
    };
    if let Value::Table(entries) = &mut weak.value
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == theirs)
    {
        entry.key = Cow::Borrowed(ours);
    }
}

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    let top = NAMES.iter().find_map(|name| merged.entry(name));
    let nested = merged.get("permissions").and_then(|permissions| permissions.entry("network"));
    if let (Some(top), Some(nested)) = (top, nested) {
        let message = format!(
            "`[permissions.network]` and `[{}]` are the same setting, and clients refuse both together. Move everything \
             into one of them.",
            top.key
        );
        report.error(nested.place, &"permissions.network", "two_network_surfaces", message);
    }
    if let Some(entry) = top {
        surface(entry, &entry.key, report);
    }
    if let Some(entry) = nested {
        surface(entry, "permissions.network", report);
    }
}

fn surface(entry: &Entry<'_>, name: &str, report: &mut Report) {
    let network = &entry.node;
    exclusive(network, name, "domains", &["allowed_domains", "denied_domains"], report);
    exclusive(network, name, "unix_sockets", &["allow_unix_sockets"], report);
    let rules = rules(network, name);
    for rule in &rules {
        rule.check(report);
    }
    if network.get("managed_allowed_domains_only").and_then(Node::bool) == Some(true) {
        contradictions(&rules, report);
    }
    advice(network, name, report);
}

fn exclusive(network: &Node<'_>, name: &str, map: &str, lists: &[&str], report: &mut Report) {
    if network.get(map).is_none() {
        return;
    }
    for list in lists {
        if let Some(entry) = network.entry(list) {
            let message = format!(
                "`{list}` is the older form of `{map}`, and clients refuse both together. Move its values into `{map}`."
            );
            report.error(entry.place, &format!("{name}.{list}"), "exclusive_fields", message);
        }
    }
}

/// One host pattern, wherever it is written.
struct Rule<'n> {
    pattern: &'n str,
    place: Place,
    key: String,
    deny: bool,
}

fn rules<'n>(network: &'n Node<'_>, name: &str) -> Vec<Rule<'n>> {
    let mut rules = Vec::new();
    for entry in network.get("domains").map(Node::entries).unwrap_or_default() {
        let deny = entry.node.text() != Some("allow");
        let key = format!("{name}.domains.{}", quoted_key(&entry.key));
        rules.push(Rule { pattern: &entry.key, place: entry.place, key, deny });
    }
    for (list, deny) in [("allowed_domains", false), ("denied_domains", true)] {
        for (index, node) in network.get(list).map(Node::items).unwrap_or_default().iter().enumerate() {
            if let Some(pattern) = node.text() {
                rules.push(Rule { pattern, place: node.place, key: format!("{name}.{list}[{index}]"), deny });
            }
        }
    }
    rules
}

/// Where only the policy's hosts count, clients drop a denied host from those allowed, and refuse what is then missing.
/// They do so only where the two are written in different case.
fn contradictions(rules: &[Rule<'_>], report: &mut Report) {
    let denied = rules.iter().filter(|rule| rule.deny).map(|rule| (rule.pattern.to_ascii_lowercase(), rule.pattern));
    let denied: HashMap<String, &str> = denied.collect();
    for rule in rules.iter().filter(|rule| !rule.deny) {
        let deny = denied.get(&rule.pattern.to_ascii_lowercase());
        if deny.is_some_and(|pattern| *pattern != rule.pattern) {
            let message = "This host is both allowed and denied, in different case. Remove one of the two.";
            report.error(rule.place, &rule.key, "duplicate_host", message);
        }
    }
}

impl Rule<'_> {
    fn check(&self, report: &mut Report) {
        if matches_every_host(self.pattern) {
            let fix = if self.deny {
                "To deny everything else, set `managed_allowed_domains_only = true` and allow what is needed."
            } else {
                "Name the hosts, or use a pattern such as `**.example.com`."
            };
            let message = format!("A policy must not have a rule for every host. {fix}");
            report.error(self.place, &self.key, "rule_for_every_host", message);
        } else if let Some(fault) = odd_pattern(self.pattern) {
            let message = format!("This is no host name, so the rule matches nothing: {fault}");
            report.warn(self.place, &self.key, "odd_host", message);
        }
    }
}

/// Whether clients read the pattern as "every host", which they refuse in a policy.
pub(super) fn matches_every_host(pattern: &str) -> bool {
    let trimmed = pattern.trim();
    let host = match trimmed.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        // One colon separates a port; more make an IPv6 address.
        None if trimmed.matches(':').count() == 1 => trimmed.split(':').next().unwrap_or(trimmed),
        None => trimmed,
    };
    host == "*"
}

fn odd_pattern(pattern: &str) -> Option<&'static str> {
    let name = pattern.strip_prefix("**.").or_else(|| pattern.strip_prefix("*.")).unwrap_or(pattern);
    let port = pattern.matches(':').count() == 1;
    match () {
        () if pattern.trim().is_empty() => Some("it is empty."),
        () if pattern.contains("://") => Some("leave out the scheme, such as `https://`."),
        () if pattern.contains('/') => Some("leave out the path."),
        () if port => Some("leave out the port."),
        () if name.contains('*') || name.is_empty() => {
            Some("a `*` may only stand at the start, as in `*.example.com`.")
        }
        () if pattern.contains(char::is_whitespace) => Some("remove the spaces."),
        () => None,
    }
}

fn advice(network: &Node<'_>, name: &str, report: &mut Report) {
    let has = |key: &str| network.get(key).is_some_and(|node| !node.entries().is_empty() || !node.items().is_empty());
    let rules = ["domains", "allowed_domains", "denied_domains", "unix_sockets"].into_iter().any(has);
    if rules && network.get("enabled").is_none() {
        let message = "The rules apply only where network rules are switched on. Add `enabled = true`.";
        report.warn(network.place, &format!("{name}.enabled"), "network_not_enabled", message);
    }
    let allows = has("allowed_domains")
        || network.get("domains").is_some_and(|map| map.entries().iter().any(|e| e.node.text() == Some("allow")));
    if let Some(only) = network.get("managed_allowed_domains_only").filter(|only| only.bool() == Some(true) && !allows)
    {
        let message = "Only hosts the policy allows may be reached, and it allows none: commands have no network at all. \
            Allow hosts in `domains`, or remove this line.";
        report.warn(only.place, &format!("{name}.managed_allowed_domains_only"), "nothing_allowed", message);
    }
}
