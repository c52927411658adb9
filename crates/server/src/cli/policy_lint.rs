//! `provost policy lint`: the clients' verdict on a file, without a server.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use provost_model::ClientVersion;
use provost_model::lint::{self, Problem, Severity};
use serde_json::json;

use super::print;

/// Lints a file; fails if a client would not load it.
pub(super) fn run(file: &Path, defaults: bool, versions: &[ClientVersion], as_json: bool) -> Result<ExitCode> {
    let contents = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| file.display().to_string())?
    };
    let problems = if defaults { lint::defaults(&contents) } else { lint::requirements(&contents) };
    let verdicts = lint::for_versions(&contents, versions);
    let refused = |problems: &[Problem]| problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let errors = refused(&problems);
    let stopped = verdicts.iter().filter(|verdict| refused(&verdict.problems) > 0).count();
    if as_json {
        let mut answer = json!({ "valid": errors == 0, "problems": problems });
        if !versions.is_empty() {
            answer["client_versions"] = json!(verdicts);
        }
        print(&format!("{answer:#}\n"))?;
    } else {
        let name = file.display();
        let all = problems.iter().chain(verdicts.iter().flat_map(|verdict| &verdict.problems));
        let mut text = String::new();
        for problem in all {
            let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
            text += &format!(
                "{name}:{}:{}: {severity}: {} [{}]\n",
                problem.line, problem.column, problem.message, problem.code
            );
        }
        text += &match errors {
            0 => format!("{name}: Codex would start with this policy\n"),
            _ => format!("{name}: Codex would refuse to start with this policy ({errors} errors)\n"),
        };
        for verdict in &verdicts {
            text += &match refused(&verdict.problems) {
                0 => format!("{name}: Codex {} would ignore {} of its keys\n", verdict.version, verdict.ignores.len()),
                _ => format!("{name}: Codex {} would not load this policy\n", verdict.version),
            };
        }
        print(&text)?;
    }
    Ok(if errors + stopped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
