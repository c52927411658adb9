//! How long an explanation takes among 100,000 members: what binds a member, key by key, and what becomes of a command.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use provost_benches::client::Connection;
use provost_benches::population::{self, LARGE, SMALL, admin_key};
use provost_benches::report::{judged, line, percentile};
use provost_model::{Clock, MemberId};
use provost_server::node::{Node, open_store};
use serde_json::{Value, json};

const WARMING: usize = 200;
const ASKED: usize = 2_000;

#[tokio::main]
async fn main() -> Result<()> {
    line("explain: asked over HTTP, one question after the other, SQLite");
    for (name, size) in [("100", SMALL), ("100,000", LARGE)] {
        let data = tempfile::tempdir()?;
        let config = population::config(data.path())?;
        population::populate_in(&config, size, 1).await?;
        let store = open_store(&config, Clock::system()).await?;
        let key = admin_key(&store).await?;
        let world = store.world();
        let workspace = world.workspaces.values().next().context("a workspace")?;
        let members: Vec<MemberId> = workspace.members.keys().copied().collect();
        store.close(std::time::Duration::from_secs(10)).await;
        let node = Node::start(&config, Clock::system()).await?;
        let address = node.http_address.context("plain HTTP")?.to_string();
        let mut connection = Connection::new(&address, &key, "application/json");
        let mut figures = Vec::with_capacity(ASKED);
        for n in 0..WARMING + ASKED {
            // A step that has no factor in common with the number of members reaches them all.
            let member = members[(n * 7_919) % members.len()];
            let body = json!({ "member_id": member, "command": "git add -A && git push" }).to_string();
            let begun = Instant::now();
            let answer = connection.ask("POST", "/api/v1/policy-explain", &body).await?;
            let took = begun.elapsed().as_secs_f64() * 1e3;
            ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
            if n == 0 {
                let answer: Value = serde_json::from_str(&answer.body)?;
                ensure!(answer["command"]["decision"] == "prompt", "{answer:#}");
            }
            if n >= WARMING {
                figures.push(took);
            }
        }
        let (p50, p99) = (percentile(&figures, 50), percentile(&figures, 99));
        judged(&format!("one explanation, {name} members, p50"), p50, "ms", "< 5 ms", p50 < 5.0);
        judged(&format!("one explanation, {name} members, p99"), p99, "ms", "< 5 ms", p99 < 5.0);
    }
    Ok(())
}
