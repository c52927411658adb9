//! What a change of a policy means: which keys came, went or differ, and whether clients are held tighter or
//! looser by it. The same two texts as a unified diff stand beside it.
//!
//! A key's effect is judged by its own meaning ([`meaning`]), whoever else may override it; nothing here knows
//! the members. Values that may be secrets (headers, tokens) are redacted in both.

mod document;
mod meaning;
mod rules;
mod secrets;
mod summary;
mod text;
mod walk;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use meaning::{Meaning, meaning_of};
use walk::Walk;

/// The most changes that are listed.
pub const MAX_CHANGES: usize = 1_000;

/// The two texts of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PolicyTexts<'a> {
    /// The `requirements.toml`.
    pub contents: &'a str,
    /// The `config.toml` that clients start from.
    pub defaults: Option<&'a str>,
}

/// What differs between two versions of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct PolicyDiff {
    /// What differs in meaning, key by key; at most 1,000.
    pub changes: Vec<PolicyChange>,
    /// How many more there are.
    pub left_off: usize,
    /// A unified diff of both texts; empty where they are equal.
    pub text: String,
}

/// One key that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PolicyChange {
    /// Its dotted path; a key of the defaults begins with `defaults:`.
    pub key: String,
    /// Whether it came, went or has another value. What is in a list comes and goes by itself.
    pub change: ChangeKind,
    /// What that does to clients.
    pub effect: Effect,
    /// The value that went; null where it came. Long values are cut, secrets are `[redacted]`.
    pub before: Value,
    /// The value that came; null where it went.
    pub after: Value,
    /// The same in a sentence.
    pub summary: String,
}

/// Whether something came, went or differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another value.
    Changed,
}

/// What a change does to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// They may less.
    Tightened,
    /// They may more.
    Loosened,
    /// They may the same.
    Neutral,
    /// It depends on what it names, or nobody can tell from the text.
    Unknown,
}

impl Effect {
    /// Of the change back.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Tightened => Self::Loosened,
            Self::Loosened => Self::Tightened,
            other => other,
        }
    }
}

impl ChangeKind {
    /// Of the change back.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Added => Self::Removed,
            Self::Removed => Self::Added,
            Self::Changed => Self::Changed,
        }
    }

    fn of(before: Option<&Value>, after: Option<&Value>) -> Self {
        match (before, after) {
            (None, _) => Self::Added,
            (_, None) => Self::Removed,
            _ => Self::Changed,
        }
    }
}

/// Whether a text can be looked into.
#[must_use]
pub fn is_toml(text: &str) -> bool {
    with_room(|| document::parse(text).is_some()).unwrap_or_default()
}

/// Compares two versions of a policy. A text that is no TOML is not looked into, nor shown.
#[must_use]
pub fn diff(before: PolicyTexts<'_>, after: PolicyTexts<'_>) -> PolicyDiff {
    if before == after {
        return PolicyDiff::default();
    }
    with_room(|| {
        let mut found = PolicyDiff::default();
        let pairs = [
            ("", "requirements.toml", before.contents, after.contents),
            ("defaults:", "config.toml", before.defaults.unwrap_or_default(), after.defaults.unwrap_or_default()),
        ];
        for (prefix, file, old, new) in pairs {
            if old != new {
                compare(&mut found, prefix, file, old, new);
            }
        }
        found
    })
    .unwrap_or_else(|| unreadable("contents", "The texts could not be compared because the server is short of memory."))
}

fn compare(found: &mut PolicyDiff, prefix: &'static str, file: &str, old: &str, new: &str) {
    let (Some(before), Some(after)) = (document::parse(old), document::parse(new)) else {
        let key = if prefix.is_empty() { "contents" } else { "defaults" };
        found
            .changes
            .extend(unreadable(key, "One of the two texts is no TOML, so what it means is not known.").changes);
        return;
    };
    // What is a default binds nobody: clients start from it, and their users choose another.
    let meaning = if prefix.is_empty() { meaning_of } else { |_: &[String]| Meaning::Neutral };
    let mut walk = Walk::new(prefix, meaning, found);
    walk.visit(Some(&before), Some(&after));
    found.text.push_str(&text::unified(file, &secrets::hidden(old, None), &secrets::hidden(new, Some(old))));
}

fn unreadable(key: &str, summary: &str) -> PolicyDiff {
    let change = PolicyChange {
        key: key.to_owned(),
        change: ChangeKind::Changed,
        effect: Effect::Unknown,
        before: Value::Null,
        after: Value::Null,
        summary: summary.to_owned(),
    };
    PolicyDiff { changes: vec![change], ..PolicyDiff::default() }
}

/// Runs a job with room for the deepest text that clients read (some 6,400 levels); none if there is no
/// memory for it.
fn with_room<T: Send>(job: impl FnOnce() -> T + Send) -> Option<T> {
    const STACK_BYTES: usize = 256 << 20;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, job).ok()?;
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests;
