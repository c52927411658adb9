//! The door: accepts connections, does TLS, and hands each request to the router.
//!
//! An accept loop of our own rather than `axum::serve`, for what that has no place for: TLS
//! handshakes beside each other, a deadline for the first request, a cap on connections, and a
//! shutdown that lets running streams finish but not for ever.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::uri::Scheme;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use provost_web::limits::Limits;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::{debug, warn};

mod forwarded;

pub use forwarded::TrustedProxies;

/// Seconds a client has for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Largest request head, in bytes. Codex sends a few KiB, most of it in
/// `x-codex-turn-metadata`.
const MAX_HEAD_BYTES: u32 = 64 * 1024;

/// HTTP/2 pings, so that a connection whose client has vanished is given up in under a minute.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(20);

/// What answers requests: always ready, cheap to clone. A router is one.
pub trait App:
    Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> App for S where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// What one listener does with its connections.
#[derive(Clone, Default)]
pub struct Door {
    /// TLS; `None` speaks plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// Deadlines and the number of connections of this listener.
    pub limits: Limits,
    /// Whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; nobody's by default.
    pub trusted_proxies: TrustedProxies,
}

/// What was left at the end of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because their response did not finish within
    /// [`Limits::drain_seconds`].
    pub cut: usize,
}

/// Serves `app` on `listener` until `shutdown`, then stops accepting at once, lets running responses
/// finish for [`Limits::drain_seconds`], and cuts what is left. Several listeners share a shutdown
/// by taking clones of one token.
///
/// Every request carries two extensions: [`ConnectInfo<SocketAddr>`], the client's address, and
/// [`Scheme`], how it came. Behind a trusted proxy both are the proxy's word (the port is then 0).
pub async fn serve<A: App>(listener: TcpListener, door: Door, app: A, shutdown: CancellationToken) -> Drained {
    let slots = Arc::new(Semaphore::new(door.limits.connections));
    let drain = door.limits.drain();
    let shared = Arc::new(Shared { http: protocols(&door.limits), app, door, shutdown: shutdown.clone() });
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut failures = 0;
    loop {
        let slot = tokio::select! {
            () = shutdown.cancelled() => break,
            slot = Arc::clone(&slots).acquire_owned() => slot.expect("nobody closes this semaphore"),
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &mut connections) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                failures = 0;
                let (shared, watcher) = (Arc::clone(&shared), graceful.watcher());
                connections.spawn(async move {
                    shared.connection(stream, peer, watcher).await;
                    drop(slot);
                });
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors or memory: connections must end before it gets better.
                failures = (failures + 1).min(6);
                warn!(%error, "cannot accept connections, trying again");
                let pause = Duration::from_millis(25 << failures);
                let _ = tokio::time::timeout(pause, shutdown.cancelled()).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_ok() {
        return Drained { cut: 0 };
    }
    while connections.try_join_next().is_some() {}
    let cut = connections.len();
    connections.shutdown().await;
    Drained { cut }
}

/// The next connection. Meanwhile frees the memory of those that have ended.
async fn accept(listener: &TcpListener, connections: &mut JoinSet<()>) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        tokio::select! {
            accepted = listener.accept() => return accepted,
            Some(_) = connections.join_next() => {}
        }
    }
}

/// What the connections of one listener share.
struct Shared<A> {
    http: auto::Builder<TokioExecutor>,
    app: A,
    door: Door,
    shutdown: CancellationToken,
}

impl<A: App> Shared<A> {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // An SSE event is one small write: with Nagle's algorithm it would wait for the
        // acknowledgement of the one before.
        if let Err(error) = stream.set_nodelay(true) {
            return debug!(%peer, %error, "connection is gone already");
        }
        let Some(tls) = &self.door.tls else {
            return self.requests(stream, peer, Scheme::HTTP, watcher).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream));
        let handshake = tokio::select! {
            () = self.shutdown.cancelled() => return,
            handshake = handshake => handshake,
        };
        match handshake {
            Ok(Ok(stream)) => self.requests(stream, peer, Scheme::HTTPS, watcher).await,
            Ok(Err(error)) => debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn requests<S>(&self, stream: S, peer: SocketAddr, scheme: Scheme, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = Arc::new(AtomicBool::new(false));
        let service = service_fn({
            let (begun, app) = (Arc::clone(&begun), self.app.clone());
            let proxies = self.door.trusted_proxies.believed(peer.ip());
            move |request| {
                begun.store(true, Ordering::Relaxed);
                call(&app, request, peer, &scheme, proxies.as_ref())
            }
        });
        let connection = self.http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(watcher.watch(connection));
        // Hyper's own deadline begins with HTTP/1: not while it waits to learn which version this
        // is, nor in HTTP/2. A client that has sent no request by now is not going to.
        let outcome = tokio::select! {
            biased;
            outcome = &mut connection => outcome,
            () = tokio::time::sleep(self.door.limits.header_read()) => {
                if !begun.load(Ordering::Relaxed) {
                    return debug!(%peer, "no request in time");
                }
                connection.await
            }
        };
        if let Err(error) = outcome {
            debug!(%peer, error = &*error, "connection ended early");
        }
    }
}

fn call<A: App>(
    app: &A,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    scheme: &Scheme,
    proxies: Option<&TrustedProxies>,
) -> A::Future {
    let (client, scheme) = match proxies {
        None => (peer, scheme.clone()),
        Some(proxies) => proxies.origin(request.headers(), peer, scheme),
    };
    request.extensions_mut().insert(ConnectInfo(client));
    request.extensions_mut().insert(scheme);
    // It is always ready, and a clone of it is some reference counts.
    app.clone().call(request)
}

fn protocols(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read())
        .max_buf_size(MAX_HEAD_BYTES as usize);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER);
    http
}

/// Whether an accept failed because of the connection it was about to return, so that the next one
/// may well succeed at once.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
