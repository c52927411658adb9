use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures_util::stream;
use provost_server::listen::{Door, Drained};
use provost_server::tls::acceptor::Certificate;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

use super::{Open, certificate, client, impatient, open};

const SOON: Duration = Duration::from_secs(3);

/// A door with one route, whose answer is what the test sends for as long as it does.
async fn streaming(tls: Option<&Certificate>) -> (Open, Sender<&'static str>) {
    let (sender, receiver) = mpsc::channel(8);
    let events = Arc::new(Mutex::new(Some(receiver)));
    let answer = move || {
        let events: Receiver<&str> = events.lock().unwrap().take().expect("asked once");
        let next = async |mut events: Receiver<&'static str>| {
            let event = events.recv().await?;
            Some((Ok::<_, Infallible>(Bytes::from(event)), events))
        };
        async move { Body::from_stream(stream::unfold(events, next)) }
    };
    let tls = tls.map(|certificate| certificate.acceptor().unwrap());
    let door = Door { tls, limits: impatient(), ..Door::default() };
    (open(door, Router::new().route("/", get(answer))).await, sender)
}

#[tokio::test]
async fn a_running_stream_finishes_while_new_connections_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let certificate = certificate(data.path(), &[]);
    for tls in [None, Some(&certificate)] {
        let (open, events) = streaming(tls).await;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/", open.address);
        // A connection that has asked nothing must not hold the shutdown up.
        let mut idle = TcpStream::connect(open.address).await.unwrap();
        let mut answer = client(data.path()).get(url).send().await.unwrap();
        events.send("before ").await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "before ");

        open.shutdown.cancel();
        let refused = async {
            while TcpStream::connect(open.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, refused).await.expect("new connections are refused");
        timeout(SOON, idle.read(&mut [0])).await.expect("the idle one is closed").ok();
        events.send("after").await.unwrap();
        drop(events);
        assert_eq!(answer.text().await.unwrap(), "after");
        assert_eq!(timeout(SOON, open.ended).await.unwrap().unwrap(), Drained { cut: 0 });
    }
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_cut_when_the_time_is_over() {
    let data = tempfile::tempdir().unwrap();
    let certificate = certificate(data.path(), &[]);
    let (open, events) = streaming(Some(&certificate)).await;
    let url = format!("https://{}/", open.address);
    let mut answer = client(data.path()).get(url).send().await.unwrap();
    events.send("begun").await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "begun");

    open.shutdown.cancel();
    assert_eq!(timeout(SOON, open.ended).await.unwrap().unwrap(), Drained { cut: 1 });
    assert!(answer.chunk().await.is_err(), "a cut stream must not look like a finished one");
    timeout(SOON, events.closed()).await.expect("and what fed it is told");
}
