//! `provost policy diff|apply|export`: policies as code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::{policy_folder, print};
use crate::remote::{Remote, RemoteArgs};

const PATH: &str = "/api/v1/policy-set";

/// A folder, and what to do with what it does not hold.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder: NAME.toml (and NAME.defaults.toml) for each policy, rules.toml for who gets which.
    folder: PathBuf,
    /// Delete the policies that are not in the folder.
    #[arg(long)]
    prune: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Shows what an `apply` would do. Exits with 2 when there is something to do.
pub(crate) async fn diff(args: FolderArgs) -> Result<ExitCode> {
    let remote = Remote::with_api_key(&args.remote)?;
    let plan = ask(&remote, &args, json!({ "dry_run": true })).await?;
    print(&if args.json { format!("{plan:#}\n") } else { text(&plan) })?;
    Ok(if is_empty(&plan) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Plans, asks, and does just that.
pub(crate) async fn apply(args: FolderArgs, yes: bool, note: Option<String>) -> Result<ExitCode> {
    let remote = Remote::with_api_key(&args.remote)?;
    let plan = ask(&remote, &args, json!({ "dry_run": true })).await?;
    if is_empty(&plan) {
        return print(&if args.json { format!("{plan:#}\n") } else { text(&plan) });
    }
    if !yes {
        print(&text(&plan))?;
        if !std::io::stdin().is_terminal() {
            bail!("nothing was done: look at the plan, then say --yes");
        }
        let mut err = std::io::stderr();
        write!(err, "Do this? [y/N] ")?;
        err.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            bail!("nothing was done");
        }
    }
    let done = ask(&remote, &args, json!({ "plan_id": plan["plan_id"], "note": note })).await?;
    if args.json {
        return print(&format!("{done:#}\n"));
    }
    let shown = if yes { text(&plan) } else { String::new() };
    print(&match done["status"].as_str() {
        Some("pending") => {
            let id = done["id"].as_str().unwrap_or_default();
            format!("{shown}It waits for a second person's approval, as {id}.\n")
        }
        _ => format!("{shown}Done.\n"),
    })
}

/// Writes the policies and rules as they are into a folder.
pub(crate) async fn export(folder: &Path, remote: &RemoteArgs) -> Result<ExitCode> {
    let set = Remote::with_api_key(remote)?.call(Method::GET, PATH, None).await?;
    let files = policy_folder::write(folder, &set)?;
    print(&format!("{files} files written to {}\n", folder.display()))
}

async fn ask(remote: &Remote, args: &FolderArgs, more: Value) -> Result<Value> {
    let mut body = policy_folder::read(&args.folder)?;
    body["prune"] = args.prune.into();
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    remote.call(Method::PUT, PATH, Some(&body)).await
}

fn is_empty(plan: &Value) -> bool {
    plan["steps"].as_array().is_none_or(Vec::is_empty)
}

/// A plan for people.
fn text(plan: &Value) -> String {
    let mut out = String::new();
    for step in plan["steps"].as_array().into_iter().flatten() {
        let name = step["name"].as_str().unwrap_or_default();
        match step["action"].as_str() {
            Some("create_policy") => {
                out += &format!("+ policy {name}\n");
                out += &lines("", step["contents"].as_str().unwrap_or_default());
            }
            Some("update_policy") => {
                out += &format!("~ policy {name} (version {})\n", step["version"]);
                for field in ["contents", "defaults"] {
                    let side = |side: &str| step[side][field].as_str().unwrap_or_default().to_owned();
                    out += &lines(&side("before"), &side("after"));
                }
            }
            Some("delete_policy") => out += &format!("- policy {name} (version {})\n", step["version"]),
            Some("update_rules") => {
                out += "~ rules\n";
                out += &lines(&rules(&step["before"]), &rules(&step["after"]));
            }
            _ => out += &format!("? {step}\n"),
        }
    }
    if out.is_empty() {
        out += "Nothing to do: what is there is what the folder says.\n";
    }
    for name in plan["unmanaged"].as_array().into_iter().flatten() {
        out += &format!("  policy {} is not in the folder (--prune deletes it)\n", name.as_str().unwrap_or("?"));
    }
    out
}

fn rules(rules: &Value) -> String {
    let rule = |(index, rule): (usize, &Value)| format!("{}. {} -> {}\n", index + 1, rule["group"], rule["policy"]);
    let mut text: String = rules["rules"].as_array().into_iter().flatten().enumerate().map(rule).collect();
    text += &match rules["fallback"].as_str() {
        Some(name) => format!("everybody else -> \"{name}\"\n"),
        None => "everybody else -> no policy\n".to_owned(),
    };
    text
}

/// The lines that went and those that came.
fn lines(before: &str, after: &str) -> String {
    // Two long texts that have little in common are told less exactly, and in time.
    let diff = TextDiff::configure().timeout(Duration::from_secs(1)).diff_lines(before, after);
    let changed = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    changed.map(|change| format!("    {} {}\n", change.tag(), change.value().trim_end_matches('\n'))).collect()
}
