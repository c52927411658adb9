//! Model traffic: what the gateway adds to a relayed stream, beside a bare hyper relay that reads
//! nothing, both in processes of their own, in turns, before the same source.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use provost_benches::population::{self, SMALL};
use provost_benches::process::Server;
use provost_benches::report::{judged, line, median};
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{Clock, Model, UpstreamId};
use provost_server::node::{Node, open_store};
use provost_store::Touched;
use provost_store::tables::upstreams::{self, UpstreamRow};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

const PATH: &str = "/backend-api/codex/responses";
const STREAMS: usize = 50;
const EVENTS: u64 = 400;
/// More where they take no time, so that what is counted is events and not sign-ins and connections.
const FLAT_OUT_EVENTS: u64 = 8_000;
const PACE: Duration = Duration::from_millis(2);
const ROUNDS: usize = 5;
const OPEN: usize = 500;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "source"] => return serve(source).await,
        [_, "bare", to] => return be_bare(to.parse()?).await,
        [_, "provost", data] => return be_provost(data.as_ref()).await,
        _ => {}
    }
    line(&format!("relay: {STREAMS} streams of {EVENTS} events, one every {} ms each, plain HTTP", PACE.as_millis()));
    let source = Server::start(&["source"]).await?;
    let data = tempfile::tempdir()?;
    let token = population::populate(data.path(), SMALL, 1).await?.remove(0);
    add_upstream(data.path(), &source.ready).await?;
    let bare = Server::start(&["bare", &source.ready]).await?;
    let provost = Server::start(&["provost", &data.path().display().to_string()]).await?;

    for (phase, events, pace, judge) in
        [("paced", EVENTS, PACE, true), ("flat out", FLAT_OUT_EVENTS, Duration::ZERO, false)]
    {
        let (mut bares, mut provosts) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let direct = load(&source, None, events, pace).await?;
            bares.push(load(&bare, None, events, pace).await?.beyond(&direct));
            provosts.push(load(&provost, Some(&token), events, pace).await?.beyond(&direct));
        }
        let figures = |which: &[Figures], of: fn(&Figures) -> f64| median(which.iter().map(of).collect());
        for (what, of) in [("CPU", (|f| f.cpu) as fn(&Figures) -> f64), ("added time", |f| f.latency)] {
            let (ours, theirs) = (figures(&provosts, of), figures(&bares, of));
            line(&format!("  {phase}, {what} per event: Provost {ours:.1} us, bare hyper relay {theirs:.1} us"));
            // Flat out, events wait in line: what one waits is the length of the line.
            if judge || what == "CPU" {
                let name = format!("{phase}, {what} per event, Provost / bare hyper relay");
                judged(&name, ours / theirs, "", "<= 1.30", ours / theirs <= 1.3);
            }
        }
    }
    let memory = open_streams(&provost, &token).await?;
    judged(&format!("memory of {OPEN} open streams"), memory, "MB", "< 60 MB", memory < 60.0);
    for server in [provost, bare, source] {
        server.stop().await?;
    }
    Ok(())
}

/// What one round measured, in microseconds per event.
struct Figures {
    latency: f64,
    cpu: f64,
}

impl Figures {
    fn beyond(self, direct: &Self) -> Self {
        Self { latency: self.latency - direct.latency, ..self }
    }
}

/// Runs all streams at once: the median time that an event took, and the server's CPU.
async fn load(server: &Server, token: Option<&str>, events: u64, pace: Duration) -> Result<Figures> {
    let before = server.cpu()?;
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let request = request(&server.ready, token, events, pace);
        let address = server.ready.clone();
        streams.spawn(async move { read_stream(&address, &request).await });
    }
    let mut latencies = Vec::with_capacity(STREAMS * events as usize);
    while let Some(stream) = streams.join_next().await {
        latencies.extend(stream??);
    }
    ensure!(latencies.len() as u64 == STREAMS as u64 * events, "{} events came", latencies.len());
    let cpu = (server.cpu()? - before).as_secs_f64() * 1e6 / latencies.len() as f64;
    Ok(Figures { latency: median(latencies), cpu })
}

/// The model's name says what the source is to do.
fn request(address: &str, token: Option<&str>, events: u64, pace: Duration) -> Vec<u8> {
    let input = format!("{events} {}", pace.as_micros());
    let body = json!({ "model": "gpt-bench", "stream": true, "input": input }).to_string();
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\n{authorization}content-type: application/json\r\n\
         version: 0.169.0\r\naccept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads a stream to its end: how long each event was on its way, in microseconds.
async fn read_stream(address: &str, request: &[u8]) -> Result<Vec<f64>> {
    const MARK: &[u8] = b"\"delta\":\"";
    const DIGITS: usize = 20;
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let (mut raw, mut text, mut latencies) = (Vec::with_capacity(64 * 1024), Vec::new(), Vec::new());
    let mut is_body = false;
    loop {
        ensure!(stream.read_buf(&mut raw).await? > 0, "the stream broke off: {}", String::from_utf8_lossy(&raw));
        let now = now_nanos();
        if !is_body {
            let Some(end) = find(&raw, b"\r\n\r\n") else { continue };
            ensure!(raw.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&raw));
            raw.drain(..end + 4);
            is_body = true;
        }
        let is_end = take_chunks(&mut raw, &mut text)?;
        let mut seen = 0;
        while let Some(at) = find(&text[seen..], MARK) {
            let digits = seen + at + MARK.len();
            let Some(stamp) = text.get(digits..digits + DIGITS) else { break };
            let sent: u64 = std::str::from_utf8(stamp)?.parse()?;
            latencies.push(now.saturating_sub(sent) as f64 / 1_000.0);
            seen = digits + DIGITS;
        }
        // What may be the beginning of a mark stays.
        let keep = text.len().saturating_sub(MARK.len() + DIGITS).max(seen);
        text.drain(..keep);
        if is_end {
            return Ok(latencies);
        }
    }
}

/// Moves the whole chunks of `raw` to `text` (RFC 9112 section 7.1); whether the last one was among them.
fn take_chunks(raw: &mut Vec<u8>, text: &mut Vec<u8>) -> Result<bool> {
    let mut taken = 0;
    let is_end = loop {
        let Some(end) = find(&raw[taken..], b"\r\n") else { break false };
        let length = usize::from_str_radix(std::str::from_utf8(&raw[taken..taken + end])?, 16)?;
        let start = taken + end + 2;
        if raw.len() < start + length + 2 {
            break false;
        }
        text.extend_from_slice(&raw[start..start + length]);
        taken = start + length + 2;
        if length == 0 {
            break true;
        }
    };
    raw.drain(..taken);
    Ok(is_end)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The monotonic clock, which processes share.
fn now_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// How much more memory the server holds while so many streams are open, in MB.
async fn open_streams(server: &Server, token: &str) -> Result<f64> {
    // After the rounds, so that what a runtime sets up once is not counted.
    let before = server.resident_bytes()?;
    let request = request(&server.ready, Some(token), u64::MAX, Duration::from_millis(500));
    let mut streams = Vec::new();
    for _ in 0..OPEN {
        let mut stream = TcpStream::connect(&server.ready).await?;
        stream.write_all(&request).await?;
        streams.push(stream);
    }
    let mut byte = [0; 512];
    for stream in &mut streams {
        let read = stream.read(&mut byte).await?;
        ensure!(byte[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&byte[..read]));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let more = server.resident_bytes()?.saturating_sub(before);
    Ok(more as f64 / 1e6)
}

async fn add_upstream(data: &Path, source: &str) -> Result<()> {
    let store = open_store(&population::config(data)?, Clock::system()).await?;
    let workspace_id = *store.world().workspaces.keys().next().context("a workspace")?;
    let mut change = store.change(workspace_id, Actor::system(), Origin::default()).await?;
    let id = UpstreamId::new(change.at());
    let model = Model {
        slug: "gpt-bench".to_owned(),
        display_name: None,
        upstream_model: None,
        input_price: Some(1.0),
        cached_input_price: None,
        output_price: Some(4.0),
    };
    let row = UpstreamRow {
        id,
        name: "source".to_owned(),
        base_url: format!("http://{source}{}", PATH.trim_end_matches("/responses")),
        api_key_sealed: None,
        models: vec![model],
        created_at: change.at(),
        updated_at: change.at(),
    };
    upstreams::insert(&mut change, workspace_id, &row).await?;
    change.touch(Touched::Upstream(id));
    change.record(EventType::UpstreamCreated, None, json!({}));
    change.commit().await?;
    store.close(Duration::from_secs(10)).await;
    Ok(())
}

async fn be_provost(data: &Path) -> Result<()> {
    let node = Node::start(&population::config(data)?, Clock::system()).await?;
    line(&node.http_address.context("plain HTTP")?.to_string());
    std::future::pending().await
}

/// The baseline: sends what comes to the other side, and back what comes from there.
async fn be_bare(to: SocketAddr) -> Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    serve(move |request: Request<Incoming>| {
        let client = client.clone();
        async move {
            let (mut parts, body) = request.into_parts();
            let url = format!("http://{to}{}", parts.uri.path());
            parts.uri = url.parse().expect("an address and a path are a URL");
            client.request(Request::from_parts(parts, body)).await
        }
    })
    .await
}

/// The source: events at a pace, each with the time at which it was sent.
async fn source(request: Request<Incoming>) -> Result<Response<BoxBody<Bytes, Infallible>>> {
    ensure!(request.method() == Method::POST, "a turn is a POST");
    let body: serde_json::Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
    let (events, pace) = body["input"].as_str().and_then(|input| input.split_once(' ')).context("what to do")?;
    let pace = Duration::from_micros(pace.parse()?);
    let ticks = (!pace.is_zero()).then(|| {
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    let events = Events { left: events.parse()?, ticks, closed: false }.boxed();
    Ok(Response::builder().header("content-type", "text/event-stream").body(events)?)
}

struct Events {
    left: u64,
    ticks: Option<Interval>,
    closed: bool,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            let last = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\
                        \"usage\":{\"input_tokens\":10,\"output_tokens\":400}}}\n\n";
            let is_first = !std::mem::replace(&mut self.closed, true);
            return Poll::Ready(is_first.then(|| Ok(Frame::data(Bytes::from_static(last.as_bytes())))));
        }
        if let Some(ticks) = &mut self.ticks
            && ticks.poll_tick(cx).is_pending()
        {
            return Poll::Pending;
        }
        self.left -= 1;
        // As long as a text delta of the Responses API usually is.
        let event = format!(
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{},\
             \"item_id\":\"msg_0123456789abcdef0123456789abcdef0123456789abcdef\",\"output_index\":0,\"content_index\":0,\
             \"delta\":\"{:020}\",\"logprobs\":[]}}\n\n",
            self.left,
            now_nanos()
        );
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}

/// Serves HTTP on a free port, and says which.
async fn serve<S, F, B, E>(service: S) -> Result<()>
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    line(&listener.local_addr()?.to_string());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        let service = service_fn(move |request| {
            let answer = service(request);
            async move { answer.await.map_err(|error| std::io::Error::other(error.to_string())) }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
