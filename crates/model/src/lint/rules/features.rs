//! Feature flags: any name is accepted, few do something.

use crate::lint::check::quoted_key;
use crate::lint::document::Node;
use crate::lint::report::Report;
use crate::lint::schema::{FEATURES, REMOVED_FEATURES, ROOT};

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    for entry in merged.get("features").map(Node::entries).unwrap_or_default() {
        let name = entry.key.as_ref();
        if FEATURES.contains(&name) || ROOT.field(name).is_some() && entry.node.bool().is_none() {
            continue;
        }
        let key = format!("features.{}", quoted_key(name));
        if REMOVED_FEATURES.contains(&name) {
            let message = format!("`{name}` no longer does anything in current clients. Remove the line.");
            report.warn(entry.place, &key, "removed_feature", message);
        } else if ROOT.field(name).is_some() {
            let message = format!("`{name}` is a top-level key: move the line above the first table header.");
            report.warn(entry.place, &key, "unknown_feature", message);
        } else {
            let guess = report.guess(name, FEATURES.iter().copied()).map(|name| format!(" Did you mean `{name}`?"));
            let message = format!("Clients do not know this feature and ignore it.{}", guess.unwrap_or_default());
            report.warn(entry.place, &key, "unknown_feature", message);
        }
    }
}
