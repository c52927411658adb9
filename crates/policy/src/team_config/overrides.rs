//! What of a repository's Team Config a policy will override, and what takes its place.

use provost_model::command::{Action, PrefixRule};
use provost_model::effective::{Effective, Layer, LayerKind, effective};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::config::NOT_FROM_A_REPOSITORY;
use super::rules::Rule;
use super::{HeldAgainst, TeamConfig};

/// A value of a repository that does not count, or not everywhere.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Overridden {
    /// The file, from the root of the repository.
    pub file: String,
    /// The line, where the file is a program.
    pub line: Option<u32>,
    /// The dotted key, or the call: `sandbox_mode`, `prefix_rule`.
    pub key: String,
    /// What the repository says.
    pub value: Value,
    /// What overrides it.
    pub overridden_by: OverriddenBy,
    /// What becomes of it, in a sentence.
    pub effect: String,
}

/// What overrides a value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OverriddenBy {
    /// The policy, by name, or its file.
    pub policy: String,
    /// Its version; none for a file.
    pub version: Option<u32>,
    /// The key of the policy.
    pub key: String,
}

/// What a policy overrides.
pub(super) fn of(team: &TeamConfig, policy: &HeldAgainst) -> Vec<Overridden> {
    let mut layers = vec![Layer { kind: LayerKind::CloudPolicy, contents: &policy.contents }];
    layers.extend(team.config.as_deref().map(|contents| Layer { kind: LayerKind::TeamConfig, contents }));
    let merged = effective(&layers, None);
    let mut held = Held { team, policy, merged: &merged, found: Vec::new() };
    held.values();
    held.servers();
    held.hooks();
    held.network();
    held.rules();
    held.found
}

struct Held<'a> {
    team: &'a TeamConfig,
    policy: &'a HeldAgainst,
    merged: &'a Effective,
    found: Vec<Overridden>,
}

const CONFIG: &str = ".codex/config.toml";

impl Held<'_> {
    fn add(&mut self, at: (&str, Option<u32>), key: String, value: Value, by: &str, effect: String) {
        let HeldAgainst { policy, version, .. } = self.policy;
        let overridden_by = OverriddenBy { policy: policy.clone(), version: *version, key: by.to_owned() };
        self.found.push(Overridden { file: at.0.to_owned(), line: at.1, key, value, overridden_by, effect });
    }

    fn required(&self, name: &str) -> Option<&Value> {
        self.merged.requirements.iter().find(|key| key.key == name).map(|key| &key.value)
    }

    /// Values of `config.toml` that requirements do not let stand.
    fn values(&mut self) {
        let merged = self.merged;
        for key in merged.config.iter().filter(|key| key.layer == Some(1)) {
            let root = key.key.split('.').next().unwrap_or_default();
            let Some(verdict) = key.permitted.as_ref().filter(|verdict| !verdict.allowed) else { continue };
            if NOT_FROM_A_REPOSITORY.contains(&root) {
                continue;
            }
            let effect = format!("Sessions run with {} instead.", verdict.becomes);
            self.add((CONFIG, None), key.key.clone(), key.value.clone(), &verdict.by, effect);
        }
    }

    /// MCP servers that are not on the policy's list.
    fn servers(&mut self) {
        let parse = |text: &str| text.parse::<toml::Table>().ok();
        let Some(allowed) = parse(&self.policy.contents).and_then(|mut policy| policy.remove("mcp_servers")) else {
            return;
        };
        let config = self.team.config.as_deref().and_then(parse);
        let Some(toml::Value::Table(servers)) = config.and_then(|mut config| config.remove("mcp_servers")) else {
            return;
        };
        for (name, server) in servers {
            let effect = match allowed.get(&name).and_then(|entry| entry.get("identity")) {
                None => "The server is switched off: the policy does not list it.",
                Some(identity) if !is_same(identity, &server) => {
                    "The server is switched off: it is not the one that the policy lists under this name."
                }
                Some(_) => continue,
            };
            let identity = server.get("command").or_else(|| server.get("url"));
            // Only what identifies it: arguments and headers may hold secrets.
            let value = identity.and_then(toml::Value::as_str).map_or(Value::Null, Value::from);
            self.add((CONFIG, None), format!("mcp_servers.{name}"), value, "mcp_servers", effect.to_owned());
        }
    }

    /// Hooks that a policy keeps from running.
    fn hooks(&mut self) {
        let by = match (self.required("allow_managed_hooks_only"), self.required("features.hooks")) {
            (Some(Value::Bool(true)), _) => "allow_managed_hooks_only",
            (_, Some(Value::Bool(false))) => "features.hooks",
            _ => return,
        };
        for hook in &self.team.hooks {
            let key = format!("hooks.{}", hook.event);
            self.add((&hook.file, None), key, Value::Null, by, "The hooks of this event do not run.".to_owned());
        }
    }

    /// Hosts that rules allow and the policy denies.
    fn network(&mut self) {
        let table = "experimental_network.";
        let denied: Vec<(String, String)> = self
            .merged
            .requirements
            .iter()
            .filter(|key| key.key.starts_with(table))
            .flat_map(|key| {
                let by_name = key.key.strip_prefix(table).and_then(|rest| rest.strip_prefix("domains."));
                let of_table = by_name.filter(|_| key.value == "deny").map(|name| name.trim_matches('"').to_owned());
                let is_list = key.key.starts_with("experimental_network.denied_domains");
                let of_list = key.value.as_array().cloned().unwrap_or_else(|| vec![key.value.clone()]);
                let of_list = of_list.into_iter().filter(move |_| is_list);
                let names = of_list.filter_map(|value| value.as_str().map(str::to_owned)).chain(of_table);
                names.map(|name| (key.key.clone(), name)).collect::<Vec<_>>()
            })
            .collect();
        for (file, rules) in &self.team.rules {
            for rule in rules.network.iter().filter(|rule| rule.decision != "deny") {
                let by = denied.iter().find(|(_, pattern)| covers(pattern, &rule.host));
                if let Some((by, _)) = by {
                    let effect = "The host stays out of reach: the policy denies it.".to_owned();
                    let at = (file.as_str(), Some(rule.line));
                    self.add(at, "network_rule".to_owned(), json!(rule.host), by, effect);
                }
            }
        }
    }

    /// Rules that the policy's own are stricter than: the strictest wins.
    fn rules(&mut self) {
        let Ok(required) = PrefixRule::of_policy(&self.policy.contents, 0) else { return };
        for (file, rules) in &self.team.rules {
            for rule in &rules.rules {
                let stricter = required.iter().filter(|other| other.decision > rule.decision && meet(rule, other));
                // The strictest that always applies says more than one that sometimes does.
                let Some(other) = stricter.max_by_key(|other| (includes(other, rule), other.decision)) else {
                    continue;
                };
                let does = match other.decision {
                    Action::Forbidden => "refused",
                    _ => "asked about first",
                };
                let effect = match includes(other, rule) {
                    true => format!("Such commands are {does}."),
                    false => format!("Some such commands are {does}: {}.", pattern(&other.pattern)),
                };
                let by = format!("rules.prefix_rules[{}]", other.source.index);
                let value = json!({ "pattern": rule.pattern, "decision": rule.decision });
                self.add((file, Some(rule.line)), "prefix_rule".to_owned(), value, &by, effect);
            }
        }
    }
}

/// Whether a server is the one that an identity means. Structured identities are compared by their kind and program only:
/// the rest is told apart when the server starts.
fn is_same(identity: &toml::Value, server: &toml::Value) -> bool {
    ["command", "url"].iter().any(|key| {
        let (Some(wanted), Some(has)) = (identity.get(key), server.get(key).and_then(toml::Value::as_str)) else {
            return false;
        };
        let program = wanted.get("executable").unwrap_or(wanted);
        match (program.as_str(), wanted.get("match").and_then(toml::Value::as_str), wanted.get("value")) {
            (Some(text), _, _) => text == has,
            (None, Some("exact"), Some(value)) => value.as_str() == Some(has),
            (None, Some("prefix"), Some(value)) => value.as_str().is_some_and(|prefix| has.starts_with(prefix)),
            _ => true,
        }
    })
}

/// Whether a pattern of a policy's domains is about a host: `*.x` below it, `**.x` with it (requirements-keys.md §2.3).
fn covers(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let below = |apex: &str| host.strip_suffix(apex).is_some_and(|rest| rest.ends_with('.'));
    match (pattern.strip_prefix("**."), pattern.strip_prefix("*.")) {
        (Some(apex), _) => host == apex || below(apex),
        (None, Some(apex)) => below(apex),
        (None, None) => host == pattern,
    }
}

/// Whether some command matches both.
fn meet(rule: &Rule, other: &PrefixRule) -> bool {
    rule.pattern.iter().zip(&other.pattern).all(|(one, two)| one.iter().any(|word| two.contains(word)))
}

/// Whether every command that matches a rule matches the policy's, too.
fn includes(other: &PrefixRule, rule: &Rule) -> bool {
    other.pattern.len() <= rule.pattern.len()
        && other.pattern.iter().zip(&rule.pattern).all(|(all, words)| words.iter().all(|word| all.contains(word)))
}

fn pattern(words: &[Vec<String>]) -> String {
    words.iter().map(|any_of| any_of.join("|")).collect::<Vec<_>>().join(" ")
}
