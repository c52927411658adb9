//! `provost policy explain`: what binds a member, and what becomes of a command.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{ArgGroup, Args};
use provost_policy::team_config::files;
use reqwest::Method;
use serde_json::{Map, Value};

use crate::remote::{Remote, RemoteArgs};

/// Where a repository keeps its configuration.
const CONFIG: &str = ".codex/config.toml";

/// Where a repository keeps its rules.
const RULES: &str = ".codex/rules/";

/// The question.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").required(true))]
pub(super) struct ExplainArgs {
    /// The e-mail address of the member.
    #[arg(long, value_name = "EMAIL", group = "whom")]
    member: Option<String>,
    /// The id of a group: of somebody who is in it and no other.
    #[arg(long, value_name = "ID", group = "whom")]
    group: Option<String>,
    /// Only this key, or what stands below it: `features`, `rules.prefix_rules`.
    #[arg(long)]
    key: Option<String>,
    /// What becomes of this line in the shell of Codex: allow, prompt or forbidden.
    #[arg(long, value_name = "LINE")]
    command: Option<String>,
    /// The requirements.toml of the device.
    #[arg(long, value_name = "FILE")]
    system: Option<PathBuf>,
    /// The /etc/codex/config.toml of the device.
    #[arg(long, value_name = "FILE")]
    system_config: Option<PathBuf>,
    /// The developer's own config.toml.
    #[arg(long, value_name = "FILE")]
    user_config: Option<PathBuf>,
    /// The root of a repository, whose .codex counts with its rules; or its config.toml and .rules files one by one.
    #[arg(long, value_name = "PATH")]
    team_config: Vec<PathBuf>,
    /// The name of the device, which remote_sandbox_config goes by.
    #[arg(long)]
    hostname: Option<String>,
    /// The version of the client, which rollouts go by.
    #[arg(long, value_name = "VERSION")]
    client_version: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// The files of a repository that an answer goes by, its configuration and its rules, or one of them.
fn team_config(path: &Path) -> Result<Map<String, Value>> {
    if !path.is_dir() {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let rules = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".rules"));
        let name = rules.map_or_else(|| CONFIG.to_owned(), |name| format!("{RULES}{name}"));
        return Ok(Map::from_iter([(name, text.into())]));
    }
    let counts = |file: &str| file == CONFIG || file.starts_with(RULES);
    let repository = files::of_folder(path);
    // Left out without a word, a file would make the answer wrong.
    let missing = |file: &str| counts(file) || CONFIG.starts_with(file) || RULES.starts_with(file);
    if let Some(found) = repository.problems.iter().find(|found| missing(&found.file)) {
        bail!("{}: {}", path.join(&found.file).display(), found.problem.message);
    }
    let counted = repository.files.into_iter().filter(|(file, _)| counts(file));
    let texts = counted.map(|(file, bytes)| {
        let text = String::from_utf8(bytes).with_context(|| path.join(&file).display().to_string())?;
        Ok((file, text.into()))
    });
    texts.collect()
}

/// Asks the server, and returns what is to be printed.
///
/// # Errors
/// If a file cannot be read, or the server does not answer the question.
pub(super) async fn explain(args: ExplainArgs) -> Result<String> {
    let mut body = Map::new();
    let texts = [
        ("email", args.member),
        ("group_id", args.group),
        ("key", args.key.clone()),
        ("command", args.command.clone()),
        ("hostname", args.hostname),
        ("client_version", args.client_version),
        ("system_requirements", read(args.system.as_deref())?),
        ("system_config", read(args.system_config.as_deref())?),
        ("user_config", read(args.user_config.as_deref())?),
    ];
    body.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?)))));
    let files: Vec<_> = args.team_config.iter().map(|path| team_config(path)).collect::<Result<_>>()?;
    body.insert("team_config".to_owned(), Value::Object(files.into_iter().flatten().collect()));
    let answer = Remote::with_api_key(&args.remote)?
        .call(Method::POST, "/api/v1/policy-explain", Some(&Value::Object(body)))
        .await?;
    if args.json {
        return Ok(format!("{answer:#}\n"));
    }
    let mut out = String::new();
    policy(&mut out, &answer);
    if !answer["command"].is_null() {
        command(&mut out, &answer["command"]);
    }
    // A question about a command alone is answered by its rule.
    if args.key.is_some() || args.command.is_none() {
        keys(&mut out, &answer);
    }
    remarks(&mut out, &answer);
    // What others wrote must not steer the terminal.
    Ok(out.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"))
}

fn read(path: Option<&Path>) -> Result<Option<String>> {
    path.map(|path| std::fs::read_to_string(path).with_context(|| path.display().to_string())).transpose()
}

/// A line of the answer; writing to a string cannot fail.
macro_rules! say {
    ($out:expr, $($text:tt)*) => { writeln!($out, $($text)*).expect("writing to a string does not fail") };
}

fn policy(out: &mut String, answer: &Value) {
    let policy = &answer["policy"];
    if policy.is_null() {
        say!(out, "No policy: nothing is constrained from the server.");
        return;
    }
    let why = match text(&answer["decided_by"]["kind"]) {
        "rule" => format!("by rule {}, group {}", position(answer), text(&answer["decided_by"]["group"]["name"])),
        "exception" => format!("by an exception until {}", text(&answer["exception"]["expires_at"])),
        "fallback" => "by the fallback".to_owned(),
        other => other.to_owned(),
    };
    say!(out, "{}, {why}.", version(policy));
    if let Some(rollout) = answer["rollout_id"].as_str() {
        say!(out, "The version is the one of the rollout {rollout}.");
    }
    if answer["delivered"] == false {
        say!(out, "It is not sent: the member may not use Codex Local, and is refused at the model call.");
    }
}

/// Rules count from one for people.
fn position(answer: &Value) -> u64 {
    answer["decided_by"]["position"].as_u64().map_or(0, |position| position + 1)
}

/// `Policy NAME (ID), version 3 by ada@acme.example since 2026-11-20T…`
fn version(policy: &Value) -> String {
    let author = policy["author_email"].as_str().or(policy["author"].as_str()).unwrap_or("somebody");
    format!(
        "Policy {} ({}), version {} by {author} since {}",
        text(&policy["name"]),
        text(&policy["id"]),
        policy["version"],
        policy["since"].as_str().unwrap_or("an unknown time"),
    )
}

fn command(out: &mut String, command: &Value) {
    let decision = text(&command["decision"]);
    let rule = &command["deciding_rule"];
    if rule.is_null() {
        say!(out, "\nno match: no rule decides; Codex judges for itself, by its sandbox and approval policy.");
    } else {
        say!(out, "\n{decision}: by {}", one_rule(rule));
        if let Some(why) = rule["justification"].as_str() {
            say!(out, "  why: {why}");
        }
        match rule["policy"].is_null() {
            true => say!(out, "  in {}", layer(&rule["layer"])),
            false => say!(out, "  in {}", version(&rule["policy"])),
        }
    }
    for part in list(&command["parts"]) {
        let words: Vec<&str> = list(&part["argv"]).iter().map(text).collect();
        let matched: Vec<_> = list(&part["matched"]).iter().map(one_rule).collect();
        let matched = if matched.is_empty() { "no rule".to_owned() } else { matched.join("; ") };
        say!(out, "  {words:?}: {matched}");
    }
}

/// `git push|commit → prompt`
fn one_rule(rule: &Value) -> String {
    let words: Vec<String> =
        list(&rule["pattern"]).iter().map(|word| list(word).iter().map(text).collect::<Vec<_>>().join("|")).collect();
    format!("`{}` → {}", words.join(" "), text(&rule["decision"]))
}

fn keys(out: &mut String, answer: &Value) {
    for (section, heading) in [("requirement", "What binds:"), ("config", "Where a session starts:")] {
        let mut of_section = list(&answer["keys"]).iter().filter(|key| key["section"] == section).peekable();
        if of_section.peek().is_some() {
            say!(out, "\n{heading}");
        }
        for key in of_section {
            say!(out, "  {} = {}    ({})", text(&key["key"]), key["value"], layer(&key["layer"]));
            for other in list(&key["overrode"]) {
                say!(out, "      instead of {}    ({})", other["value"], layer(&other["layer"]));
            }
            let verdict = &key["permitted"];
            if verdict["allowed"] == false {
                say!(out, "      not permitted by {}: becomes {}", text(&verdict["by"]), verdict["becomes"]);
            }
        }
    }
}

fn remarks(out: &mut String, answer: &Value) {
    for problem in list(&answer["unreadable"]) {
        let place = format!("{}:{}:{}", layer(&problem["layer"]), problem["line"], problem["column"]);
        say!(out, "\n{place}: {} It is left out here; a client would refuse it.", text(&problem["message"]));
    }
    for ignored in list(&answer["ignored"]) {
        say!(
            out,
            "\n{} does nothing in {}: {}",
            text(&ignored["key"]),
            layer(&ignored["layer"]),
            text(&ignored["why"])
        );
    }
    for file in list(&answer["not_read"]) {
        say!(out, "\n{} is left out: {}", text(&file["path"]), text(&file["why"]));
    }
}

fn layer(layer: &Value) -> String {
    let name = text(&layer["name"]);
    match text(&layer["kind"]) {
        "cloud_policy" => format!("policy {name}, version {}", layer["policy"]["version"]),
        "cloud_defaults" => format!("defaults of policy {name}, version {}", layer["policy"]["version"]),
        "client_default" => "default of the client".to_owned(),
        _ => name.to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
