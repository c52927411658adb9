//! `provost policy simulate`: what a draft would have done to what was recorded.

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::remote::{Remote, RemoteArgs};

/// A draft.
#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// The requirements.toml as it would be; `-` reads standard input.
    file: PathBuf,
    /// The policy that it would replace, by name or id; a name that is not there is a new policy's.
    #[arg(long, value_name = "NAME")]
    policy: String,
    /// The managed defaults (config.toml) as they would be; left out, they stay.
    #[arg(long, value_name = "FILE")]
    defaults: Option<PathBuf>,
    /// How many days to look back, 1 to 90.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Asks the server, and returns what is to be printed.
///
/// # Errors
/// If a file cannot be read, or the server refuses the draft.
pub(super) async fn simulate(args: SimulateArgs) -> Result<String> {
    let contents = match args.file.as_os_str() == "-" {
        true => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            text
        }
        false => read(&args.file)?,
    };
    let mut draft = json!({ "policy": args.policy, "contents": contents });
    if let Some(defaults) = &args.defaults {
        draft["defaults"] = read(defaults)?.into();
    }
    let body = json!({ "days": args.days, "policies": [draft] });
    let remote = Remote::with_api_key(&args.remote)?;
    let answer = remote.call(Method::POST, "/api/v1/policy-simulations", Some(&body)).await?;
    Ok(if args.json { format!("{answer:#}\n") } else { text(&answer) })
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// A line of the answer; writing to a string cannot fail.
fn say(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("writing to a string does not fail");
}

fn text(answer: &Value) -> String {
    let mut out = String::new();
    let summary = &answer["summary"];
    say(&mut out, &format!("Over the last {} days:", summary["days"]));
    for (list, noun) in [("members", "members"), ("sessions", "sessions"), ("commands", "commands")] {
        let (changed, total) = (&summary[format!("{list}_changed")], &summary[format!("{list}_total")]);
        say(&mut out, &format!("  {changed} of {total} {noun} would change"));
    }
    for (list, noun) in [("session_transitions", "sessions"), ("command_transitions", "commands")] {
        for change in summary[list].as_array().into_iter().flatten() {
            let (before, after) = (word(&change["before"]), word(&change["after"]));
            say(&mut out, &format!("  {before} -> {after}: {} {noun}", change["count"]));
        }
    }
    for note in summary["notes"].as_array().into_iter().flatten() {
        say(&mut out, word(note));
    }
    for row in answer["members"].as_array().into_iter().flatten() {
        let side = |side: &str| {
            let side = &row[side];
            let policy = side["policy_name"].as_str().unwrap_or("no policy");
            let access = if side["may_use_codex"] == true { "" } else { " (may not use Codex)" };
            format!("{policy}{access}, by {}", word(&side["decided_by"]))
        };
        say(&mut out, &format!("member {}: {} -> {}", who(row), side("before"), side("after")));
    }
    for (list, noun) in [("sessions", "session"), ("commands", "command")] {
        for row in answer[list].as_array().into_iter().flatten() {
            let what = match list {
                "commands" => row["argv"].to_string(),
                _ => format!("{} {}", word(&row["approval_policy"]), word(&row["sandbox_policy"])),
            };
            let (before, after) = (word(&row["before"]), word(&row["after"]));
            say(&mut out, &format!("{noun} {} of {}: {before} -> {after}: {what}", word(&row["thread_id"]), who(row)));
        }
    }
    // What others wrote must not steer the terminal.
    out.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

fn who(row: &Value) -> &str {
    row["email"].as_str().unwrap_or_else(|| word(&row["member_id"]))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
