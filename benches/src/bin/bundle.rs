//! Policy delivery: bundles per second for signed-in members, beside a bare axum handler that
//! returns the same bytes, both in processes of their own, in turns.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::routing::get;
use provost_benches::population::{self, LARGE, SMALL, Size};
use provost_benches::process::Server;
use provost_benches::report::{judged, line, median};
use provost_model::Clock;
use provost_server::node::Node;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATH: &str = "/backend-api/wham/config/bundle";
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "provost", data] => return be_provost(data.as_ref()).await,
        [_, "bare", body] => return be_bare(body.as_ref()).await,
        _ => {}
    }
    line("bundle: policy bundles per second over plain HTTP, 32 connections, 1,000 members in turn");
    let (large, large_to_bare) = measure(LARGE).await?;
    judged("Provost / bare axum, 100,000 members", large_to_bare, "", ">= 0.60", large_to_bare >= 0.6);
    let (small, _) = measure(SMALL).await?;
    let slower = 100.0 * (1.0 - large / small);
    judged("slower with 100,000 members than with 100", slower, "%", "<= 10 %", slower <= 10.0);
    Ok(())
}

/// Bundles per second of Provost, and how that stands to the bare handler.
async fn measure(size: Size) -> Result<(f64, f64)> {
    let data = tempfile::tempdir()?;
    let tokens = population::populate(data.path(), size, 1_000).await?;
    let provost = Server::start(&["provost", &data.path().display().to_string()]).await?;
    let body = fetch(&provost.ready, &tokens[0]).await?;
    let body_file = data.path().join("body");
    std::fs::write(&body_file, &body)?;
    let bare = Server::start(&["bare", &body_file.display().to_string()]).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(load(&bare.ready, &tokens).await?);
        ours.push(load(&provost.ready, &tokens).await?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    line(&format!("  {} members: Provost {ours:.0}/s, bare axum {theirs:.0}/s", size.members));
    provost.stop().await?;
    bare.stop().await?;
    Ok((ours, ours / theirs))
}

/// Requests per second.
async fn load(address: &str, tokens: &[String]) -> Result<f64> {
    let end = Instant::now() + ROUND;
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let requests: Vec<Vec<u8>> =
            tokens.iter().skip(connection).step_by(CONNECTIONS).map(|token| request(address, token)).collect();
        let address = address.to_owned();
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let (mut buffer, mut done) = (vec![0; 64 * 1024], 0u64);
            while Instant::now() < end {
                for request in &requests {
                    stream.write_all(request).await?;
                    read_answer(&mut stream, &mut buffer).await?;
                    done += 1;
                }
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0;
    while let Some(task) = tasks.join_next().await {
        done += task??;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

fn request(address: &str, token: &str) -> Vec<u8> {
    format!(
        "GET {PATH} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         chatgpt-account-id: bench\r\nuser-agent: codex_cli_rs/0.169.0 (Debian 12; x86_64)\r\n\r\n"
    )
    .into_bytes()
}

/// Reads one answer, which must be a 200 with a content-length.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<Vec<u8>> {
    let mut have = 0;
    loop {
        let read = stream.read(&mut buffer[have..]).await?;
        ensure!(read > 0, "the server closed");
        have += read;
        let Some(head) = buffer[..have].windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?;
        ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
        let length =
            text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let total = head + 4 + length.context("no content-length")?.parse::<usize>()?;
        while have < total {
            let read = stream.read(&mut buffer[have..]).await?;
            ensure!(read > 0, "the server closed");
            have += read;
        }
        return Ok(buffer[head + 4..total].to_vec());
    }
}

async fn fetch(address: &str, token: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&request(address, token)).await?;
    read_answer(&mut stream, &mut vec![0; 64 * 1024]).await
}

async fn be_provost(data: &Path) -> Result<()> {
    let node = Node::start(&population::config(data)?, Clock::system()).await?;
    say(&node.http_address.context("plain HTTP")?.to_string())?;
    tokio::time::sleep(Duration::from_secs(600)).await;
    Ok(())
}

/// The baseline: axum, one route, the bytes.
async fn be_bare(body: &Path) -> Result<()> {
    let body = bytes::Bytes::from(std::fs::read(body)?);
    let handler = move || std::future::ready(([("content-type", "application/json")], body.clone()));
    let app = axum::Router::new().route(PATH, get(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    say(&listener.local_addr()?.to_string())?;
    axum::serve(listener, app).await?;
    Ok(())
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
