//! `provost policy simulate`: what a change would have done to what was recorded.

mod output;
mod text;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, Args};
use reqwest::Method;
use serde_json::{Value, json};

use self::output::{List, Output};
use crate::remote::{Remote, RemoteArgs};

const SIMULATIONS: &str = "/api/v1/policy-simulations";
/// How long an answer may take: a little longer than the server works on it.
const PATIENCE: Duration = Duration::from_secs(660);

/// The change, and what is to be said of it.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true))]
pub(super) struct SimulateArgs {
    /// A requirements.toml as it would be; `-` reads standard input.
    #[arg(group = "what", requires = "policy")]
    file: Option<PathBuf>,
    /// The policy that it would replace, by name or id; a name that is not there is a new policy's.
    #[arg(long, value_name = "NAME", requires = "file")]
    policy: Option<String>,
    /// The managed defaults (config.toml) as they would be; left out, they stay.
    #[arg(long, value_name = "FILE", requires = "file")]
    defaults: Option<PathBuf>,
    /// The rest of the change, as the API takes it (JSON): `policies`, `rules`, `fallback`, `groups`, `settings`.
    #[arg(long, value_name = "FILE", group = "what")]
    change: Option<PathBuf>,
    /// How many days to look back, 1 to 90.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Write all that would change: `jsonl` or `csv` to standard output, else to this file, whose name ends in one of them.
    #[arg(long, value_name = "csv|jsonl|FILE")]
    output: Option<Output>,
    /// Which list a CSV holds.
    #[arg(long, value_name = "LIST", default_value = "commands", requires = "output")]
    list: List,
    /// Print JSON: the figures, and the first of each list.
    #[arg(long, conflicts_with = "output")]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Asks the server, and prints or writes what it says.
///
/// # Errors
/// If a file cannot be read or written, the server refuses the change, or its answer breaks off.
pub(super) async fn simulate(args: SimulateArgs) -> Result<ExitCode> {
    let body = body(&args)?;
    let remote = Remote::with_api_key(&args.remote)?;
    if let Some(output) = &args.output {
        let path = format!("{SIMULATIONS}?{}", output.query(args.list));
        let request = remote.request(Method::POST, &path, Some(&body)).timeout(PATIENCE);
        return output.write(remote.open(request).await?).await;
    }
    let request = remote.request(Method::POST, SIMULATIONS, Some(&body)).timeout(PATIENCE);
    let (_, answer) = remote.send(request).await?;
    super::print(&if args.json { format!("{answer:#}\n") } else { text::text(&answer) })
}

/// What the API is asked.
fn body(args: &SimulateArgs) -> Result<Value> {
    let mut body = json!({});
    if let Some(change) = &args.change {
        body = serde_json::from_str(&read(change)?).with_context(|| change.display().to_string())?;
        if !body.is_object() {
            bail!("{}: not a JSON object", change.display());
        }
    }
    body["days"] = args.days.into();
    if let (Some(file), Some(policy)) = (&args.file, &args.policy) {
        let mut draft = json!({ "policy": policy, "contents": read(file)? });
        if let Some(defaults) = &args.defaults {
            draft["defaults"] = read(defaults)?.into();
        }
        if body["policies"].is_null() {
            body["policies"] = json!([]);
        }
        let policies = body["policies"].as_array_mut().context("--change: `policies` is a list")?;
        policies.push(draft);
    }
    Ok(body)
}

fn read(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}
