//! Many rules, ready for many commands.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::rule::{Action, PrefixRule};
use super::split::split;

/// What the rules make of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every part is allowed by a rule.
    Allow,
    /// A part is matched by no rule, and no rule restricts another: the client judges for itself.
    NoMatch,
    /// Somebody is asked first.
    Prompt,
    /// Refused.
    Forbidden,
}

/// The decision over a command, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandDecision<'r, 'a> {
    /// What becomes of it.
    pub outcome: Outcome,
    /// What it was split into; the command itself when it was not.
    pub parts: Vec<Part<'r, 'a>>,
}

/// A simple command, and the rules that match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'r, 'a> {
    /// Its words.
    pub argv: Vec<Cow<'a, str>>,
    /// In the order in which the rules were given.
    pub matched: Vec<&'r PrefixRule>,
}

impl<'r> CommandDecision<'r, '_> {
    /// The rule that decides: the first of the strictest that match. None if the rules leave it to the client.
    pub fn deciding(&self) -> Option<&'r PrefixRule> {
        if self.outcome == Outcome::NoMatch {
            return None;
        }
        let matched = self.parts.iter().flat_map(|part| part.matched.iter().copied());
        matched.reduce(|first, rule| if rule.decision > first.decision { rule } else { first })
    }
}

/// Rules by the first word that they match.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<PrefixRule>,
    by_program: HashMap<String, Vec<u32>, foldhash::fast::RandomState>,
    /// For a program's name, the only paths under which rules for the name hold (`host_executable` of `.rules` files).
    paths: HashMap<String, Vec<String>>,
}

impl RuleSet {
    /// These rules. Their order only matters for which of equally strict rules is named.
    pub fn new(rules: impl IntoIterator<Item = PrefixRule>) -> Self {
        let mut set = Self::default();
        set.rules.extend(rules);
        for (position, rule) in (0..).zip(&set.rules) {
            for program in rule.pattern.first().into_iter().flatten() {
                let known = set.by_program.entry(program.clone()).or_default();
                if known.last() != Some(&position) {
                    known.push(position);
                }
            }
        }
        set
    }

    /// Says under which absolute paths the rules for a program's name hold, as `host_executable` of a `.rules` file does.
    /// A later saying replaces an earlier one; without any, every path that ends in the name is the program.
    #[must_use]
    pub fn with_host_executable(mut self, name: &str, paths: Vec<String>) -> Self {
        self.paths.insert(name.to_owned(), paths);
        self
    }

    /// The rules, in the order in which they were given.
    pub fn rules(&self) -> &[PrefixRule] {
        &self.rules
    }

    /// What becomes of a command, and why.
    pub fn decide<'a, S: AsRef<str>>(&self, argv: &'a [S]) -> CommandDecision<'_, 'a> {
        let parts = split(argv).into_iter().map(|argv| {
            let mut matched = Vec::new();
            self.each_match(&argv, |rule| matched.push(rule));
            Part { argv, matched }
        });
        let parts: Vec<_> = parts.collect();
        let of_part = |part: &Part<'_, '_>| part.matched.iter().map(|rule| outcome(rule.decision)).max();
        let outcome = parts.iter().map(|part| of_part(part).unwrap_or(Outcome::NoMatch)).max();
        CommandDecision { outcome: outcome.unwrap_or(Outcome::NoMatch), parts }
    }

    /// What becomes of a command, for those who ask a million times.
    pub fn outcome<S: AsRef<str>>(&self, argv: &[S]) -> Outcome {
        let of_part = |argv: &Vec<Cow<'_, str>>| {
            let mut strictest = None;
            self.each_match(argv, |rule| strictest = strictest.max(Some(outcome(rule.decision))));
            strictest.unwrap_or(Outcome::NoMatch)
        };
        split(argv).iter().map(of_part).max().unwrap_or(Outcome::NoMatch)
    }

    /// Calls for each rule that matches a simple command.
    ///
    /// The program as written counts first; only if no rule matches it, its name without the directories does.
    fn each_match<'r>(&'r self, argv: &[Cow<'_, str>], mut found: impl FnMut(&'r PrefixRule)) {
        let Some((program, rest)) = argv.split_first() else { return };
        if self.look(program, rest, &mut found) {
            return;
        }
        if let Some((name, path)) = resolve(program)
            && self.paths.get(name).is_none_or(|paths| paths.contains(&path))
        {
            self.look(name, rest, &mut found);
        }
    }

    fn look<'r>(&'r self, program: &str, rest: &[Cow<'_, str>], found: &mut impl FnMut(&'r PrefixRule)) -> bool {
        let mut any = false;
        for position in self.by_program.get(program).into_iter().flatten() {
            let Some(rule) = self.rules.get(*position as usize) else { continue };
            let words = rule.pattern.get(1..).unwrap_or_default();
            let matches = words.len() <= rest.len()
                && words.iter().zip(rest).all(|(allowed, word)| allowed.iter().any(|allowed| allowed == word));
            if matches {
                any = true;
                found(rule);
            }
        }
        any
    }
}

fn outcome(action: Action) -> Outcome {
    match action {
        Action::Allow => Outcome::Allow,
        Action::Prompt | Action::PromptUser => Outcome::Prompt,
        Action::Forbidden => Outcome::Forbidden,
    }
}

/// The name at the end of a path, and the path without its `.`, `..` and doubled slashes. None for a bare name, which was
/// looked at as written.
fn resolve(program: &str) -> Option<(&str, String)> {
    if !program.contains('/') {
        return None;
    }
    let mut steps: Vec<&str> = Vec::new();
    for step in program.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    let name = steps.last()?;
    let root = if program.starts_with('/') { "/" } else { "" };
    Some((name, format!("{root}{}", steps.join("/"))))
}
