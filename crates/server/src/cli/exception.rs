//! `provost exception …`: another policy for a time.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::print;
use crate::remote::{Remote, RemoteArgs};

const PATH: &str = "/api/v1/policy-exceptions";

/// What to do with exceptions.
#[derive(Debug, Subcommand)]
pub(crate) enum ExceptionVerb {
    /// Ask for another policy for a time; as the member that Codex is signed in as, or with an API key.
    Request {
        /// Why.
        #[arg(long)]
        reason: String,
        /// For how long, from its approval on: 90m, 4h, 2d.
        #[arg(long = "for", value_name = "TIME", value_parser = minutes)]
        minutes: u32,
        /// Which policy, by name or id; left out, who approves chooses.
        #[arg(long)]
        policy: Option<String>,
        /// For whom, by id; left out, for yourself.
        #[arg(long, value_name = "ID")]
        member: Option<String>,
        #[command(flatten)]
        to: Target,
    },
    /// List exceptions: your own, or everybody's for a Codex Admin.
    List {
        /// Only with this status: pending, approved, denied, withdrawn, ended, expired.
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        to: Target,
    },
    /// Approve one that somebody else asked for.
    Approve {
        /// Its id.
        id: String,
        /// Which policy, if another one than was asked for.
        #[arg(long)]
        policy: Option<String>,
        /// For how long, if shorter than was asked for.
        #[arg(long = "for", value_name = "TIME", value_parser = minutes)]
        minutes: Option<u32>,
        #[command(flatten)]
        to: Target,
    },
    /// Deny one, or take your own back.
    Deny {
        /// Its id.
        id: String,
        #[command(flatten)]
        to: Target,
    },
    /// End one before its time.
    End {
        /// Its id.
        id: String,
        #[command(flatten)]
        to: Target,
    },
}

/// Where to, and how to print.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

pub(crate) async fn run(verb: ExceptionVerb) -> Result<ExitCode> {
    match verb {
        ExceptionVerb::Request { reason, minutes, policy, member, to } => {
            let mut body = json!({ "reason": reason, "minutes": minutes, "policy": policy });
            if let Some(member) = member {
                body["member_id"] = member.into();
            }
            act(&to, PATH, body).await
        }
        ExceptionVerb::Approve { id, policy, minutes, to } => {
            act(&to, &format!("{PATH}/{id}/approve"), json!({ "policy": policy, "minutes": minutes })).await
        }
        ExceptionVerb::Deny { id, to } => act(&to, &format!("{PATH}/{id}/deny"), json!({})).await,
        ExceptionVerb::End { id, to } => act(&to, &format!("{PATH}/{id}/end"), json!({})).await,
        ExceptionVerb::List { status, to } => {
            let path = status.map_or_else(|| PATH.to_owned(), |status| format!("{PATH}?status={status}"));
            let rows = Remote::with_api_key_or_codex(&to.remote)?.list(&path).await?;
            let text = match to.json {
                true => format!("{:#}\n", Value::from(rows)),
                false if rows.is_empty() => "There are no exceptions.\n".to_owned(),
                false => rows.iter().map(line).collect(),
            };
            print(&text)
        }
    }
}

async fn act(to: &Target, path: &str, body: Value) -> Result<ExitCode> {
    let remote = Remote::with_api_key_or_codex(&to.remote)?;
    let exception = remote.call(Method::POST, path, Some(&body)).await?;
    print(&if to.json { format!("{exception:#}\n") } else { line(&exception) })
}

fn line(exception: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let policy = exception["policy"]["name"].as_str().unwrap_or("(who approves chooses)");
    let until = exception["expires_at"].as_str().map(|at| format!(", until {at}")).unwrap_or_default();
    format!(
        "{}  {}  {}  {policy}  {} min{until}  {}\n",
        text(&exception["id"]),
        text(&exception["status"]),
        text(&exception["member"]["email"]),
        exception["minutes"],
        text(&exception["reason"]),
    )
}

/// `90m`, `4h`, `2d` in minutes.
fn minutes(text: &str) -> Result<u32> {
    let (number, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let unit = match unit {
        "m" | "min" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => bail!("say the unit: 90m, 4h or 2d"),
    };
    match number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(minutes) => Ok(minutes),
        None => bail!("say a whole number and its unit: 90m, 4h or 2d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_its_unit() {
        let of = |text| minutes(text).ok();
        assert_eq!([of("90m"), of("4h"), of("2d"), of("5min")], [Some(90), Some(240), Some(2_880), Some(5)]);
        assert_eq!([of("4"), of("h"), of("-1h"), of("1.5h"), of("9999999d"), of("4 h")], [None; 6]);
    }
}
