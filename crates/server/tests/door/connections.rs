use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::uri::Scheme;
use axum::routing::get;
use axum::{Extension, Router};
use provost_server::listen::{Door, TrustedProxies};
use provost_web::limits::Limits;
use reqwest::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{certificate, client, impatient, open};

/// Answers with what the door says about the request.
fn echo() -> Router {
    let origin = |ConnectInfo(peer): ConnectInfo<SocketAddr>, Extension(scheme): Extension<Scheme>| async move {
        format!("{scheme} {}", peer.ip())
    };
    Router::new().route("/", get(origin))
}

/// Everything the server sends until it closes; it must do so in time.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_secs(3), stream.read_to_end(&mut bytes)).await;
    // A reset is a way to close, too.
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_client_that_trusts_the_ca_is_served_over_http2_and_http1() {
    let data = tempfile::tempdir().unwrap();
    let certificate = certificate(data.path(), &["codex.corp"]);
    let door = Door { tls: Some(certificate.acceptor().unwrap()), ..Door::default() };
    let open = open(door, echo()).await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/", open.address.port());
        let answer = client(data.path()).get(url).send().await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(answer.text().await.unwrap(), "https 127.0.0.1");
    }
    let pem = std::fs::read(data.path().join("tls/ca.pem")).unwrap();
    let http1 = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .resolve("codex.corp", open.address)
        .http1_only()
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("https://codex.corp:{}/", open.address.port());
    assert_eq!(http1.get(url).send().await.unwrap().version(), Version::HTTP_11);

    let stranger = tempfile::tempdir().unwrap();
    let _other = super::certificate(stranger.path(), &[]);
    let refused = client(stranger.path()).get(format!("https://{}/", open.address)).send().await;
    assert!(refused.is_err(), "another CA's client is not");
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_dropped_without_harm() {
    let data = tempfile::tempdir().unwrap();
    let door = Door { tls: Some(certificate(data.path(), &[]).acceptor().unwrap()), ..Door::default() };
    let open = open(door, echo()).await;
    // One that never begins its handshake stands beside it and hinders nobody.
    let _silent = TcpStream::connect(open.address).await.unwrap();
    let mut plain = TcpStream::connect(open.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: provost\r\n\r\n").await.unwrap();
    let answer = rest(&mut plain).await;
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    let answer = client(data.path()).get(format!("https://{}/", open.address)).send().await;
    assert!(answer.unwrap().status().is_success());
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_head_is_cut() {
    let open = open(Door { limits: impatient(), ..Door::default() }, echo()).await;
    // Nothing; a byte that may begin HTTP/2 or HTTP/1; half a head; HTTP/2 without a request.
    let beginnings: [&[u8]; 4] =
        [b"", b"P", b"GET / HTTP/1.1\r\nHost: ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"];
    let mut clients = Vec::new();
    for beginning in beginnings {
        let mut stream = TcpStream::connect(open.address).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        clients.push(tokio::spawn(async move { rest(&mut stream).await }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_place() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let open = open(Door { limits, ..Door::default() }, echo()).await;
    let first = TcpStream::connect(open.address).await.unwrap();
    // Until it is accepted, the two could be accepted in either order.
    let mut first = first;
    first.write_all(b"GET / HTTP/1.1\r\nHost: provost\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();

    let mut second = TcpStream::connect(open.address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nHost: provost\r\n\r\n").await.unwrap();
    let mut status = [0; 12];
    let early = timeout(Duration::from_millis(50), second.read_exact(&mut status)).await;
    assert!(early.is_err(), "there is no place yet");
    drop(first);
    timeout(Duration::from_secs(3), second.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

#[tokio::test]
async fn only_a_trusted_proxy_speaks_for_its_clients() {
    let trusted = vec!["127.0.0.1/32".parse().unwrap()];
    let door = Door { trusted_proxies: TrustedProxies::from(trusted), ..Door::default() };
    let (behind, direct) = (open(door, echo()).await, open(Door::default(), echo()).await);
    for (open, origin) in [(behind, "https 203.0.113.9"), (direct, "http 127.0.0.1")] {
        let request = reqwest::Client::new()
            .get(format!("http://{}/", open.address))
            .header("x-forwarded-for", "198.51.100.1, 203.0.113.9")
            .header("x-forwarded-proto", "https");
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), origin);
    }
}
