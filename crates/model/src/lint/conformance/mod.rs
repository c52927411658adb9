//! Generated policies, held against the real client: `make conformance`.
//!
//! Each policy is made from a seed and its index, linted, and delivered to a fresh client. Where the two differ, keys
//! are taken away as long as they still differ, and what is left is reported.

mod client;
mod generate;
mod policy;
mod probes;
mod random;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use client::Client;
use policy::Policy;

use super::{Problem, Severity, requirements_layers};

/// Clients at a time.
const JOBS: usize = 2;

/// How many clients may be asked to make one disagreement smaller.
const MOST_QUESTIONS: usize = 150;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The native program of the client that `make clients` installs.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("CODEX") {
        return program.into();
    }
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/node_modules/codex-0.169.0/node_modules");
    let vendor = clients.join("@openai").read_dir().expect("run `make clients` first").flatten().find_map(|package| {
        let mut targets = package.path().join("vendor").read_dir().ok()?.flatten();
        targets.find_map(|target| Some(target.path().join("bin/codex")).filter(|program| program.exists()))
    });
    vendor.expect("run `make clients` first")
}

/// For whoever waits: it takes minutes.
fn say(what: &str) {
    // A reader that has gone is no reason to fail.
    drop(writeln!(std::io::stderr(), "{what}"));
}

fn errors(layers: &[String]) -> Vec<Problem> {
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    requirements_layers(&layers).into_iter().filter(|problem| problem.severity == Severity::Error).collect()
}

/// What both say, if they do not say the same.
fn disagreement(client: &Client, policy: &Policy) -> Option<(Option<String>, Vec<Problem>)> {
    let layers = policy.texts();
    let (refusal, errors) = (client.refusal(&layers), errors(&layers));
    (refusal.is_none() != errors.is_empty()).then_some((refusal, errors))
}

/// The smallest policy on which the two still differ in the same way.
fn smallest(client: &Client, mut policy: Policy, too_strict: bool) -> Policy {
    let mut questions = 0;
    'smaller: loop {
        for candidate in policy.smaller() {
            // The linter is asked first: it costs nothing.
            if errors(&candidate.texts()).is_empty() == too_strict {
                continue;
            }
            questions += 1;
            if questions > MOST_QUESTIONS {
                return policy;
            }
            if disagreement(client, &candidate).is_some() {
                policy = candidate;
                continue 'smaller;
            }
        }
        return policy;
    }
}

#[test]
#[ignore = "starts thousands of clients: make conformance"]
fn generated_policies_get_the_clients_verdict() {
    let (seed, count) = (number("CONFORMANCE_SEED", 1), number("CONFORMANCE_COUNT", 1000));
    let client = Client::new(program());
    let (next, accepted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed) as u64;
                    if index >= count {
                        return;
                    }
                    if index.is_multiple_of(250) {
                        say(&format!("seed {seed}: {index} of {count} policies"));
                    }
                    let policy = generate::policy(seed, index);
                    match disagreement(&client, &policy) {
                        None => {
                            accepted.fetch_add(usize::from(errors(&policy.texts()).is_empty()), Ordering::Relaxed);
                        }
                        Some((refusal, _)) => {
                            let policy = smallest(&client, policy, refusal.is_none());
                            found.lock().expect("no one panics with it").push((index, policy));
                        }
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("no one panics with it");
    let reports = found.iter().map(|(index, policy)| {
        let layers = policy.texts();
        let (refusal, errors) = (client.refusal(&layers), errors(&layers));
        let errors: Vec<String> =
            errors.iter().map(|e| format!("{} {}", e.code, e.key.as_deref().unwrap_or("-"))).collect();
        format!("policy {index}:\n{}\n client: {refusal:?}\n linter: {errors:?}", layers.join("--- weaker:\n"))
    });
    let reports: Vec<String> = reports.collect();
    let agreed = format!("seed {seed}: {count} policies, {} taken by both", accepted.into_inner());
    assert!(reports.is_empty(), "{agreed}, {} verdicts differ:\n{}", reports.len(), reports.join("\n\n"));
    say(&agreed);
}

#[test]
#[ignore = "writes the questions of record_versions.py: CONFORMANCE_PROBES names the file"]
fn write_the_probes() {
    let file = std::env::var_os("CONFORMANCE_PROBES").expect("CONFORMANCE_PROBES names a file");
    let probes = serde_json::to_string_pretty(&probes::all()).expect("probes are texts");
    std::fs::write(file, probes).expect("the file can be written");
}
