//! Team Config: what a repository keeps in `.codex` for everybody who opens it, looked at before they do
//! (inventory.md §6).
//!
//! Files come from a folder ([`files::of_folder`]) or by their names in a request ([`files::named`]); nothing outside
//! the repository is ever read, and no file is trusted. [`check`] says what is wrong with them, what a policy will
//! override, and what every repository repeats. It blocks, also on the processes that evaluate rules.

mod config;
pub mod files;
mod hooks;
mod overrides;
pub mod rules;
mod skills;
mod suggest;

pub use overrides::{Overridden, OverriddenBy};
pub use suggest::{Repeated, Suggestion};

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use provost_model::lint::{Problem, Severity};
use rules::{Evaluator, RulesFile};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most repositories of one check.
pub const MAX_REPOSITORIES: usize = 100;

/// The most files of a repository that are read.
pub const MAX_FILES: usize = 500;

/// The longest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The most `.rules` files of one check, over all repositories.
const MAX_RULES_FILES: usize = 200;

/// After so many files that cost too much, the rest of a check is not evaluated.
const MAX_EXPENSIVE: usize = 3;

/// After so long, the rest of a check is not evaluated: many files may each cost nearly too much.
const MAX_EVALUATING: Duration = Duration::from_secs(30);

/// The room that the deepest TOML needs, in bytes (see [`provost_model::lint`]).
const STACK_BYTES: usize = 128 << 20;

/// One finding in a file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileProblem {
    /// The file, from the root of the repository.
    pub file: String,
    /// What is wrong with it. An error is what keeps clients from reading the file, or the part.
    #[serde(flatten)]
    pub problem: Problem,
}

/// A repository's files, and what went wrong with getting at them.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// What it is called in answers.
    pub name: String,
    /// Contents by path from the root, `/` between its parts.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Files that were not read.
    pub problems: Vec<FileProblem>,
}

/// The policy that a repository is held against.
#[derive(Debug, Clone)]
pub struct HeldAgainst {
    /// Its name, or its file.
    pub policy: String,
    /// Its version; none for a file.
    pub version: Option<u32>,
    /// The `requirements.toml`.
    pub contents: String,
    /// The managed defaults.
    pub defaults: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Whether no repository has an error.
    pub valid: bool,
    /// One for each, in their order.
    pub repositories: Vec<RepositoryReport>,
    /// What (nearly) all of several repositories repeat.
    pub suggestion: Option<Suggestion>,
}

/// What a check found in one repository.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RepositoryReport {
    /// What it is called.
    pub name: String,
    /// Whether it has no error.
    pub valid: bool,
    /// The files that were looked at.
    pub files: Vec<String>,
    /// How many command rules they hold.
    pub rules: usize,
    /// The names of their skills.
    pub skills: Vec<String>,
    /// What is wrong, by file and line.
    pub problems: Vec<FileProblem>,
    /// What the policy will override.
    pub overridden: Vec<Overridden>,
}

/// A repository's Team Config, read.
#[derive(Debug, Default)]
struct TeamConfig {
    name: String,
    /// The text of `.codex/config.toml`, if it is TOML.
    config: Option<String>,
    rules: Vec<(String, RulesFile)>,
    skills: Vec<skills::Skill>,
    hooks: Vec<hooks::Hook>,
    files: Vec<String>,
    problems: Vec<FileProblem>,
}

/// How much may still be evaluated.
pub(crate) struct Budget {
    files: usize,
    expensive: usize,
    time: Duration,
}

/// Checks repositories, and holds them against a policy if there is one.
///
/// # Errors
/// When the machine has no memory for it.
pub fn check(
    repositories: Vec<Repository>,
    policy: Option<&HeldAgainst>,
    evaluator: &Evaluator,
) -> std::io::Result<Report> {
    std::thread::scope(|scope| {
        let job = || check_all(repositories, policy, evaluator);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, job)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn check_all(repositories: Vec<Repository>, policy: Option<&HeldAgainst>, evaluator: &Evaluator) -> Report {
    let mut budget = Budget::of_a_check();
    let read = repositories.into_iter().map(|repository| TeamConfig::read(repository, evaluator, &mut budget));
    let read: Vec<TeamConfig> = read.collect();
    let suggestion = suggest::suggest(&read, policy);
    let reports = read.into_iter().map(|team| {
        let overridden = policy.map(|policy| overrides::of(&team, policy)).unwrap_or_default();
        RepositoryReport {
            valid: team.problems.iter().all(|found| found.problem.severity != Severity::Error),
            rules: team.rules.iter().map(|(_, file)| file.rules.len()).sum(),
            skills: team.skills.into_iter().map(|skill| skill.name).collect(),
            name: team.name,
            files: team.files,
            problems: team.problems,
            overridden,
        }
    });
    let repositories: Vec<_> = reports.collect();
    Report { valid: repositories.iter().all(|repository| repository.valid), repositories, suggestion }
}

impl TeamConfig {
    fn read(repository: Repository, evaluator: &Evaluator, budget: &mut Budget) -> Self {
        let mut team = Self { name: repository.name, problems: repository.problems, ..Self::default() };
        for (path, bytes) in repository.files {
            let Some(kind) = files::kind(&path) else { continue };
            team.files.push(path.clone());
            let text = match files::text(bytes) {
                Ok(text) => text,
                Err(problem) => {
                    team.problems.push(FileProblem { file: path, problem });
                    continue;
                }
            };
            let problems = match kind {
                files::Kind::Config => config::read(&text, &mut team),
                files::Kind::Hooks => hooks::read_json(&path, &text, &mut team.hooks),
                files::Kind::Skill(folder) => skills::read(&path, &folder, &text, &mut team.skills),
                files::Kind::Rules => {
                    let mut file = budget.evaluate(&text, evaluator);
                    let problems = std::mem::take(&mut file.problems);
                    team.rules.push((path.clone(), file));
                    problems
                }
            };
            let of_file = problems.into_iter().map(|problem| FileProblem { file: path.clone(), problem });
            team.problems.extend(of_file);
        }
        let together = skills::together(&team.skills);
        team.problems.extend(together);
        team.problems.sort_by(|one, other| {
            let place = |found: &FileProblem| (found.problem.line, found.problem.column);
            one.file.cmp(&other.file).then(place(one).cmp(&place(other)))
        });
        team
    }
}

impl Budget {
    /// What one check, or one question, may cost.
    pub(crate) fn of_a_check() -> Self {
        Self { files: MAX_RULES_FILES, expensive: MAX_EXPENSIVE, time: MAX_EVALUATING }
    }

    /// What a file says, unless too much was evaluated already.
    pub(crate) fn evaluate(&mut self, text: &str, evaluator: &Evaluator) -> RulesFile {
        if self.files == 0 || self.expensive == 0 || self.time.is_zero() {
            let message = "This file was not evaluated: others before it took all the time. Check it by itself.";
            return RulesFile::refused(1, "not_evaluated", message);
        }
        let begun = Instant::now();
        let file = evaluator.evaluate(text);
        self.time = self.time.saturating_sub(begun.elapsed());
        self.files -= 1;
        self.expensive -= usize::from(file.problems.iter().any(|problem| problem.code == "too_expensive"));
        file
    }
}

/// A problem of a file, from words of our own.
fn found(
    severity: Severity,
    place: (u32, u32),
    key: Option<String>,
    code: &str,
    message: impl Into<String>,
) -> Problem {
    Problem { severity, line: place.0, column: place.1, key, code: code.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_evaluated_in_time_is_said() {
        // It answers nothing, and takes some time for that.
        let evaluator = Evaluator::new("/bin/true");
        let mut budget = Budget { time: Duration::from_nanos(1), ..Budget::of_a_check() };
        let mut code = || budget.evaluate("", &evaluator).problems.remove(0).code;
        assert_eq!([code(), code()], ["too_expensive", "not_evaluated"]);
    }
}
