//! `permissions.filesystem.deny_read`: paths and patterns as the clients' parser takes them.

use crate::lint::document::Node;
use crate::lint::report::Report;

/// No path of any system is longer; checking a pattern takes quadratic time.
const LONGEST: usize = 4096;

pub(super) fn layer(tree: &Node<'_>, report: &mut Report) {
    let Some(list) = tree.at(&["permissions", "filesystem", "deny_read"]) else { return };
    for (index, item) in list.items().iter().enumerate() {
        let Some(path) = item.text() else { continue };
        let key = format!("permissions.filesystem.deny_read[{index}]");
        if path.len() > LONGEST {
            let message = "No system has paths this long, so this one protects nothing.";
            report.warn(item.place, &key, "bad_path", message);
            continue;
        }
        let fault = if path.contains(['*', '?', '[']) { glob_fault(path) } else { path_fault(path) };
        if let Some(message) = fault {
            report.error(item.place, &key, "bad_path", message);
        } else if !(path.starts_with('/') || path == "~" || path.starts_with("~/") || windows(path)) {
            let message = "Clients read this path relative to a directory of their own, where it protects nothing. Start \
                it with `/` or `~/`, or with `/**/` for any directory.";
            report.warn(item.place, &key, "relative_path", message);
        }
    }
}

/// Whether a path is one of Windows: `C:\…`, `C:/…` or `\\server\…`.
pub(super) fn windows(path: &str) -> bool {
    let mut start = path.chars();
    let drive = start.next().is_some_and(|c| c.is_ascii_alphabetic()) && start.next() == Some(':');
    path.starts_with("\\\\") || drive && start.next().is_some_and(|c| matches!(c, '/' | '\\'))
}

fn path_fault(path: &str) -> Option<&'static str> {
    if windows(path) || path.strip_prefix('/').is_some_and(windows) {
        return Some(
            "Clients on Linux and macOS refuse Windows paths. Write it as a pattern, such as `C:\\*`, or keep it in a \
             policy for Windows only.",
        );
    }
    let refused = path.contains(['{', '}', ']', '\\', '\0']);
    refused.then_some("A path cannot contain `{`, `}`, `]` or a backslash. To match by pattern, use `*`.")
}

/// The faults of a pattern that clients find: reversed ranges, unbalanced braces and a dangling backslash.
fn glob_fault(glob: &str) -> Option<&'static str> {
    let mut depth = 0usize;
    let mut rest = glob.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.next().is_none() => return Some("The pattern must not end in a backslash."),
            '[' if reversed_range(rest.clone()) => {
                return Some("The range in square brackets runs backwards. Write the smaller character first.");
            }
            '[' => {
                // An unclosed bracket stands for itself.
                let mut ahead = rest.clone();
                if skip_class(&mut ahead) {
                    rest = ahead;
                }
            }
            '{' => depth += 1,
            '}' if depth == 0 => return Some("There is a `}` without a `{`. Write `[}]` for the character itself."),
            '}' => depth -= 1,
            _ => {}
        }
    }
    (depth > 0).then_some("There is a `{` without a `}`. Write `[{]` for the character itself.")
}

/// Moves behind the bracket that closes a class; `]` right at the start is a member of it.
fn skip_class(rest: &mut std::str::Chars<'_>) -> bool {
    let mut first = true;
    for c in rest.by_ref() {
        match c {
            '!' | '^' if first => continue,
            ']' if !first => return true,
            _ => first = false,
        }
    }
    false
}

fn reversed_range(class: std::str::Chars<'_>) -> bool {
    let members: Vec<char> = class.take_while(|c| *c != ']').collect();
    let members = members.strip_prefix(&['!']).or_else(|| members.strip_prefix(&['^'])).unwrap_or(&members);
    members.windows(3).any(|range| matches!(range, [from, '-', to] if from > to))
}
