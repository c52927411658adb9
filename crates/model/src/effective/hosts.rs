//! `remote_sandbox_config`: sandbox modes for hosts of certain names.

use crate::lint::document::{Node, Value};

/// Puts the modes of the first entry that names the host in the place of the layer's own.
pub(super) fn choose(tree: &mut Node<'_>, hostname: Option<&str>) {
    let Some(host) = hostname.map(str::to_lowercase) else { return };
    let names = |entry: &&Node<'_>| {
        let patterns = entry.get("hostname_patterns").map(Node::items).unwrap_or_default();
        patterns.iter().filter_map(Node::text).any(|pattern| fits(&pattern.to_lowercase(), &host))
    };
    let entries = tree.get("remote_sandbox_config").map(Node::items).unwrap_or_default();
    let chosen = entries.iter().find(names).and_then(|entry| entry.entry("allowed_sandbox_modes")).cloned();
    let Value::Table(entries) = &mut tree.value else { return };
    entries.retain(|entry| entry.key != "remote_sandbox_config");
    if let Some(chosen) = chosen {
        entries.retain(|entry| entry.key != "allowed_sandbox_modes");
        entries.push(chosen);
    }
}

/// `*` stands for any run of characters, `?` for one. Takes time in proportion to both lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // At which places of the text what was read of the pattern can end.
    let mut ends = vec![false; text.len() + 1];
    if let Some(start) = ends.first_mut() {
        *start = true;
    }
    for piece in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        for (place, end) in ends.iter().enumerate().filter(|(_, end)| **end) {
            match piece {
                '*' => {
                    next.iter_mut().skip(place).for_each(|reached| *reached = *end);
                    break;
                }
                piece if text.get(place).is_some_and(|c| piece == '?' || *c == piece) => next[place + 1] = true,
                _ => {}
            }
        }
        ends = next;
    }
    ends.last().copied().unwrap_or(false)
}
