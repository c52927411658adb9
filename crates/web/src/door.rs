//! The outermost layer: every request passes it first, every answer last.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Uri};
use provost_model::EventId;
use tower::ServiceExt;
use tower::service_fn;

use crate::{App, Error};

/// Names a request: in its answer's `x-request-id`, in the logs and in the events that it makes.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the outermost layer around all routes: a request id, errors written out, counters, one
/// spelling of the path.
pub fn door(routes: Router<App>, app: App) -> Router {
    let routes = routes
        .fallback(async || Error::not_found("address"))
        .method_not_allowed_fallback(async || {
            Error::new(http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address takes other methods")
        })
        .layer(from_fn_with_state(app.clone(), pass))
        .with_state(app);
    // Routing looks at the path, so its spelling is settled outside of it: some clients write
    // `//` (client-contract.md §4).
    let settled = service_fn(move |mut request: Request| {
        if let Some(uri) = single_slashes(request.uri()) {
            *request.uri_mut() = uri;
        }
        routes.clone().oneshot(request)
    });
    Router::new().fallback_service(settled)
}

async fn pass(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let at = app.store.clock().now();
    let id = EventId::new(at).to_string().replacen("evt_", "req_", 1);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let is_tls = request.extensions().get() == Some(&http::uri::Scheme::HTTPS);
    request.extensions_mut().insert(RequestId(id.as_str().into()));
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        write_out(&mut response, &error, &id);
    }
    let route = route.as_deref().unwrap_or("unmatched");
    app.metrics.count_request(route, response.status().as_u16());
    tracing::debug!(request_id = id, route, status = response.status().as_u16(), "answered");
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, HeaderValue::try_from(id).expect("an id is plain ASCII"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn write_out(response: &mut Response, error: &Error, id: &str) {
    let body = axum::Json(error.body(Some(id.to_owned()))).into_response();
    let content_type = body.headers().get(CONTENT_TYPE).cloned();
    *response.body_mut() = Body::new(body.into_body());
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
