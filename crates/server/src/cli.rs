//! The verbs of the command line.

mod exception;
mod keys;
mod policy_code;
mod policy_explain;
mod policy_folder;
mod policy_lint;
mod policy_simulate;
mod team_config;

use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use provost_model::event::Origin;
use provost_model::{ClientVersion, Clock, Email};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::client_config::ClientConfig;
use crate::config::{Config, ServeArgs, Transport};
use crate::device_files::{self, Platform, Way};
use crate::node::{Node, open_store};
use crate::remote::RemoteArgs;
use crate::tls::PrivateCa;
use crate::{logging, openapi};

mod policy_rollback;

/// Provost: a self-hosted control plane for Codex.
#[derive(Debug, Parser)]
#[command(name = "provost", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the server.
    Serve(Box<ServeArgs>),
    /// Make the first workspace and its owner; prints a one-time sign-in link and an admin API key.
    Init(Box<InitArgs>),
    /// Print the files that point a fleet of Codex clients here.
    ClientConfig(Box<ClientConfigArgs>),
    /// Look at policies.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Ask for another policy for a time, and decide on what was asked for.
    #[command(subcommand)]
    Exception(exception::ExceptionVerb),
    /// Look at what repositories keep in `.codex` for everybody who opens them.
    #[command(subcommand)]
    TeamConfig(team_config::TeamConfigVerb),
    /// Change the keys that everything secret is sealed with, while the server runs.
    #[command(subcommand)]
    Keys(keys::KeysVerb),
    /// Print the OpenAPI document of the admin API.
    Openapi,
}

#[derive(Debug, Args)]
struct InitArgs {
    /// The name of the workspace.
    #[arg(long)]
    workspace: String,
    /// The e-mail address of its owner.
    #[arg(long)]
    owner: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Args)]
struct ClientConfigArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The files to put on devices, ready for an MDM: linux, macos, windows or all.
    #[arg(long = "for", value_name = "PLATFORM")]
    platform: Option<ForPlatform>,
    /// Which way leads here: a (every client) or b (the client's own config server, with a sign-in).
    #[arg(long, default_value = "a", requires = "platform", conflicts_with = "enrolment")]
    mode: Mode,
    /// The address of a device enrolment: for machines that no member signs in at.
    #[arg(long, value_name = "URL", requires = "platform")]
    enrolment: Option<String>,
    /// Write the files into this directory rather than printing them.
    #[arg(long, value_name = "DIR", requires = "platform")]
    out: Option<PathBuf>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ForPlatform {
    Linux,
    Macos,
    Windows,
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    A,
    B,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Say what Codex clients would say to a requirements.toml, before anybody is affected.
    Lint {
        /// The file; `-` reads standard input.
        file: PathBuf,
        /// Lint it as managed defaults (config.toml) instead.
        #[arg(long)]
        defaults: bool,
        /// Also say what a client of this version, such as 0.130.0, makes of it; may be repeated.
        #[arg(long = "client-version", value_name = "VERSION", conflicts_with = "defaults")]
        client_versions: Vec<ClientVersion>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what differs between a folder and the workspace; exits with 2 if anything does.
    Diff(policy_code::FolderArgs),
    /// Bring the workspace to what a folder says: planned first, then all of it or nothing.
    Apply {
        #[command(flatten)]
        folder: policy_code::FolderArgs,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Why, for whoever reads the versions later.
        #[arg(long)]
        note: Option<String>,
    },
    /// Write the policies and rules of the workspace into a folder.
    Export {
        /// The folder.
        folder: PathBuf,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Say what binds a member, key by key, and what becomes of a command; asks a running server.
    Explain(Box<policy_explain::ExplainArgs>),
    /// Put back an earlier version of a policy: it becomes the next one, in one step.
    Rollback(policy_rollback::RollbackArgs),
    /// Say what a change of policies would have done to what was recorded; asks a running server.
    Simulate(Box<policy_simulate::SimulateArgs>),
}

/// Runs the verb of the command line.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    match cli.verb {
        Verb::Serve(args) => serve(*args).await,
        Verb::Init(args) => init(*args).await,
        Verb::ClientConfig(args) => client_config(*args),
        Verb::Policy(PolicyVerb::Lint { file, defaults, client_versions, json }) => {
            policy_lint::run(&file, defaults, &client_versions, json)
        }
        Verb::Policy(PolicyVerb::Diff(args)) => policy_code::diff(args).await,
        Verb::Policy(PolicyVerb::Apply { folder, yes, note }) => policy_code::apply(folder, yes, note).await,
        Verb::Policy(PolicyVerb::Export { folder, remote }) => policy_code::export(&folder, &remote).await,
        Verb::Exception(verb) => exception::run(verb).await,
        Verb::Policy(PolicyVerb::Explain(args)) => print(&policy_explain::explain(*args).await?),
        Verb::Policy(PolicyVerb::Rollback(args)) => print(&policy_rollback::run(args).await?),
        Verb::Policy(PolicyVerb::Simulate(args)) => policy_simulate::simulate(*args).await,
        Verb::TeamConfig(verb) => team_config::run(verb).await,
        Verb::Keys(verb) => print(&keys::run(verb).await?),
        Verb::Openapi => print(&format!("{}\n", openapi::document().to_pretty_json()?)),
    }
}

fn load(args: ServeArgs) -> Result<Config> {
    Config::load(args, &|name| std::env::var(name).ok())
}

async fn serve(args: ServeArgs) -> Result<ExitCode> {
    let config = load(args)?;
    logging::init(config.log_format, std::env::var("PROVOST_LOG").ok().as_deref())?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    // Watched before anything can be interrupted half-way.
    let mut terminate = signal(SignalKind::terminate())?;
    let node = Node::start(&config, Clock::system()).await?;
    let browser_url = node.browser_url(&config);
    tracing::info!(url = node.app.public_url, browser = browser_url, "ready");
    // On the last good snapshot somebody has set up before.
    let is_new = node.app.store.world().workspaces.is_empty();
    if is_new && let Some(path) = provost_identity::setup_link(&node.app.store).await? {
        // On the terminal only: the link is a secret, and logs are kept.
        print(&format!(
            "\n  Nobody has set up yet. Open this link to begin (it works once, for a day):\n\n    {browser_url}{path}\n\n"
        ))?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    tracing::info!("stopping: running answers may finish");
    node.stop().await;
    Ok(ExitCode::SUCCESS)
}

async fn init(args: InitArgs) -> Result<ExitCode> {
    let config = load(args.serve)?;
    let owner = Email::try_from(args.owner).context("--owner")?;
    let name = args.workspace.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        bail!("--workspace: the name is 1 to 100 characters");
    }
    let store = open_store(&config, Clock::system()).await?;
    let made = provost_identity::create_first_workspace(&store, name, &owner, None, Origin::default()).await;
    let Some(made) = made? else {
        bail!("there is a workspace in {} already: nothing was changed. Sign in there instead", config.data.display());
    };
    store.close(std::time::Duration::from_secs(5)).await;
    let handover = made.handover.context("an owner without a password is given a link")?;
    let ca_certificate = ca_certificate(&config)?;
    let sign_in_url = format!("{}{}", browser_url(&config), handover.sign_in_path);
    let text = if args.json {
        let answer = json!({
            "workspace_id": made.workspace_id, "owner_id": made.owner_id, "owner_email": owner,
            "sign_in_url": sign_in_url, "api_key": handover.api_key, "ca_certificate": ca_certificate,
        });
        format!("{answer:#}\n")
    } else {
        format!(
            "Workspace {name} ({}) is made; its owner is {owner}.\n\n\
             Sign in (the link works once, for a week; start `provost serve` first):\n  {sign_in_url}\n\n\
             API key with every scope (shown this once):\n  {}\n",
            made.workspace_id, handover.api_key,
        )
    };
    print(&text)
}

/// The certificate of the private CA, made if need be, so that clients can be set up before the
/// first start.
fn ca_certificate(config: &Config) -> Result<Option<PathBuf>> {
    if config.transport != Transport::SelfSigned {
        return Ok(None);
    }
    let ca = PrivateCa::in_data(&config.data);
    let public_url = config.public_url(config.listen);
    let names = crate::tls::names([public_url.host(), &config.listen.ip().to_string()]);
    ca.ensure(&names, Clock::system().now())?;
    let path = ca.certificate();
    Ok(Some(path.canonicalize().unwrap_or(path)))
}

/// As [`Node::browser_url`], of a server that does not run yet.
fn browser_url(config: &Config) -> String {
    match (&config.configured_public_url, config.http_listen) {
        (None, Some(address)) if address.ip().is_loopback() => {
            format!("http://{}", SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())))
        }
        _ => config.public_url(config.listen).as_str().to_owned(),
    }
}

fn client_config(args: ClientConfigArgs) -> Result<ExitCode> {
    let ClientConfigArgs { json, platform, mode, enrolment, out, serve } = args;
    let config = load(serve)?;
    let public_url = config.public_url(config.listen);
    let ca = match config.transport {
        Transport::SelfSigned => {
            let path = PrivateCa::in_data(&config.data).certificate();
            Some(path.canonicalize().with_context(|| {
                format!("{} is not there: run `provost init` or `provost serve` first", path.display())
            })?)
        }
        _ => None,
    };
    let device = ClientConfig::new(public_url.as_str(), ca.as_deref());
    let platforms = match platform {
        None if json => return print(&format!("{}\n", serde_json::to_string_pretty(&device)?)),
        None => return print(&device.text()),
        Some(ForPlatform::Linux) => vec![Platform::Linux],
        Some(ForPlatform::Macos) => vec![Platform::Macos],
        Some(ForPlatform::Windows) => vec![Platform::Windows],
        Some(ForPlatform::All) => Platform::ALL.to_vec(),
    };
    let way = match (enrolment, mode) {
        (Some(address), _) => Way::enrolment(&device.public_url, &address)?,
        (None, Mode::A) => Way::A,
        (None, Mode::B) => Way::B,
    };
    let ca = ca.map(|path| std::fs::read_to_string(&path).with_context(|| path.display().to_string())).transpose()?;
    let files: Vec<_> = platforms
        .into_iter()
        .map(|platform| (platform, device_files::device_files(&device, platform, &way, ca.as_deref())))
        .collect();
    let Some(out) = out else {
        let by_platform: serde_json::Map<String, serde_json::Value> =
            files.iter().map(|(platform, files)| (platform.name().to_owned(), json!(files))).collect();
        return print(&if json { format!("{:#}\n", json!(by_platform)) } else { device_files::text(&files) });
    };
    let written = device_files::write(&out, &files)?;
    let lines = written.iter().map(|(path, destination)| format!("{}\n    to: {destination}\n", path.display()));
    print(&lines.collect::<String>())
}

/// To standard output; a reader that has gone (`| head`) is no error.
fn print(text: &str) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe && !std::io::stdout().is_terminal() => {}
        written => written?,
    }
    Ok(ExitCode::SUCCESS)
}
