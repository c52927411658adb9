use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use provost_server::listen::{Door, Drained};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Open, certificate, client, impatient, open};

/// A route whose answer is what the test sends, for as long as it does.
fn stream_of(mut events: mpsc::Receiver<&'static str>) -> Router {
    let events = futures_stream(move |cx| events.poll_recv(cx));
    let body = std::sync::Mutex::new(Some(Body::from_stream(events)));
    let answer = async move || body.lock().unwrap().take().expect("asked once");
    let answer = std::sync::Arc::new(answer);
    Router::new().route("/", get(move || async move { answer().await }))
}

#[tokio::test]
async fn a_running_stream_finishes_while_new_connections_are_refused() {}
