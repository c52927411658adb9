//! Walks two trees side by side and notes what differs.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::meaning::Meaning;
use super::{ChangeKind, Effect, MAX_CHANGES, PolicyChange, PolicyDiff, rules, secrets, summary};

/// One walk over one text of a policy.
pub(super) struct Walk<'a> {
    prefix: &'static str,
    meaning: fn(&[String]) -> Meaning,
    path: Vec<String>,
    found: &'a mut PolicyDiff,
}

impl<'a> Walk<'a> {
    pub(super) fn new(prefix: &'static str, meaning: fn(&[String]) -> Meaning, found: &'a mut PolicyDiff) -> Self {
        Self { prefix, meaning, path: Vec::new(), found }
    }

    /// Compares what stands at the current path.
    pub(super) fn visit(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if before == after {
            return;
        }
        let meaning = (self.meaning)(&self.path);
        match (meaning, before, after) {
            (Meaning::Rules, _, _) => rules::compare(self, before, after),
            (Meaning::Choices(_), Some(Value::Array(_)), Some(Value::Array(_))) => {
                self.elements(meaning, Effect::Loosened, before, after);
            }
            (Meaning::Choices(all), _, _) => {
                let open = |value: Option<&Value>| value.is_none_or(|value| has_all(value, all));
                self.note(meaning, tighter_when_closed(open(before), open(after)), before, after);
            }
            (Meaning::Grants, _, _) if are_lists(before, after) => {
                self.elements(meaning, Effect::Loosened, before, after);
            }
            (Meaning::Denials, _, _) if are_lists(before, after) => {
                self.elements(meaning, Effect::Tightened, before, after);
            }
            (Meaning::Only, Some(Value::Object(_)), Some(Value::Object(_))) => {
                self.each_key(before, after, |walk, old, new| {
                    let effect = match (old, new) {
                        (None, _) => Effect::Loosened,
                        (_, None) => Effect::Tightened,
                        _ => Effect::Unknown,
                    };
                    walk.note(Meaning::Only, effect, old, new);
                })
            }
            (Meaning::Only, _, _) => {
                self.note(meaning, tighter_when_closed(before.is_none(), after.is_none()), before, after);
            }
            (Meaning::Profiles, Some(Value::Object(_)), Some(Value::Object(_))) => {
                let switch = Meaning::Switch { tight: false, absent: false };
                self.each_key(before, after, |walk, old, new| walk.note(switch, of_value(switch, old, new), old, new));
            }
            (Meaning::Profiles, _, _) => {
                self.note(meaning, tighter_when_closed(before.is_none(), after.is_none()), before, after);
            }
            _ if are_tables(before, after) => self.each_key(before, after, Self::visit),
            (_, Some(Value::Array(_)), Some(Value::Array(_))) => {
                let effect = if meaning == Meaning::Neutral { Effect::Neutral } else { Effect::Unknown };
                self.elements(meaning, effect, before, after);
            }
            _ => self.note(meaning, of_value(meaning, before, after), before, after),
        }
    }

    fn each_key(
        &mut self,
        before: Option<&Value>,
        after: Option<&Value>,
        each: impl Fn(&mut Self, Option<&Value>, Option<&Value>),
    ) {
        let (old, new) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
        let keys: BTreeSet<&String> = old.into_iter().chain(new).flat_map(|table| table.keys()).collect();
        for key in keys {
            let (old, new) = (old.and_then(|table| table.get(key)), new.and_then(|table| table.get(key)));
            if old != new {
                self.path.push(key.clone());
                each(self, old, new);
                self.path.pop();
            }
        }
    }

    /// Compares two lists (or none) as bags: each element comes or goes by itself.
    fn elements(&mut self, meaning: Meaning, added: Effect, before: Option<&Value>, after: Option<&Value>) {
        let mut counts: BTreeMap<String, (usize, usize, &Value)> = BTreeMap::new();
        for item in items(before) {
            counts.entry(item.to_string()).or_insert((0, 0, item)).0 += 1;
        }
        for item in items(after) {
            counts.entry(item.to_string()).or_insert((0, 0, item)).1 += 1;
        }
        let mut only_order = true;
        for (old, new, item) in counts.into_values().filter(|(old, new, _)| old != new) {
            // What is there twice is there. `disabled` is always among the kinds of search.
            let is_implied = self.path == ["allowed_web_search_modes"] && item == "disabled";
            let effect = if (old > 0 && new > 0) || is_implied { Effect::Neutral } else { added };
            match old < new {
                true => self.note(meaning, effect, None, Some(item)),
                false => self.note(meaning, effect.mirrored(), Some(item), None),
            }
            only_order = false;
        }
        if only_order {
            // In another order, or empty in place of absent.
            let effect = if meaning == Meaning::Unknown { Effect::Unknown } else { Effect::Neutral };
            self.note(Meaning::Neutral, effect, before, after);
        }
    }

    /// Notes a change at the current path.
    pub(super) fn note(&mut self, meaning: Meaning, effect: Effect, before: Option<&Value>, after: Option<&Value>) {
        let name = summary::dotted(&self.path);
        self.note_as(name, meaning, effect, before, after);
    }

    /// Notes a change under a name of its own.
    pub(super) fn note_as(
        &mut self,
        name: String,
        meaning: Meaning,
        effect: Effect,
        before: Option<&Value>,
        after: Option<&Value>,
    ) {
        if self.found.changes.len() >= MAX_CHANGES {
            self.found.left_off += 1;
            return;
        }
        let shown = |value: Option<&Value>| value.map_or(Value::Null, |value| secrets::shown(&self.path, value));
        let (change, before, after) = (ChangeKind::of(before, after), shown(before), shown(after));
        let summary = summary::sentence(meaning, &self.path, change, &before, &after);
        let key = format!("{}{name}", self.prefix);
        self.found.changes.push(PolicyChange { key, change, effect, before, after, summary });
    }

    pub(super) fn path(&self) -> &[String] {
        &self.path
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn are_lists(before: Option<&Value>, after: Option<&Value>) -> bool {
    [before, after].into_iter().flatten().all(Value::is_array)
}

/// Whether both are tables or absent, and one has something in it.
fn are_tables(before: Option<&Value>, after: Option<&Value>) -> bool {
    let mut present = [before, after].into_iter().flatten();
    present.clone().all(Value::is_object)
        && present.any(|value| value.as_object().is_some_and(|table| !table.is_empty()))
}

fn has_all(value: &Value, all: &[&str]) -> bool {
    !all.is_empty()
        && all.iter().all(|word| value.as_array().is_some_and(|items| items.iter().any(|item| item == word)))
}

fn tighter_when_closed(was_open: bool, is_open: bool) -> Effect {
    match (was_open, is_open) {
        (true, false) => Effect::Tightened,
        (false, true) => Effect::Loosened,
        (true, true) => Effect::Neutral,
        // Of another kind than it should be.
        (false, false) => Effect::Unknown,
    }
}

/// The effect of one value in place of another.
fn of_value(meaning: Meaning, before: Option<&Value>, after: Option<&Value>) -> Effect {
    let by = |order: Option<Ordering>| match order {
        Some(Ordering::Less) => Effect::Loosened,
        Some(Ordering::Greater) => Effect::Tightened,
        Some(Ordering::Equal) => Effect::Neutral,
        None => Effect::Unknown,
    };
    match meaning {
        Meaning::Switch { tight, absent } => {
            let open = |value: Option<&Value>| match value {
                None => Some(absent != tight),
                Some(value) => value.as_bool().map(|value| value != tight),
            };
            by(open(before).zip(open(after)).map(|(old, new)| old.cmp(&new)))
        }
        Meaning::Order(words, absent) => by(compare_words(words, absent, before, after)),
        Meaning::Limit => match (before, after) {
            (None, _) => Effect::Tightened,
            (_, None) => Effect::Loosened,
            _ => Effect::Unknown,
        },
        Meaning::Neutral => Effect::Neutral,
        _ => Effect::Unknown,
    }
}

/// How open the value before is, against the one after.
fn compare_words(
    words: &[&str],
    absent: Option<&str>,
    before: Option<&Value>,
    after: Option<&Value>,
) -> Option<Ordering> {
    let place = |value: Option<&Value>| match value {
        Some(value) => words.iter().position(|word| value == word).map(Some),
        None => Some(absent.and_then(|absent| words.iter().position(|word| *word == absent))),
    };
    match (place(before)?, place(after)?) {
        (Some(old), Some(new)) => Some(old.cmp(&new)),
        (None, Some(new)) => against_absent(new, words.len()).map(Ordering::reverse),
        (Some(old), None) => against_absent(old, words.len()),
        (None, None) => None,
    }
}

/// How open a word is against a value that is absent and not known.
fn against_absent(place: usize, words: usize) -> Option<Ordering> {
    match place {
        0 => Some(Ordering::Less),
        last if last + 1 == words => Some(Ordering::Greater),
        _ => None,
    }
}
