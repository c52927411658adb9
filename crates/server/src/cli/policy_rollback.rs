//! `provost policy rollback`: one step back.

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::remote::{Remote, RemoteArgs};

/// What to put back.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The policy: its name, or its id.
    policy: String,
    /// The version to put back [default: the one before the current one].
    #[arg(long = "to", value_name = "VERSION")]
    to_version: Option<i64>,
    /// Why, for whoever reads the versions later.
    #[arg(long)]
    note: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Asks the server for it; what is to be printed.
pub(super) async fn run(args: RollbackArgs) -> Result<String> {
    let remote = Remote::with_api_key(&args.remote)?;
    let id = find(&remote, &args.policy).await?;
    let body = json!({ "to_version": args.to_version, "note": args.note });
    let answer = remote.call(Method::POST, &format!("/api/v1/policies/{id}/rollback"), Some(&body)).await?;
    if args.json {
        return Ok(format!("{answer:#}\n"));
    }
    Ok(said(&args.policy, &answer))
}

fn said(policy: &str, answer: &Value) -> String {
    if answer["status"] == "pending" {
        let id = answer["id"].as_str().unwrap_or_default();
        return format!("{policy}: waits for a second person's approval, as {id}\n");
    }
    format!("{policy}: version {} says again what version {} said\n", answer["version"], answer["restores"])
}

/// The id of a policy that is named by its id or name.
async fn find(remote: &Remote, policy: &str) -> Result<String> {
    let rows = remote.list("/api/v1/policies").await?;
    let has = |row: &&Value, key: &str| row[key].as_str() == Some(policy);
    let by_id = rows.iter().find(|row| has(row, "id"));
    let Some(row) = by_id.or_else(|| rows.iter().find(|row| has(row, "name"))) else {
        let names: Vec<&str> = rows.iter().take(20).filter_map(|row| row["name"].as_str()).collect();
        bail!("there is no policy `{policy}`; there are: {}", names.join(", "));
    };
    row["id"].as_str().map(str::to_owned).context("the server names no id")
}
