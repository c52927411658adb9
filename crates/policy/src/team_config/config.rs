//! `.codex/config.toml`.

use provost_model::lint::{self, Problem, Severity};

use super::{TeamConfig, found, hooks};

/// Keys that clients leave to the developer's own file and ignore in a repository's, with a warning. As 0.169.0 lists
/// them when it starts in a trusted project that has every key.
pub(super) const NOT_FROM_A_REPOSITORY: &[&str] = &[
    "openai_base_url",
    "chatgpt_base_url",
    "model_provider",
    "model_providers",
    "notify",
    "profile",
    "profiles",
    "experimental_realtime_ws_base_url",
    "otel",
];

pub(super) fn read(text: &str, team: &mut TeamConfig) -> Vec<Problem> {
    // A key that does nothing in a repository cannot do harm there either.
    let idle = |key: &str| NOT_FROM_A_REPOSITORY.contains(&key.split('.').next().unwrap_or(key));
    let linted = lint::defaults(text).into_iter();
    let mut problems: Vec<Problem> =
        linted.filter(|problem| problem.key.as_deref().is_none_or(|key| !idle(key))).collect();
    let Ok(table) = text.parse::<toml::Table>() else { return problems };
    for key in NOT_FROM_A_REPOSITORY.iter().filter(|key| table.contains_key(**key)) {
        let message = format!(
            "Clients ignore `{key}` in a repository's config.toml. Put it into the developer's own, or into a policy."
        );
        let place = (line_of(text, key).unwrap_or(1), 1);
        problems.push(found(Severity::Warning, place, Some((*key).to_owned()), "not_from_a_repository", message));
    }
    if let Some(events) = table.get("hooks").and_then(toml::Value::as_table) {
        problems.extend(hooks::read_table(text, events, &mut team.hooks));
    }
    team.config = Some(text.to_owned());
    problems
}

/// The line on which a key of the root, or its table, is written, if it can be told.
pub(super) fn line_of(text: &str, key: &str) -> Option<u32> {
    let is_it = |line: &str| {
        let line = line.trim_start().trim_start_matches('[').trim_start();
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']))
    };
    text.lines().zip(1..).find(|(line, _)| is_it(line)).map(|(_, number)| number)
}
