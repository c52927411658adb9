//! The policy linter: says before publication what a Codex client will say after it.
//!
//! A client that cannot load a policy refuses to start, and so does every other client that receives the policy. The
//! linter therefore has one hard promise: [`Severity::Error`] means exactly "client 0.169.0 refuses this", which
//! recorded verdicts of the real client check (`tests/fixtures`). Everything that loads but does nothing, or something
//! other than its author meant, is a [`Severity::Warning`].
//!
//! A text passes four stages: [`document`] parses it into a tree whose nodes know their place, [`check`] walks that
//! tree along the [`schema`], [`merge`] combines the layers of one device, and [`rules`] judges the merged policy.

mod check;
#[cfg(test)]
mod conformance;
mod defaults;
pub(crate) mod document;
pub(crate) mod merge;
mod own_otel;
mod positions;
mod problem;
pub(crate) mod report;
mod rules;
pub(crate) mod schema;
mod suggest;
mod versions;

pub use own_otel::own_otel;
pub use problem::{Problem, Severity};
pub use schema::EVENTS as HOOK_EVENTS;
pub use versions::{VersionVerdict, for_versions};

use document::Node;
use report::Report;

/// The longest policy text the linter accepts, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The most problems one call returns; errors come before warnings when there are more.
pub const MAX_PROBLEMS: usize = 200;

/// Lints one `requirements.toml` as a cloud-delivered policy. Problems are sorted by line and column; the policy is
/// valid if none of them is an error.
#[must_use]
pub fn requirements(contents: &str) -> Vec<Problem> {
    requirements_layers(&[contents])
}

/// Lints the policies of one device, strongest first, as the client merges them: each for itself, and then what only
/// arises from their combination. Problems are sorted by layer, line and column.
#[must_use]
pub fn requirements_layers(layers: &[&str]) -> Vec<Problem> {
    with_room(|| lint_layers(layers)).unwrap_or_else(not_checked)
}

fn lint_layers(layers: &[&str]) -> Vec<Problem> {
    let mut report = Report::default();
    let mut trees = parse_all(layers, &mut report);
    for tree in &mut trees {
        check::check(tree, &schema::ROOT, &mut report);
        positions::name_keys(tree, &schema::ROOT);
        rules::layer(tree, &mut report);
    }
    // A layer that is no TOML leaves nothing sensible to merge.
    if trees.len() == layers.len() {
        let merged = merge::layers(trees, &mut report);
        if layers.len() > 1 {
            merge::check(&merged, &mut report);
        }
        rules::policy(&merged, &mut report);
    }
    report.finish(layers)
}

/// Lints a `config.toml` fragment delivered as managed defaults: TOML syntax, and the values that keep a client from
/// starting.
#[must_use]
pub fn defaults(contents: &str) -> Vec<Problem> {
    with_room(|| {
        let mut report = Report::default();
        let layers = [contents];
        for tree in parse_all(&layers, &mut report) {
            defaults::check(&tree, &mut report);
        }
        report.finish(&layers)
    })
    .unwrap_or_else(not_checked)
}

/// What the key at a dotted path of a policy does, for hover texts: `explain("rules.prefix_rules")`.
#[must_use]
pub fn explain(path: &str) -> Option<&'static str> {
    schema::explain(&schema::ROOT, path)
}

fn parse_all<'a>(layers: &[&'a str], report: &mut Report) -> Vec<Node<'a>> {
    layers.iter().enumerate().filter_map(|(layer, text)| document::parse(layer, text, report)).collect()
}

/// Runs a job with room for the deepest text there is.
///
/// The parser stops at 80 levels of brackets and 80 parts of a key, but a key may nest in every bracket: 6400 levels,
/// which clients read and which would overflow the stack of the usual thread. None if there is no memory for it.
fn with_room<T: Send>(job: impl FnOnce() -> T + Send) -> Option<T> {
    const STACK_BYTES: usize = 128 << 20;
    std::thread::scope(|scope| match std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, job) {
        Ok(thread) => Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
        Err(_) => None,
    })
}

fn not_checked() -> Vec<Problem> {
    let message = "The text could not be checked because the server is short of memory. Try again.".to_owned();
    let code = "not_checked".to_owned();
    vec![Problem { severity: Severity::Error, line: 1, column: 1, key: None, code, message }]
}
