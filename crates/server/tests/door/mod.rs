//! The door: configuration, TLS, the listener, and the lines that point clients here.

mod certificates;
mod client_config;
mod configuration;
mod connections;
mod device_files;
mod log_lines;
mod shutdown;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use provost_model::Clock;
use provost_server::listen::{self, Door, Drained};
use provost_server::tls::acceptor::Certificate;
use provost_server::tls::ca::{self, PrivateCa};
use provost_web::limits::Limits;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A listener that runs, and what stops it.
struct Open {
    address: SocketAddr,
    shutdown: CancellationToken,
    ended: JoinHandle<Drained>,
}

/// Opens a door on a free port of this machine.
async fn open(door: Door, app: Router) -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let ended = tokio::spawn(listen::serve(listener, door, app, shutdown.clone()));
    Open { address, shutdown, ended }
}

/// The certificate of a new private CA in `data`.
fn certificate(data: &Path, hosts: &[&str]) -> Certificate {
    let names = ca::names(hosts.iter().copied());
    Certificate::of_private_ca(PrivateCa::in_data(data), names, &Clock::system()).unwrap()
}

/// A client that trusts the CA in `data` and nobody else, as Codex does with
/// `CODEX_CA_CERTIFICATE`.
fn client(data: &Path) -> reqwest::Client {
    let pem = std::fs::read(PrivateCa::in_data(data).certificate()).unwrap();
    let ca = reqwest::Certificate::from_pem(&pem).unwrap();
    reqwest::Client::builder().tls_certs_only([ca]).no_proxy().timeout(Duration::from_secs(5)).build().unwrap()
}

/// Limits of a test that waits for a deadline: the shortest there are.
fn impatient() -> Limits {
    Limits { header_read_seconds: 1, drain_seconds: 1, ..Limits::default() }
}
