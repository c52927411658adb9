//! The outermost layer: every request passes it first, every answer last.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::uri::Scheme;
use http::{HeaderValue, StatusCode, Uri};
use tower::{BoxError, Service};

use crate::{App, Error};

/// Names a request: in its answer's `x-request-id`, in the logs and in the events that it makes.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id, as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// All routes behind the door: a request id, errors written out, panics caught, counters, one
/// spelling of the path.
///
/// It stands around the router as a whole rather than as a layer of it: a layer is one more boxed
/// service for each route, cloned for each request.
#[derive(Clone)]
pub struct Doorway {
    routes: Router,
    app: App,
}

/// Puts the door around all routes.
pub fn door(routes: Router<App>, app: App) -> Doorway {
    let routes = routes
        .fallback(async || Error::not_found("address"))
        .method_not_allowed_fallback(async || {
            Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address takes other methods")
        })
        .with_state(app.clone());
    Doorway { routes, app }
}

impl<B> Service<http::Request<B>> for Doorway
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        Box::pin(pass(self.routes.clone(), self.app.clone(), request.map(Body::new)).map(Ok))
    }
}

async fn pass(mut routes: Router, app: App, mut request: Request) -> Response {
    // Routing looks at the path, so its spelling is settled first: some clients write `//`
    // (client-contract.md §4).
    if let Some(uri) = single_slashes(request.uri()) {
        *request.uri_mut() = uri;
    }
    let id = next_request_id();
    let surface = surface(request.uri().path());
    let is_tls = request.extensions().get() == Some(&Scheme::HTTPS);
    request.extensions_mut().insert(RequestId(id.clone()));
    let answered = AssertUnwindSafe(routes.call(request)).catch_unwind().await;
    let mut response = answered.map_or_else(|panic| panicked(&*panic, &id), |Ok(response)| response);
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        write_out(&mut response, &error, &id);
    }
    app.metrics.count_request(surface, response.status().as_u16());
    tracing::debug!(request_id = ?id, surface, status = response.status().as_u16(), "answered");
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Unique in this process by its count, and among processes by what it begins with. It is no secret.
fn next_request_id() -> HeaderValue {
    static PROCESS: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        u64::from_be_bytes(bytes)
    });
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = format!("req_{:016x}{:016x}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(id).expect("an id is plain ASCII")
}

/// Which surface an address belongs to, for the counters.
fn surface(path: &str) -> &'static str {
    const SURFACES: [(&str, &str); 14] = [
        ("/api/v1/", "admin"),
        ("/api/accounts/", "issuer"),
        ("/api/codex/config/", "policy"),
        ("/api/codex/", "gateway"),
        ("/backend-api/wham/config/", "policy"),
        ("/backend-api/", "gateway"),
        ("/codex/config/", "policy"),
        ("/device/", "policy"),
        ("/v1/", "gateway"),
        ("/oauth/", "issuer"),
        ("/.well-known/", "issuer"),
        ("/scim/v2", "scim"),
        ("/healthz", "operations"),
        ("/readyz", "operations"),
    ];
    let found = SURFACES.iter().find(|(prefix, _)| path.starts_with(prefix));
    found.map_or(if path == "/metrics" { "operations" } else { "pages" }, |(_, surface)| surface)
}

/// A handler panicked: that is a defect here, and one request's matter.
fn panicked(panic: &(dyn Any + Send), id: &HeaderValue) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(request_id = ?id, panic = said.unwrap_or("unknown"), "a handler panicked");
    let message = "something went wrong here; the logs have the reason under the request's id";
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
}

fn write_out(response: &mut Response, error: &Error, id: &HeaderValue) {
    let id = id.to_str().unwrap_or_default().to_owned();
    let body = axum::Json(error.body(Some(id))).into_response();
    let content_type = body.headers().get(CONTENT_TYPE).cloned();
    *response.body_mut() = body.into_body();
    // The router has noted the length of the body that was there before.
    response.headers_mut().remove(CONTENT_LENGTH);
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
}

/// The address with runs of slashes made one; none if it has no run.
fn single_slashes(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.contains("//") {
        return None;
    }
    let mut single = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !single.ends_with('/') {
            single.push(c);
        }
    }
    if let Some(query) = uri.query() {
        single.push('?');
        single.push_str(query);
    }
    single.parse().ok()
}
