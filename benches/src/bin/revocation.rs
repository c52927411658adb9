//! Revocation to refusal: two nodes on one PostgreSQL. A member works at one of them while an admin
//! suspends them at the other. Run it with `mk/with-postgres`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use provost_benches::nodes::{be_a_node, hang_up, within_a_second};
use provost_benches::population::{self, Size};
use provost_benches::process::Server;
use provost_benches::report::line;
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{ApiKeyId, Clock, MemberId, Model, Scope, UpstreamId};
use provost_server::node::open_store;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::upstreams::{self, UpstreamRow};
use provost_store::{Store, Touched};
use provost_web::Secret;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SIZE: Size = Size { members: 300, groups: 10, policies: 5 };
/// With the calls of PostgreSQL, and with the poll alone.
const ROUNDS: [(&str, usize); 2] = [("called", 150), ("polled", 100)];

type Http = Client<HttpConnector, Full<Bytes>>;

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::var("PROVOST_TEST_POSTGRES").context("run it with mk/with-postgres")?;
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, "node", data] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return be_a_node(&population::config_on(data.as_ref(), Some(&url))?).await;
    }
    let rounds: usize = ROUNDS.iter().map(|(_, rounds)| rounds).sum();
    line(&format!("revocation: two nodes on one PostgreSQL, {rounds} members suspended at one, at work at the other"));
    let data = tempfile::tempdir()?;
    let config = population::config_on(data.path(), Some(&url))?;
    let mut members = population::populate_in(&config, SIZE, rounds).await?.into_iter();
    let store = open_store(&config, Clock::system()).await?;
    let api_key = prepare(&store, &silent_upstream().await?).await?;
    let directory = data.path().display().to_string();
    let (here, there) = (Server::start(&["node", &directory]).await?, Server::start(&["node", &directory]).await?);
    let http = Client::builder(TokioExecutor::new()).build_http();
    for (how, rounds) in ROUNDS {
        // Whoever listens is hung up on, again and again, so that the poll is all there is.
        let deaf = (how == "polled").then(|| tokio::spawn(hang_up(store.clone())));
        let mut figures: [Vec<f64>; 3] = Default::default();
        for (member, token) in members.by_ref().take(rounds) {
            let round = round(&http, &here.ready, &there.ready, &api_key, member, &token).await?;
            for (all, figure) in figures.iter_mut().zip(round) {
                all.push(figure);
            }
        }
        let names = ["refusal after the admin's request", "refusal after the admin's answer", "open stream cut"];
        for (name, figures) in names.into_iter().zip(&figures) {
            within_a_second(&format!("{how}: {name}"), figures);
        }
        if let Some(task) = deaf {
            task.abort();
        }
    }
    store.close(Duration::from_secs(5)).await;
    here.stop().await?;
    there.stop().await
}

/// Suspends a member here who works there: how long it took, in milliseconds, until a request was
/// refused there (since the admin asked, and since they were answered), and until a stream was cut.
async fn round(http: &Http, here: &str, there: &str, api_key: &str, member: MemberId, token: &str) -> Result<[f64; 3]> {
    let mut stream = open_stream(there, token).await?;
    let cut = tokio::spawn(async move {
        let mut rest = Vec::new();
        // However it ends.
        let _ = stream.read_to_end(&mut rest).await;
        (Instant::now(), String::from_utf8_lossy(&rest).contains("response.failed"))
    });
    let (client, url, bearer) = (http.clone(), format!("http://{there}/codex/config/bundle"), token.to_owned());
    ensure!(call(&client, Method::GET, &url, &bearer, None).await?.status() == StatusCode::OK, "they are at work");
    let refused = tokio::spawn(async move {
        while call(&client, Method::GET, &url, &bearer, None).await?.status() == StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::Ok(Instant::now())
    });
    let url = format!("http://{here}/api/v1/members/{member}");
    let asked = Instant::now();
    let answer = call(http, Method::PATCH, &url, api_key, Some(json!({ "active": false }).to_string())).await?;
    let answered = Instant::now();
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    let refused = refused.await??;
    let (cut, said_why) = cut.await?;
    ensure!(said_why, "the stream ended without saying why");
    let millis = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
    Ok([millis(asked, refused), millis(answered, refused), millis(asked, cut)])
}

async fn call(
    http: &Http,
    method: Method,
    url: &str,
    bearer: &str,
    body: Option<String>,
) -> Result<Response<Incoming>> {
    let request = Request::builder().method(method).uri(url).header(AUTHORIZATION, format!("Bearer {bearer}"));
    let request = request.header(CONTENT_TYPE, "application/json");
    let mut answer = http.request(request.body(Full::from(body.unwrap_or_default()))?).await?;
    // Read whole, so that the connection is used again.
    while let Some(frame) = answer.body_mut().frame().await {
        frame?;
    }
    Ok(answer)
}

/// A turn whose answer has begun.
async fn open_stream(address: &str, token: &str) -> Result<TcpStream> {
    let body = json!({ "model": "gpt-bench", "stream": true, "input": "hi" }).to_string();
    let request = format!(
        "POST /backend-api/codex/responses HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut seen = Vec::new();
    while !seen.windows(6).any(|window| window == b"begun\"") {
        ensure!(stream.read_buf(&mut seen).await? > 0, "{}", String::from_utf8_lossy(&seen));
    }
    Ok(stream)
}

/// An upstream whose answers begin and go on for ever without a word; its address.
async fn silent_upstream() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let event = "data: {\"type\":\"begun\"}\n\n";
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                let mut asked = [0; 16 * 1024];
                if stream.read(&mut asked).await.is_ok_and(|read| read > 0)
                    && stream.write_all(format!("{head}{:x}\r\n{event}\r\n", event.len()).as_bytes()).await.is_ok()
                {
                    while stream.read(&mut asked).await.is_ok_and(|read| read > 0) {}
                }
            });
        }
    });
    Ok(address)
}

/// Adds the upstream, and a key that may do everything: its secret.
async fn prepare(store: &Store, upstream: &str) -> Result<String> {
    let workspace_id = *store.world().workspaces.keys().next().context("a workspace")?;
    let mut change = store.change(workspace_id, Actor::system(), Origin::default()).await?;
    let now = change.at();
    let model = Model {
        slug: "gpt-bench".to_owned(),
        display_name: None,
        upstream_model: None,
        input_price: None,
        cached_input_price: None,
        output_price: None,
    };
    let row = UpstreamRow {
        id: UpstreamId::new(now),
        name: "silent".to_owned(),
        base_url: format!("http://{upstream}/v1"),
        api_key_sealed: None,
        models: vec![model],
        created_at: now,
        updated_at: now,
    };
    upstreams::insert(&mut change, workspace_id, &row).await?;
    change.touch(Touched::Upstream(row.id));
    let secret = Secret::new("pk-");
    let key = ApiKeyRow {
        last4: "last".to_owned(),
        scopes: Scope::ALL.to_vec(),
        ..ApiKeyRow::new(ApiKeyId::new(now), "bench", now)
    };
    api_keys::insert(&mut change, workspace_id, &key, &secret.hash).await?;
    change.touch(Touched::ApiKey(key.id));
    change.record(EventType::ApiKeyCreated, None, json!({}));
    change.commit().await?;
    Ok(secret.text)
}
