//! What operators call: `/healthz`, `/readyz`, `/metrics`.

use std::any::Any;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use provost_web::{App, Error};
use serde_json::json;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// The process answers: restart it when this does not.
async fn healthz() -> impl IntoResponse {
    axum::Json(json!({ "status": "ok" }))
}

/// Whether traffic should come here. While the database is away it should: policies are delivered
/// and turns admitted from the last snapshot, so this says `degraded` and stays 200.
async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let database = if app.store.is_healthy() { "ok" } else { "unavailable" };
    let status = if app.store.is_healthy() { "ok" } else { "degraded" };
    axum::Json(json!({ "status": status, "database": database, "event_backlog": app.store.backlog() }))
}

/// OpenMetrics text.
async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let text = app.metrics.render(app.store.backlog(), app.store.is_healthy());
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

/// A handler panicked: that is a defect here, and one request's matter.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = said.unwrap_or("unknown"), "a handler panicked");
    let message = "something went wrong here; the logs have the reason under the request's id";
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
}
