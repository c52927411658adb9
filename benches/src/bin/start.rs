//! How long a start takes with 100,000 members on SQLite, and how much memory an empty server holds.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use provost_benches::population::{self, LARGE};
use provost_benches::process::Server;
use provost_benches::report::{judged, line, median};
use provost_model::Clock;
use provost_server::node::Node;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, serve, data] = &arguments[..]
        && serve == "serve"
    {
        return be_a_server(data.as_ref()).await;
    }
    line("start: from nothing to ready");
    let data = tempfile::tempdir()?;
    population::populate(data.path(), LARGE, 1).await?;
    let path = data.path().display().to_string();
    let mut seconds = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let server = Server::start(&["serve", &path]).await?;
        seconds.push(start.elapsed().as_secs_f64());
        resident.push(server.resident_bytes()? as f64 / 1e6);
        server.stop().await?;
    }
    let seconds = median(seconds);
    judged("to ready, 100,000 members on SQLite", seconds, "s", "< 2 s", seconds < 2.0);
    line(&format!("  {:<58} {:>9.2} MB", "resident, 100,000 members", median(resident)));

    let empty = tempfile::tempdir()?;
    let server = Server::start(&["serve", &empty.path().display().to_string()]).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let resident = server.resident_bytes()? as f64 / 1e6;
    judged("resident, empty and idle", resident, "MB", "< 40 MB", resident < 40.0);
    server.stop().await
}

async fn be_a_server(data: &std::path::Path) -> Result<()> {
    let node = Node::start(&population::config(data)?, Clock::system()).await?;
    writeln!(std::io::stdout(), "{}", node.address)?;
    std::io::stdout().flush()?;
    tokio::time::sleep(Duration::from_secs(600)).await;
    node.stop().await;
    Ok(())
}
