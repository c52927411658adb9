//! `rules.prefix_rules`: rules over commands, told apart by the commands that they match.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::meaning::Meaning;
use super::walk::Walk;
use super::{Effect, summary};

/// Compares two lists of rules. Of several with one pattern the strictest decides, as in clients.
pub(super) fn compare(walk: &mut Walk<'_>, before: Option<&Value>, after: Option<&Value>) {
    let (old, new) = (by_pattern(before), by_pattern(after));
    let mut found = false;
    let patterns: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for pattern in patterns {
        let rules = [old.get(pattern), new.get(pattern)];
        if rules[0] == rules[1] {
            continue;
        }
        let [before, after] = rules.map(|rules| rules.and_then(|rules| strictest(rules)));
        let effect = match (before, after) {
            (None, _) => Effect::Tightened,
            (_, None) => Effect::Loosened,
            (Some(before), Some(after)) => match (rank(before), rank(after)) {
                (old, new) if old < new => Effect::Tightened,
                (old, new) if old > new => Effect::Loosened,
                // Another way of matching catches other commands.
                _ if before.get("canonical_matching") != after.get("canonical_matching") => Effect::Unknown,
                _ => Effect::Neutral,
            },
        };
        let name = format!("{}[{}]", summary::dotted(walk.path()), Value::from(words(before.or(after))));
        walk.note_as(name, Meaning::Rules, effect, before, after);
        found = true;
    }
    if !found {
        // In another order, or empty where there was nothing: no client does anything else.
        walk.note(Meaning::Neutral, Effect::Neutral, before, after);
    }
}

/// The rules by what they match.
fn by_pattern(rules: Option<&Value>) -> BTreeMap<String, Vec<&Value>> {
    let mut found: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    let rules = rules.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for rule in rules {
        let pattern = rule.get("pattern").unwrap_or(rule);
        let tokens = pattern.as_array().map(|tokens| tokens.iter().map(alternatives).collect::<Vec<_>>());
        let key = tokens.map_or_else(|| pattern.to_string(), |tokens| Value::from(tokens).to_string());
        found.entry(key).or_default().push(rule);
    }
    found
}

/// What a token of a pattern matches, in one order.
fn alternatives(token: &Value) -> Value {
    let one = token.get("token").and_then(Value::as_str).map(|word| vec![word]);
    let several = || token.get("any_of")?.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
    let Some(mut words) = one.or_else(several) else { return token.clone() };
    words.sort_unstable();
    words.dedup();
    Value::from(words)
}

/// The rule that decides; of equals the one that is written first in any order.
fn strictest<'a>(rules: &[&'a Value]) -> Option<&'a Value> {
    rules.iter().copied().max_by_key(|rule| (rank(rule), rule.to_string()))
}

/// How strict a rule is.
fn rank(rule: &Value) -> u8 {
    match rule.get("decision").and_then(Value::as_str) {
        Some("forbidden") => 3,
        // Asks the person, where `prompt` may ask the automatic reviewer.
        Some("prompt-user") => 2,
        Some("prompt") => 1,
        _ => 0,
    }
}

/// The beginning of the commands that a rule matches: `git (push|fetch)`.
pub(super) fn words(rule: Option<&Value>) -> String {
    let tokens = rule.and_then(|rule| rule.get("pattern")?.as_array());
    let word = |token: &Value| match alternatives(token) {
        Value::Array(words) if words.len() == 1 => words[0].as_str().unwrap_or_default().to_owned(),
        Value::Array(words) => format!("({})", words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|")),
        _ => "?".to_owned(),
    };
    tokens.map(|tokens| tokens.iter().map(word).collect::<Vec<_>>().join(" ")).unwrap_or_default()
}
