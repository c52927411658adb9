//! Runs the examples that a rule's author wrote beside it.

use provost_model::lint::Problem;

use super::{HostExecutable, Rule, RulesFile, problem};

/// What the examples of a file say that its rules do not do. Each is held against its own rule only, as clients do.
pub(super) fn run(file: &RulesFile) -> Vec<Problem> {
    let mut found = Vec::new();
    for rule in &file.rules {
        let mut wrong = |example: &[String], code: &str, what: &str| {
            let command = shlex::try_join(example.iter().map(String::as_str)).unwrap_or_else(|_| example.join(" "));
            let message = format!("The example `{command}` {what}.");
            found.push(problem(rule.line, rule.column, code, message));
        };
        for example in rule.not_matches.iter().filter(|example| matches(rule, example, &file.executables)) {
            wrong(example, "example_matches", "must not match this rule, but does");
        }
        for example in rule.matches.iter().filter(|example| !matches(rule, example, &file.executables)) {
            wrong(example, "example_does_not_match", "must match this rule, but does not");
        }
    }
    found
}

/// Whether a rule matches the words of a command: its program as written, else by its name, where that is allowed.
fn matches(rule: &Rule, command: &[String], executables: &[HostExecutable]) -> bool {
    let Some((program, rest)) = command.split_first() else { return false };
    let Some((first, words)) = rule.pattern.split_first() else { return false };
    let follows = words.len() <= rest.len() && words.iter().zip(rest).all(|(any_of, word)| any_of.contains(word));
    let name = program.rsplit_once('/').map(|(_, name)| name);
    let by_name = name.is_some_and(|name| {
        let known = executables.iter().rev().find(|executable| executable.name == name);
        first.iter().any(|word| word == name) && known.is_none_or(|known| known.paths.contains(program))
    });
    follows && (first.contains(program) || by_name)
}
