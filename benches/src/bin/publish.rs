//! Publish to visible: two nodes on one PostgreSQL. An admin publishes a policy at one; a client asks the other until it
//! is sent the new text. Run it with `mk/with-postgres`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use provost_benches::client::Connection;
use provost_benches::nodes::{be_a_node, hang_up, within_a_second};
use provost_benches::population::{self, POLICY, Size};
use provost_benches::process::Server;
use provost_benches::report::line;
use provost_model::{Clock, PolicyId};
use provost_server::node::open_store;
use serde_json::json;

const SIZE: Size = Size { members: 300, groups: 10, policies: 5 };
/// With the calls of PostgreSQL, and with the poll alone.
const ROUNDS: [(&str, usize); 2] = [("called", 150), ("polled", 100)];

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("PROVOST_TEST_POSTGRES").context("run it with mk/with-postgres")?;
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, "node", data] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return be_a_node(&population::config_on(data.as_ref(), Some(&url))?).await;
    }
    let rounds: usize = ROUNDS.iter().map(|(_, rounds)| rounds).sum();
    line(&format!("publish: two nodes on one PostgreSQL, {rounds} versions published at one, fetched at the other"));
    let data = tempfile::tempdir()?;
    let config = population::config_on(data.path(), Some(&url))?;
    let (member, token) = population::populate_in(&config, SIZE, 1).await?.pop().context("a member")?;
    let store = open_store(&config, Clock::system()).await?;
    let key = population::admin_key(&store).await?;
    let world = store.world();
    let workspace = world.workspaces.values().next().context("a workspace")?;
    let member = workspace.members.get(&member).context("the member")?;
    let policy = workspace.policy_for(member).context("their policy")?;
    let (id, name) = (policy.id, policy.name.to_string());
    let directory = data.path().display().to_string();
    let (here, there) = (Server::start(&["node", &directory]).await?, Server::start(&["node", &directory]).await?);
    let mut admin = Connection::new(&here.ready, &key, "application/json");
    let mut version = 0;
    for (how, rounds) in ROUNDS {
        // Whoever listens is hung up on, again and again, so that the poll is all there is.
        let deaf = (how == "polled").then(|| tokio::spawn(hang_up(store.clone())));
        let mut figures: [Vec<f64>; 2] = Default::default();
        for _ in 0..rounds {
            version += 1;
            let round = round(&mut admin, &there.ready, &token, (id, &name), version).await?;
            for (all, figure) in figures.iter_mut().zip(round) {
                all.push(figure);
            }
        }
        for (since, figures) in ["request", "answer"].into_iter().zip(&figures) {
            within_a_second(&format!("{how}: visible after the admin's {since}"), figures);
        }
        if let Some(task) = deaf {
            task.abort();
        }
    }
    store.close(Duration::from_secs(5)).await;
    here.stop().await?;
    there.stop().await
}

/// Publishes here: how long it took, in milliseconds, until it was sent there, since the admin asked and since they
/// were answered.
async fn round(
    admin: &mut Connection,
    there: &str,
    token: &str,
    (id, name): (PolicyId, &str),
    version: usize,
) -> Result<[f64; 2]> {
    let mark = format!("# version {version} of the bench");
    let (mut client, wanted) = (Connection::new(there, token, "application/json"), mark.clone());
    let seen = tokio::spawn(async move {
        loop {
            let answer = client.ask("GET", "/backend-api/wham/config/bundle", "").await?;
            ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
            if answer.body.contains(&wanted) {
                return Ok(Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let body = json!({ "name": name, "contents": format!("{mark}\n{POLICY}"), "defaults": null }).to_string();
    let asked = Instant::now();
    let answer = admin.ask("PUT", &format!("/api/v1/policies/{id}"), &body).await?;
    let answered = Instant::now();
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
    let seen = seen.await??;
    let millis = |from: Instant| seen.saturating_duration_since(from).as_secs_f64() * 1e3;
    Ok([millis(asked), millis(answered)])
}
