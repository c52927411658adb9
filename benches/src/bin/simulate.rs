//! What one changed policy would have done to a million recorded commands, among 100,000 members, on SQLite; beside a
//! bare reading of the same rows, which opens none.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use provost_benches::client::Connection;
use provost_benches::population::{self, LARGE, admin_key};
use provost_benches::report::{judged, line, median};
use provost_model::{Clock, MemberId, WorkspaceId};
use provost_server::node::{Node, open_store};
use provost_store::Store;
use provost_store::tables::agent_commands::{self, AgentCommandRow};
use serde_json::{Value, json};

const COMMANDS: usize = 1_000_000;
/// As many as are written, or read, at once.
const PAGE: usize = 8_000;
/// So many commands has a thread.
const IN_THREAD: usize = 20;
const ROUNDS: usize = 3;

/// What an agent runs.
const LINES: &[&str] = &[
    "ls -la src",
    "cargo test --workspace",
    "git status && git diff --stat",
    "git add -A && git commit -m 'wip'",
    "rg -n 'fn main' crates",
    "cat Cargo.toml | head -20",
    "sed -n '1,80p' src/lib.rs",
    "npm install --save-dev vitest",
    "curl -sS https://example.com/api > out.json",
    "for f in *.rs; do wc -l $f; done",
    "rm -rf target",
    "python3 scripts/check.py --all",
];

/// The policy of most members, with one rule more and one that is stricter.
const CHANGED: &str = r#"allowed_approval_policies = ["on-request"]
allowed_sandbox_modes = ["read-only"]

[rules]
prefix_rules = [
  { pattern = [{ token = "git" }, { any_of = ["push", "commit"] }], decision = "forbidden" },
  { pattern = [{ token = "rm" }], decision = "forbidden" },
  { pattern = [{ token = "npm" }, { token = "install" }], decision = "prompt" },
]
"#;

#[tokio::main]
async fn main() -> Result<()> {
    line(&format!("simulate: one policy changed, {COMMANDS} recorded commands, {} members, SQLite", LARGE.members));
    let data = tempfile::tempdir()?;
    let config = population::config(data.path())?;
    population::populate_in(&config, LARGE, 1).await?;
    let store = open_store(&config, Clock::system()).await?;
    let ws = *store.world().workspaces.keys().next().context("a workspace")?;
    let key = admin_key(&store).await?;
    let begun = Instant::now();
    record(&store, ws).await?;
    line(&format!("  {:<58} {:>9.2} s", "recording the commands, sealed", begun.elapsed().as_secs_f64()));
    store.close(Duration::from_secs(10)).await;

    let node = Node::start(&config, Clock::system()).await?;
    let address = node.http_address.context("plain HTTP")?.to_string();
    let (mut simulated, mut scanned, mut summary) = (Vec::new(), Vec::new(), Value::Null);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        ensure!(scan(&node.app.store, ws).await? == COMMANDS, "every row is read");
        scanned.push(begun.elapsed().as_secs_f64());
        let body = json!({ "days": 30, "policies": [{ "policy": "Policy 49", "contents": CHANGED }] });
        let begun = Instant::now();
        // One of its own: the server closes those that say nothing while the rows are read.
        let mut connection = Connection::new(&address, &key, "application/json");
        let answer = connection.ask("POST", "/api/v1/policy-simulations", &body.to_string()).await?;
        simulated.push(begun.elapsed().as_secs_f64());
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
        summary = serde_json::from_str::<Value>(&answer.body)?["summary"].take();
    }
    ensure!(summary["commands_total"] == COMMANDS, "{summary:#}");
    line(&format!(
        "  {} of {} members and {} commands would be under other rules: {}",
        summary["members_changed"],
        summary["members_total"],
        summary["commands_changed"],
        summary["command_transitions"]
    ));
    let (simulated, scanned) = (median(simulated), median(scanned));
    judged("one simulation", simulated, "s", "< 10 s", simulated < 10.0);
    line(&format!("  {:<58} {scanned:>9.2} s", "the same rows read, none opened"));
    line(&format!("  {:<58} {:>9.2} x", "one simulation against that", simulated / scanned));
    Ok(())
}

/// Writes the commands, spread over three weeks and over all members.
async fn record(store: &Store, ws: WorkspaceId) -> Result<()> {
    let world = store.world();
    let members: Vec<MemberId> = world.workspaces.get(&ws).context("the workspace")?.members.keys().copied().collect();
    let start = store.clock().now() - SignedDuration::from_hours(21 * 24);
    for first in (0..COMMANDS).step_by(PAGE) {
        let rows: Vec<_> = (first..COMMANDS.min(first + PAGE)).map(|n| command(n, &members, start)).collect();
        let mut tx = store.write().await?;
        agent_commands::insert(&mut tx, ws, store.sealer(), &rows).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn command(n: usize, members: &[MemberId], start: Timestamp) -> AgentCommandRow {
    let thread = n / IN_THREAD;
    let line = LINES[(n * 7 + thread) % LINES.len()];
    AgentCommandRow {
        thread_id: format!("019a-{thread:08x}-thread"),
        call_id: format!("call_{n:020x}"),
        member_id: members[thread % members.len()],
        at: start + SignedDuration::from_millis(i64::try_from(n).unwrap_or_default() * 1_500),
        argv: vec!["bash".to_owned(), "-lc".to_owned(), line.to_owned()],
        outcome: "ran".to_owned(),
    }
}

/// Reads every row as a simulation does, and does nothing with it.
async fn scan(store: &Store, ws: WorkspaceId) -> Result<usize> {
    let mut tx = store.read().await?;
    let (mut at, mut thread_id, mut call_id) = (Timestamp::MIN, String::new(), String::new());
    let mut read = 0;
    let limit = u32::try_from(PAGE)?;
    loop {
        let page = agent_commands::sealed_since(&mut tx, ws, (at, &thread_id, &call_id), limit).await?;
        read += page.len();
        let Some(last) = page.last() else { return Ok(read) };
        (at, thread_id, call_id) = (last.at, last.thread_id.clone(), last.call_id.clone());
    }
}
