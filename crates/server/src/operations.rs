//! What operators call: `/healthz`, `/readyz`, `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use provost_store::Degraded;
use provost_web::App;
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
    let backlog = app.store.backlog();
    axum::Json(match app.store.degraded() {
        None => json!({ "status": "ok", "database": "ok", "event_backlog": backlog }),
        Some(Degraded { since, reason, as_of }) => json!({
            "status": "degraded", "database": "unavailable", "event_backlog": backlog,
            "since": since, "reason": reason, "snapshot_as_of": as_of,
        }),
    })
}

/// OpenMetrics text.
async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let text = app.metrics.render(app.store.backlog(), app.store.is_healthy());
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
