//! `provost team-config …`: what repositories keep in `.codex`, checked in their own CI.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use provost_model::lint::{self, Problem, Severity};
use provost_policy::team_config::rules::Evaluator;
use provost_policy::team_config::{HeldAgainst, MAX_REPOSITORIES, Report, Repository, RepositoryReport, check, files};
use reqwest::Method;
use serde_json::json;

use super::print;
use crate::remote::{Remote, RemoteArgs};

/// What to do with Team Config.
#[derive(Debug, Subcommand)]
pub(crate) enum TeamConfigVerb {
    /// Check repositories: their config.toml, rules with their examples, skills and hooks. Exits with 1 if anything
    /// is wrong. Asks no server, unless a member is named.
    Check(Box<CheckArgs>),
}

/// What to check, and against what.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The roots of the repositories.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Say what this requirements.toml will override.
    #[arg(long, value_name = "FILE", conflicts_with = "member")]
    policy: Option<PathBuf>,
    /// Say what these managed defaults say already.
    #[arg(long, value_name = "FILE", conflicts_with = "member")]
    defaults: Option<PathBuf>,
    /// Say what this member's policy will override; asks the server.
    #[arg(long, value_name = "EMAIL")]
    member: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(crate) async fn run(verb: TeamConfigVerb) -> Result<ExitCode> {
    let TeamConfigVerb::Check(args) = verb;
    if args.paths.len() > MAX_REPOSITORIES {
        bail!("at most {MAX_REPOSITORIES} repositories are checked at a time");
    }
    let repositories: Vec<Repository> = args
        .paths
        .iter()
        .map(|path| match path.is_dir() {
            true => Ok(files::of_folder(path)),
            false => bail!("{}: name the root of a repository", path.display()),
        })
        .collect::<Result<_>>()?;
    let theirs = match &args.member {
        Some(email) => Some(ask(&args.remote, email, &repositories).await?),
        None => None,
    };
    let policy = policy(args.policy.as_deref(), args.defaults.as_deref())?;
    let checked = move || check(repositories, policy.as_ref(), &Evaluator::of_this_program());
    let mut report = tokio::task::spawn_blocking(checked).await?.context("not enough memory")?;
    if let Some(theirs) = theirs {
        // What is wrong is found here, with the files that were not sent; what is overridden, only there.
        for (own, other) in report.repositories.iter_mut().zip(theirs.repositories) {
            own.overridden = other.overridden;
        }
        report.suggestion = theirs.suggestion;
    }
    print(&if args.json { format!("{:#}\n", serde_json::to_value(&report)?) } else { text(&report) })?;
    Ok(if report.valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The policy of these files. Texts that clients refuse override nothing: they keep them from starting.
fn policy(requirements: Option<&Path>, defaults: Option<&Path>) -> Result<Option<HeldAgainst>> {
    let Some(path) = requirements.or(defaults) else { return Ok(None) };
    let policy = path.display().to_string();
    let contents = requirements.map(|path| read(path, lint::requirements)).transpose()?.unwrap_or_default();
    let defaults = defaults.map(|path| read(path, lint::defaults)).transpose()?;
    Ok(Some(HeldAgainst { policy, version: None, contents, defaults }))
}

fn read(path: &Path, lint: fn(&str) -> Vec<Problem>) -> Result<String> {
    let contents = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    match lint(&contents).into_iter().find(|problem| problem.severity == Severity::Error) {
        Some(Problem { line, column, message, code, .. }) => {
            bail!("{}:{line}:{column}: {message} [{code}]", path.display())
        }
        None => Ok(contents),
    }
}

async fn ask(remote: &RemoteArgs, email: &str, repositories: &[Repository]) -> Result<Report> {
    let sent = repositories.iter().map(|repository| {
        // What is no text is an error here already, and skills are overridden by nothing.
        let texts = repository.files.iter().filter(|(path, _)| !path.ends_with("/SKILL.md"));
        let texts = texts.filter_map(|(path, bytes)| Some((path.clone(), std::str::from_utf8(bytes).ok()?)));
        json!({ "name": repository.name, "files": texts.collect::<std::collections::BTreeMap<_, _>>() })
    });
    let body = json!({ "email": email, "repositories": sent.collect::<Vec<_>>() });
    let remote = Remote::with_api_key(remote)?;
    let answer = remote.call(Method::POST, "/api/v1/team-config/check", Some(&body)).await?;
    serde_json::from_value(answer).context("the answer of the server is not understood: is it of another version?")
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    for repository in &report.repositories {
        of_repository(&mut out, repository);
    }
    if let Some(suggestion) = &report.suggestion {
        say(&mut out, &format!("\n{}", suggestion.message));
        for repeated in &suggestion.repeated {
            let already = if repeated.is_default_already { ": the defaults say so already, drop it there" } else { "" };
            let count = format!("{} of {} repositories", repeated.repositories, report.repositories.len());
            say(&mut out, &format!("  {} = {} ({count}{already})", repeated.key, repeated.value));
        }
        if !suggestion.defaults.is_empty() {
            say(&mut out, &format!("\n{}", suggestion.defaults.trim_end()));
        }
    }
    // What others wrote must not steer the terminal.
    out.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

fn of_repository(out: &mut String, repository: &RepositoryReport) {
    let name = &repository.name;
    for found in &repository.problems {
        let problem = &found.problem;
        let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
        let place = format!("{name}/{}:{}:{}", found.file, problem.line, problem.column);
        say(out, &format!("{place}: {severity}: {} [{}]", problem.message, problem.code));
    }
    for overridden in &repository.overridden {
        let line = overridden.line.map(|line| format!(":{line}")).unwrap_or_default();
        let by = &overridden.overridden_by;
        let version = by.version.map(|version| format!(" (version {version})")).unwrap_or_default();
        let value = if overridden.value.is_null() { String::new() } else { format!(" = {}", overridden.value) };
        let place = format!("{name}/{}{line}", overridden.file);
        let rest = format!("{} [{} of {}{version}]", overridden.effect, by.key, by.policy);
        say(out, &format!("{place}: overridden: {}{value}: {rest}", overridden.key));
    }
    if repository.files.is_empty() && repository.problems.is_empty() {
        return say(out, &format!("{name}: no Team Config here (.codex, .agents/skills)"));
    }
    let errors = repository.problems.iter().filter(|found| found.problem.severity == Severity::Error).count();
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let verdict = if errors == 0 { "good".to_owned() } else { counted(errors, "error") };
    let held = [(repository.files.len(), "file"), (repository.rules, "rule"), (repository.skills.len(), "skill")];
    let held = held.map(|(count, what)| counted(count, what)).join(", ");
    say(out, &format!("{name}: {verdict} ({held})"));
}

fn say(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("writing to a string does not fail");
}
