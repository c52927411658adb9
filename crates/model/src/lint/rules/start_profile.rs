//! The profile that sessions start with, against the limits that hold for every profile.

use std::collections::HashSet;

use regex_lite::Regex;

use super::deny_read::windows;
use super::glob;
use super::permissions::defined;
use crate::lint::check::quoted_key;
use crate::lint::document::{Entry, Node, Place};
use crate::lint::report::Report;

/// How many paths are held against patterns; more take too long, and no policy that people write has as many.
const MOST_COMPARISONS: usize = 200_000;

/// Stands for the home directory, whose place on a device is unknown.
const HOME: &str = "/~/~";

/// Checks the profile that a policy starts with.
pub(super) fn policy(merged: &Node<'_>, name: &str, report: &mut Report) {
    let (chain, base) = chain(merged, name);
    sockets(merged, &chain, report);
    roots(&chain, report);
    readable(merged, &chain, base, report);
}

/// A profile and those that it builds on, itself first, and the built-in profile at the end.
fn chain<'n, 'a>(merged: &'n Node<'a>, name: &str) -> (Vec<&'n Entry<'a>>, Option<&'n str>) {
    let by_name: std::collections::HashMap<&str, &Entry<'a>> =
        defined(merged).map(|entry| (entry.key.as_ref(), entry)).collect();
    let mut chain: Vec<&Entry<'a>> = Vec::new();
    let mut seen = HashSet::new();
    let mut next = by_name.get(name).copied();
    while let Some(entry) = next.filter(|entry| seen.insert(entry.key.as_ref())) {
        chain.push(entry);
        let parent = entry.node.text_at("extends");
        if let Some(base) = parent.filter(|parent| parent.starts_with(':')) {
            return (chain, Some(base));
        }
        next = parent.and_then(|parent| by_name.get(parent).copied());
    }
    (chain, None)
}

/// Who manages Unix sockets one by one cannot let a profile have them all.
fn sockets(merged: &Node<'_>, chain: &[&Entry<'_>], report: &mut Report) {
    const KEY: &str = "dangerously_allow_all_unix_sockets";
    let surfaces: [&[&str]; 3] = [&["experimental_network"], &["network_proxy"], &["permissions", "network"]];
    let Some(managed) = surfaces.iter().find_map(|path| merged.at(path)) else { return };
    let lists = managed.get("unix_sockets").is_some()
        || managed.get("allow_unix_sockets").is_some_and(|list| !list.items().is_empty());
    if !lists || managed.get(KEY).is_some() {
        return;
    }
    let all = chain.iter().find_map(|entry| Some((entry, entry.node.at(&["network", KEY])?)));
    if let Some((entry, node)) = all.filter(|(_, node)| node.bool() == Some(true)) {
        let key = format!("permissions.{}.network.{KEY}", quoted_key(&entry.key));
        let message = "The policy's network rules list Unix sockets, and clients refuse a profile that allows all of \
            them. Remove one of the two.";
        report.error(node.place, &key, "exclusive_fields", message);
    }
}

/// Clients on Linux and macOS refuse a workspace root of Windows.
fn roots(chain: &[&Entry<'_>], report: &mut Report) {
    let is_windows = |path: &str| windows(path) || path.strip_prefix('/').is_some_and(windows);
    let mut said = HashSet::new();
    for profile in chain {
        for root in profile.node.get("workspace_roots").map(Node::entries).unwrap_or_default() {
            if said.insert(root.key.as_ref()) && root.node.bool() == Some(true) && is_windows(&root.key) {
                let key = format!("permissions.{}.workspace_roots.{}", quoted_key(&profile.key), quoted_key(&root.key));
                let message =
                    "Clients on Linux and macOS refuse Windows paths. Keep this one in a policy for Windows only.";
                report.error(root.place, &key, "bad_path", message);
            }
        }
    }
}

/// Something that the profile lets be read.
struct Readable {
    path: String,
    place: Place,
    key: String,
}

/// Clients refuse a profile that names a path which nobody may read.
fn readable(merged: &Node<'_>, chain: &[&Entry<'_>], base: Option<&str>, report: &mut Report) {
    let Some(list) = merged.at(&["permissions", "filesystem", "deny_read"]) else { return };
    let paths = readable_paths(chain, base);
    let texts: Vec<&str> = list.items().iter().filter_map(Node::text).collect();
    let (globs, exact): (Vec<&str>, Vec<&str>) = texts.into_iter().partition(|text| text.contains(['*', '?', '[']));
    let exact: HashSet<String> = exact.into_iter().filter_map(normal).filter(|path| path != "/").collect();
    let mut comparisons = 0;
    let globs: Vec<Regex> =
        globs.into_iter().take(MOST_COMPARISONS).filter_map(|text| glob::compile(&at_home(text))).collect();
    for readable in paths {
        let below = std::iter::successors(Some(readable.path.as_str()), |path| path.rsplit_once('/').map(|(up, _)| up));
        comparisons += globs.len();
        let denied = readable.path != "/"
            && (below.into_iter().any(|path| exact.contains(path))
                || comparisons <= MOST_COMPARISONS && globs.iter().any(|glob| glob.is_match(&readable.path)));
        if denied {
            let message = "`permissions.filesystem.deny_read` denies this path to everyone, and clients refuse a profile \
                that lets it be read. Deny it here, too, or remove one of the two.";
            report.error(readable.place, &readable.key, "denied_to_everyone", message);
        }
    }
}

/// The paths that the profile names, those of its parents included where it does not say otherwise.
fn readable_paths(chain: &[&Entry<'_>], base: Option<&str>) -> Vec<Readable> {
    let mut found = Vec::new();
    let mut said = HashSet::new();
    let mut roots = Vec::new();
    let mut root_access = None;
    for profile in chain {
        let name = format!("permissions.{}", quoted_key(&profile.key));
        for root in profile.node.get("workspace_roots").map(Node::entries).unwrap_or_default() {
            if said.insert(("workspace_roots", root.key.as_ref(), "")) && root.node.bool() == Some(true) {
                roots.push((root, format!("{name}.workspace_roots.{}", quoted_key(&root.key))));
            }
        }
        for entry in profile.node.get("filesystem").map(Node::entries).unwrap_or_default() {
            let path = entry.key.as_ref();
            let key = format!("{name}.filesystem.{}", quoted_key(path));
            // A child's word or table replaces a parent's word; two tables are joined.
            let replaced =
                said.contains(&("word", path, "")) || !entry.node.is_table() && said.contains(&("table", path, ""));
            if replaced {
                continue;
            }
            said.insert((if entry.node.is_table() { "table" } else { "word" }, path, ""));
            if path == ":workspace_roots" {
                root_access.get_or_insert_with(Vec::new).push(entry);
            } else if entry.node.is_table() {
                for sub in entry.node.entries() {
                    if said.insert(("sub", path, sub.key.as_ref())) && reads(&sub.node) {
                        let path = below(path, &sub.key);
                        found.push((path, sub.place, format!("{key}.{}", quoted_key(&sub.key))));
                    }
                }
            } else if reads(&entry.node) {
                let path = path.strip_suffix("/**").unwrap_or(path).to_owned();
                found.push((path, entry.place, key));
            }
        }
    }
    for (root, key) in roots {
        match &root_access {
            None if base == Some(":workspace") => found.push((root.key.to_string(), root.place, key)),
            None => {}
            Some(entries) => {
                for entry in entries {
                    if reads(&entry.node) {
                        found.push((root.key.to_string(), root.place, key.clone()));
                    }
                    let subs = entry.node.entries().iter().filter(|sub| reads(&sub.node));
                    found.extend(subs.map(|sub| (below(&root.key, &sub.key), root.place, key.clone())));
                }
            }
        }
    }
    let paths = found.into_iter().filter_map(|(path, place, key)| Some(Readable { path: normal(&path)?, place, key }));
    paths.collect()
}

fn reads(node: &Node<'_>) -> bool {
    matches!(node.text(), Some("read" | "write"))
}

fn below(path: &str, sub: &str) -> String {
    if sub == "." { path.to_owned() } else { format!("{path}/{}", sub.strip_suffix("/**").unwrap_or(sub)) }
}

fn at_home(path: &str) -> String {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{HOME}{rest}"),
        _ => path.to_owned(),
    }
}

/// An absolute path without empty steps, `.` and `..`; none for what is not absolute.
fn normal(path: &str) -> Option<String> {
    let path = at_home(path);
    let mut steps: Vec<&str> = Vec::new();
    for step in path.strip_prefix('/')?.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    Some(format!("/{}", steps.join("/")))
}
