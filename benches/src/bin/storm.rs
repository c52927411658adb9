//! A fetch storm: ten thousand clients, each of another member, fetch their policy within ten seconds
//! from two nodes on one PostgreSQL, and half-way one node is killed. A client whose connection fails is
//! sent to the other node once, as a load balancer would. Then what the last good snapshot costs. Run it
//! with `mk/with-postgres`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use provost_benches::nodes::be_a_node;
use provost_benches::population::{self, LARGE, Size};
use provost_benches::process::Server;
use provost_benches::report::{judged, line, percentile};
use provost_model::Clock;
use provost_server::node::open_store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CLIENTS: usize = 10_000;
const SIZE: Size = Size { members: CLIENTS, groups: 100, policies: 20 };
const STORM: Duration = Duration::from_secs(10);
/// A client gives up after this long (`client-contract.md` §2.4).
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a client.
struct Fetched {
    took: Duration,
    is_second_try: bool,
    failure: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("PROVOST_TEST_POSTGRES").context("run it with mk/with-postgres")?;
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "node", data] => return be_a_node(&population::config_on(data.as_ref(), Some(&url))?).await,
        [_, "alone", data] => return be_a_node(&population::config(data.as_ref())?).await,
        _ => {}
    }
    storm(&url).await?;
    last_good().await
}

async fn storm(url: &str) -> Result<()> {
    line(&format!("storm: {CLIENTS} clients in {} s on two nodes; one is killed half-way", STORM.as_secs()));
    let data = tempfile::tempdir()?;
    let config = population::config_on(data.path(), Some(url))?;
    let members = population::populate_in(&config, SIZE, CLIENTS).await?;
    ensure!(members.len() == CLIENTS, "each client is another member's");
    let directory = data.path().display().to_string();
    let killed = Server::start(&["node", &directory]).await?;
    let stays = Server::start(&["node", &directory]).await?;
    let nodes = [killed.ready.clone(), stays.ready.clone()];
    let begin = tokio::time::Instant::now();
    let mut clients = JoinSet::new();
    for (n, (_, token)) in members.into_iter().enumerate() {
        let mut order = nodes.clone();
        if n % 2 == 1 {
            order.reverse();
        }
        let at = begin + STORM * u32::try_from(n)? / u32::try_from(CLIENTS)?;
        clients.spawn(async move {
            tokio::time::sleep_until(at).await;
            client(&order, &token).await
        });
    }
    tokio::time::sleep_until(begin + STORM / 2).await;
    // The process ends at once (SIGKILL), with whatever it was answering.
    killed.stop().await?;
    let fetched = clients.join_all().await;
    stays.stop().await?;
    let millis: Vec<f64> = fetched.iter().map(|fetched| fetched.took.as_secs_f64() * 1e3).collect();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in fetched.iter().filter_map(|fetched| fetched.failure.as_deref()) {
        *reasons.entry(reason).or_default() += 1;
    }
    let failures: usize = reasons.values().sum();
    let moved = fetched.iter().filter(|fetched| fetched.is_second_try).count();
    ensure!(moved > CLIENTS / 10, "only {moved} clients met the dead node: it was not killed in the storm");
    line(&format!("  {moved} clients were sent to the other node; p50 {:.2} ms", percentile(&millis, 50)));
    let p99 = percentile(&millis, 99);
    judged("p99 of a fetch, failover included", p99, "ms", "< 1000 ms", p99 < 1_000.0);
    judged("failures", failures as f64, "", "0", failures == 0);
    ensure!(failures == 0, "{failures} clients got no policy: {reasons:?}");
    Ok(())
}

async fn client(nodes: &[String; 2], token: &str) -> Fetched {
    let begin = Instant::now();
    let mut failure = None;
    for (n, node) in nodes.iter().enumerate() {
        failure = match tokio::time::timeout(PATIENCE, fetch(node, token)).await {
            Ok(Ok(())) => return Fetched { took: begin.elapsed(), is_second_try: n > 0, failure: None },
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no answer in time".to_owned()),
        };
    }
    Fetched { took: begin.elapsed(), is_second_try: true, failure }
}

/// Fetches a policy over a connection of its own: an answer that is not whole is none.
async fn fetch(node: &str, token: &str) -> Result<()> {
    let mut stream = TcpStream::connect(node).await?;
    let request = format!(
        "GET /backend-api/wham/config/bundle HTTP/1.1\r\nhost: {node}\r\nauthorization: Bearer {token}\r\n\
         user-agent: codex_cli_rs/0.169.0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
    ensure!(body.len() == length.trim().parse::<usize>()?, "the answer broke off");
    ensure!(body.contains("\"enterprise_managed\""), "no policy: {body}");
    Ok(())
}

/// What it costs to keep the last good snapshot of a large workspace, and to start from it.
async fn last_good() -> Result<()> {
    line("last good snapshot: 100,000 members");
    let data = tempfile::tempdir()?;
    let token = population::populate(data.path(), LARGE, 1).await?.remove(0);
    let store = open_store(&population::config(data.path())?, Clock::system()).await?;
    let begin = Instant::now();
    store.keep_last_good().await?;
    let took = begin.elapsed().as_secs_f64();
    judged("to write it, beside the serving of requests", took, "s", "< 2 s", took < 2.0);
    store.close(Duration::from_secs(5)).await;
    let size = std::fs::metadata(data.path().join("last-good.sealed"))?.len();
    line(&format!("  {:<58} {:>9.2} MB", "its size", size as f64 / 1e6));
    for name in ["provost.db", "provost.db-wal", "provost.db-shm"] {
        let _ = std::fs::remove_file(data.path().join(name));
    }
    let begin = Instant::now();
    let server = Server::start(&["alone", &data.path().display().to_string()]).await?;
    fetch(&server.ready, &token).await?;
    let took = begin.elapsed().as_secs_f64();
    judged("to the first policy after a start without the database", took, "s", "< 5 s", took < 5.0);
    server.stop().await
}
