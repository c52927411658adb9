//! What older client versions make of a policy: the keys that they ignore, and those that they choke on.
//!
//! The linter's rules are those of the newest client. What others know was asked of them one by one
//! (`tests/fixtures/record_versions.py`) and stands in `recorded.json`. A version between two recorded ones is taken
//! for the worse of both, key by key; one before the first or after the last is taken for that one.

mod recorded;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[cfg(test)]
pub(super) use self::recorded::DATE;
use self::recorded::{Answer, RECORDED};
use super::document::{Node, Place, Value};
use super::report::Report;
use super::schema::EVENTS;
use super::{MAX_PROBLEMS, Problem, check};
use crate::ClientVersion;

/// Before this version, a client that does not understand a policy goes on without any.
const FAILS_CLOSED: ClientVersion = ClientVersion { major: 0, minor: 116, patch: 0 };

/// What one client version makes of a policy, beside what the linter says for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VersionVerdict {
    /// The version.
    pub version: ClientVersion,
    /// The recorded versions that this rests on: itself, or its neighbours.
    pub recorded: Vec<ClientVersion>,
    /// The keys of the policy that it ignores, as dotted paths; no more than [`MAX_PROBLEMS`].
    pub ignores: Vec<String>,
    /// A warning for each key that it ignores, an error for each that keeps it from loading the policy.
    pub problems: Vec<Problem>,
}

/// What each of these versions makes of a `requirements.toml`. A text that is no TOML, which no version takes, has no
/// problems here: the linter has said so.
#[must_use]
pub fn for_versions(contents: &str, versions: &[ClientVersion]) -> Vec<VersionVerdict> {
    super::with_room(|| {
        let mut unread = Report::default();
        let tree = super::document::parse(0, contents, &mut unread);
        versions.iter().map(|version| verdict(contents, tree.as_ref(), *version)).collect()
    })
    .unwrap_or_default()
}

fn verdict(contents: &str, tree: Option<&Node<'_>>, version: ClientVersion) -> VersionVerdict {
    let neighbours = RECORDED.neighbours(version);
    let mut walk = Walk { found: Vec::new(), index: 0 };
    for index in &neighbours {
        walk.index = *index;
        tree.into_iter().for_each(|tree| walk.table(tree, "", ""));
    }
    let mut found = walk.found;
    // Of two neighbours the one that refuses decides.
    found.sort_by(|a, b| (a.place, &a.shown, b.known).cmp(&(b.place, &b.shown, a.known)));
    found.dedup_by(|later, first| later.place == first.place && later.shown == first.shown);
    let mut report = Report::default();
    for Finding { place, shown, known, .. } in &found {
        if *known == Answer::Refuses {
            let consequence = if version < FAILS_CLOSED { "goes on without any policy" } else { "refuses to start" };
            let message = format!("Client {version} does not understand `{shown}` and {consequence}.");
            report.error(*place, shown, "refused_by_version", message);
        } else {
            let message = format!("Client {version} does not know `{shown}` and ignores it.");
            report.warn(*place, shown, "ignored_by_version", message);
        }
    }
    let ignored = found.into_iter().filter(|finding| finding.known == Answer::Ignores).map(|finding| finding.shown);
    let recorded = neighbours.iter().map(|index| RECORDED.versions[*index]).collect();
    VersionVerdict {
        version,
        recorded,
        ignores: ignored.take(MAX_PROBLEMS).collect(),
        problems: report.finish(&[contents]),
    }
}

/// A key that a version does not know.
struct Finding {
    place: Place,
    shown: String,
    known: Answer,
}

struct Walk {
    found: Vec<Finding>,
    /// Which of the recorded versions is looked at.
    index: usize,
}

impl Walk {
    /// Below a table at a path: `path` as it is recorded, `shown` as it is written.
    fn table(&mut self, node: &Node<'_>, path: &str, shown: &str) {
        for entry in node.entries() {
            let join =
                |left: &str, right: &str| if left.is_empty() { right.to_owned() } else { format!("{left}.{right}") };
            if path == "features" {
                let known = RECORDED.feature(&entry.key, self.index);
                self.note(entry.place, known, || join(shown, &check::quoted_key(&entry.key)));
                continue;
            }
            let named = join(path, &entry.key);
            let (path, known) = match RECORDED.key(&canonical(&named), self.index) {
                Some(known) => (named, known),
                None => {
                    let any = join(path, "*");
                    match RECORDED.key(&canonical(&any), self.index) {
                        Some(known) => (any, known),
                        None => {
                            // A word that says what the table is has no row but for its values.
                            if entry.node.text().is_some() {
                                self.value(&entry.node, &named, &join(shown, &check::quoted_key(&entry.key)));
                            }
                            continue;
                        }
                    }
                }
            };
            let shown = join(shown, &check::quoted_key(&entry.key));
            if self.note(entry.place, Some(known), || shown.clone()) {
                self.value(&entry.node, &path, &shown);
            }
        }
    }

    fn value(&mut self, node: &Node<'_>, path: &str, shown: &str) {
        match &node.value {
            Value::Table(_) => self.table(node, path, shown),
            Value::List(items) => items.iter().for_each(|item| self.value(item, path, shown)),
            Value::Text(word) if word.len() <= recorded::LONGEST_WORD => {
                let known = RECORDED.key(&canonical(&format!("{path}={word}")), self.index);
                self.note(node.place, known, || format!("{shown} = \"{word}\""));
            }
            // Newer versions read a date where a string belongs.
            Value::Date(_) => {
                self.note(node.place, RECORDED.key(recorded::DATE, self.index), || shown.to_owned());
            }
            _ => {}
        }
    }

    /// Notes what is not known; true if it is.
    fn note(&mut self, place: Place, known: Option<Answer>, shown: impl FnOnce() -> String) -> bool {
        match known {
            Some(known @ (Answer::Ignores | Answer::Refuses)) => {
                // Twice as many as are shown: two neighbours may say the same.
                if self.found.len() < 4 * MAX_PROBLEMS
                    || known == Answer::Refuses && self.found.len() < 8 * MAX_PROBLEMS
                {
                    self.found.push(Finding { place, shown: shown(), known });
                }
                false
            }
            Some(Answer::Knows) | None => true,
        }
    }
}

/// The path that stands for all of the same shape: the hooks of every event, the three names of the network rules.
pub(super) fn canonical(path: &str) -> Cow<'_, str> {
    const TWINS: &[(&str, &str)] = &[
        ("network_proxy.", "experimental_network."),
        ("permissions.network.", "experimental_network."),
        ("plugins.*.mcp_servers.", "mcp_servers."),
        ("otel.trace_exporter.", "otel.exporter."),
        ("otel.metrics_exporter.", "otel.exporter."),
        ("otel.trace_exporter=", "otel.exporter="),
        ("otel.metrics_exporter=", "otel.exporter="),
        ("browser_use.origins.*.", "browser_use.default_origin_policy."),
    ];
    for (twin, known) in TWINS {
        if let Some(rest) = path.strip_prefix(twin) {
            return format!("{known}{rest}").into();
        }
    }
    if let Some((event, rest)) = path.strip_prefix("hooks.").and_then(|rest| rest.split_once('.'))
        && EVENTS.contains(&event)
        && event != EVENTS[0]
    {
        return format!("hooks.{}.{rest}", EVENTS[0]).into();
    }
    path.into()
}
