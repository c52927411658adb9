//! Hooks that will not run.

use crate::lint::document::Node;
use crate::lint::report::Report;
use crate::lint::schema::EVENTS;

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    let Some(hooks) = merged.get("hooks") else { return };
    for (name, absolute) in [("managed_dir", unix as fn(&str) -> bool), ("windows_managed_dir", windows)] {
        let Some(node) = hooks.get(name) else { continue };
        if node.text().is_some_and(|path| !absolute(path)) {
            let message = "The directory must be absolute, or clients do not find the hooks.";
            report.warn(node.place, &format!("hooks.{name}"), "relative_path", message);
        }
    }
    let mut any = false;
    for event in hooks.entries().iter().filter(|entry| EVENTS.contains(&entry.key.as_ref())) {
        for (index, group) in event.node.items().iter().enumerate() {
            let handlers = group.get("hooks").map(Node::items).unwrap_or_default();
            any |= !handlers.is_empty();
            for (position, handler) in handlers.iter().enumerate() {
                if let Some(kind) = handler.get("type").filter(|kind| matches!(kind.text(), Some("prompt" | "agent"))) {
                    let key = format!("hooks.{}[{index}].hooks[{position}].type", event.key);
                    let message =
                        "Clients read handlers of this type and never run them. Use \"command\" or \"mcp_tool\".";
                    report.warn(kind.place, &key, "skipped_handler", message);
                }
            }
        }
    }
    if any && merged.at(&["features", "hooks"]).is_none() {
        let message = "A developer can switch hooks off. Add `hooks = true` to `[features]` to keep these running.";
        report.warn(hooks.place, &"hooks", "hooks_not_pinned", message);
    }
}

fn unix(path: &str) -> bool {
    path.starts_with('/')
}

fn windows(path: &str) -> bool {
    path.starts_with("\\\\") || path.as_bytes().get(1) == Some(&b':')
}
