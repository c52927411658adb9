//! What (nearly) all repositories repeat, and a policy's managed defaults could say once.

use std::collections::BTreeMap;

use provost_model::lint::{self, Severity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::config::NOT_FROM_A_REPOSITORY;
use super::{HeldAgainst, TeamConfig};

/// Tables that are moved whole or not at all: half a server is none.
const WHOLE: &[&str] = &["mcp_servers", "permissions"];

/// Tables that say something about this repository, or this device.
const OWN: &[&str] = &["projects", "hooks"];

/// How deep a value may stand, and nest. Settings do not come close; what does is made to cost.
const MAX_DEPTH: usize = 24;

/// The most values that are named.
const MAX_REPEATED: usize = 500;

/// What repositories repeat.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// To whose managed defaults it can move, if a policy was named.
    pub policy: Option<String>,
    /// Each value.
    pub repeated: Vec<Repeated>,
    /// The text to add to the managed defaults: what they do not say yet.
    pub defaults: String,
    /// Why, in a sentence.
    pub message: String,
}

/// A value that repositories repeat.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Repeated {
    /// Dotted, quoted as TOML does.
    pub key: String,
    /// The value.
    pub value: Value,
    /// How many repositories say so.
    pub repositories: usize,
    /// Which ones do not.
    pub differing: Vec<String>,
    /// Whether the managed defaults say so already: the repositories can drop it.
    pub is_default_already: bool,
}

/// The path of a value.
type Path = Vec<String>;

pub(super) fn suggest(teams: &[TeamConfig], policy: Option<&HeldAgainst>) -> Option<Suggestion> {
    if teams.len() < 2 {
        return None;
    }
    let said = teams.iter().map(|team| leaves(team.config.as_deref().unwrap_or_default()));
    let said: Vec<BTreeMap<Path, toml::Value>> = said.collect();
    let already = leaves(policy.and_then(|policy| policy.defaults.as_deref()).unwrap_or_default());
    let mut repeated = Vec::new();
    let mut missing = toml::Table::new();
    let mut paths: Vec<&Path> = said.iter().flat_map(BTreeMap::keys).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        if repeated.len() == MAX_REPEATED {
            break;
        }
        // Four in five; of a few, all.
        let values = said.iter().filter_map(|values| values.get(path));
        let Some(value) = values.clone().find(|value| {
            let same = values.clone().filter(|other| other == value).count();
            same >= 2 && same * 5 >= teams.len() * 4
        }) else {
            continue;
        };
        if is_deeper(value, MAX_DEPTH) || !may_be_default(path, value) {
            continue;
        }
        let differs = |values: &BTreeMap<Path, toml::Value>| values.get(path) != Some(value);
        let differing = teams.iter().zip(&said).filter(|(_, values)| differs(values));
        let differing: Vec<String> = differing.map(|(team, _)| team.name.clone()).collect();
        let is_default_already = already.get(path) == Some(value);
        if !is_default_already {
            insert(&mut missing, path, value.clone());
        }
        repeated.push(Repeated {
            key: dotted(path),
            value: serde_json::to_value(value).unwrap_or_default(),
            repositories: teams.len() - differing.len(),
            differing,
            is_default_already,
        });
    }
    if repeated.is_empty() {
        return None;
    }
    let name = policy.map(|policy| policy.policy.clone());
    let whose = name.as_ref().map_or_else(|| "of a policy".to_owned(), |name| format!("of policy {name}"));
    let message = format!(
        "(Nearly) every repository says the same: move it to the managed defaults {whose}, and say in a repository only \
         what differs. A developer's own config.toml goes before managed defaults; a repository's goes before both."
    );
    Some(Suggestion { policy: name, repeated, defaults: toml::to_string(&missing).unwrap_or_default(), message })
}

/// Whether clients would start with this default.
fn may_be_default(path: &Path, value: &toml::Value) -> bool {
    let mut alone = toml::Table::new();
    insert(&mut alone, path, value.clone());
    let text = toml::to_string(&alone).unwrap_or_default();
    !lint::defaults(&text).iter().any(|problem| problem.severity == Severity::Error)
}

/// Whether a value nests deeper than this.
fn is_deeper(value: &toml::Value, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else { return true };
    match value {
        toml::Value::Array(items) => items.iter().any(|item| is_deeper(item, left)),
        toml::Value::Table(table) => table.values().any(|item| is_deeper(item, left)),
        _ => false,
    }
}

/// Every value of a text that could stand elsewhere, by its path.
fn leaves(text: &str) -> BTreeMap<Path, toml::Value> {
    let mut found = BTreeMap::new();
    for (key, value) in text.parse::<toml::Table>().unwrap_or_default() {
        if OWN.contains(&key.as_str()) || NOT_FROM_A_REPOSITORY.contains(&key.as_str()) {
            continue;
        }
        let depth = if WHOLE.contains(&key.as_str()) { 1 } else { MAX_DEPTH };
        walk(vec![key], value, depth, &mut found);
    }
    found
}

fn walk(path: Path, value: toml::Value, depth: usize, found: &mut BTreeMap<Path, toml::Value>) {
    match value {
        toml::Value::Table(table) if depth > 0 => {
            for (key, value) in table {
                let path = path.iter().cloned().chain([key]).collect();
                walk(path, value, depth - 1, found);
            }
        }
        value => drop(found.insert(path, value)),
    }
}

fn insert(table: &mut toml::Table, path: &[String], value: toml::Value) {
    match path {
        [] => {}
        [last] => drop(table.insert(last.clone(), value)),
        [first, rest @ ..] => {
            let below = table.entry(first.clone()).or_insert_with(|| toml::Table::new().into());
            if let toml::Value::Table(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

/// A path as TOML writes it.
fn dotted(path: &[String]) -> String {
    let bare = |part: &String| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let part = |part: &String| if bare(part) { part.clone() } else { toml::Value::from(part.as_str()).to_string() };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}
