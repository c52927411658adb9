//! Log lines: on standard error, for people or as JSON, and without secrets.
//!
//! Codes and tokens travel in headers, cookies, query strings and one-time links. So a request is
//! logged by its id and surface (`provost_web::door`), and libraries that would print whole heads at
//! their finest levels are held above those levels whatever the operator asks for.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::LogFormat;

/// What is logged when nothing says otherwise.
const DEFAULT_FILTER: &str = "info";

const FILTER_HELP: &str = "write a level such as info, or info,provost_gateway=debug";

/// Libraries whose debug or trace lines hold headers, bodies or values bound to statements.
const HELD: [&str; 8] = [
    "h2=info",
    "hyper=info",
    "hyper_util=info",
    "reqwest=info",
    "rustls=info",
    "tokio_rustls=info",
    "sqlx=info",
    "axum=info",
];

/// Starts logging for the whole process. `filter` is `PROVOST_LOG`: a level (`debug`) or directives
/// (`info,provost_gateway=debug`).
///
/// # Errors
/// The filter cannot be read, or logging was started before.
pub fn init(format: LogFormat, filter: Option<&str>) -> Result<()> {
    let colour = std::io::stderr().is_terminal();
    let subscriber = subscriber(format, filter, colour, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).context("logging was started twice")
}

/// The same, writing anywhere: what [`init`] installs.
///
/// # Errors
/// The filter cannot be read.
pub fn subscriber<W>(
    format: LogFormat,
    filter: Option<&str>,
    colour: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter.filter(|filter| !filter.trim().is_empty()).unwrap_or(DEFAULT_FILTER);
    // A directive by span (`[request]=trace`) would let through what the held libraries say in it.
    anyhow::ensure!(!filter.contains('['), "PROVOST_LOG selects by span, which is not supported\n  {FILTER_HELP}");
    let named = |directive: &&str| !HELD.iter().any(|held| concerns(directive, held));
    let asked: Vec<&str> = filter.split(',').filter(named).chain(HELD).collect();
    let filter = EnvFilter::builder()
        .parse(asked.join(","))
        .with_context(|| format!("PROVOST_LOG is not a filter\n  {FILTER_HELP}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match format {
        LogFormat::Text => Box::new(builder.with_ansi(colour).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).with_current_span(true).finish()),
    })
}

/// Whether a directive is about a held library or a module of it, `hyper::proto=trace`.
fn concerns(directive: &str, held: &str) -> bool {
    let library = held.split('=').next().unwrap_or(held);
    let target = directive.trim().split('=').next().unwrap_or_default();
    target == library || target.strip_prefix(library).is_some_and(|rest| rest.starts_with("::"))
}
