//! What happened: the events of the workspace.

mod api;
mod compliance;
mod housekeeping;
mod ingest;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use provost_web::{App, Client, Reporter};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use compliance::{cut_log_files, cut_now};
pub use housekeeping::housekeeping;

/// The admin API of this room.
pub fn admin_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api::events::list))
        .routes(routes!(api::alerts::list))
        .routes(routes!(api::applied_policies::list))
        .routes(routes!(api::agent_sessions::list))
        .routes(routes!(api::encryption_keys::list))
        .routes(routes!(api::encryption_keys::rotate))
}

/// What tools for the hosted product read.
pub fn compliance_routes() -> Router<App> {
    compliance::routes()
}

/// Where clients report. The address of the first follows `chatgpt_base_url` (`client-contract.md` §7).
pub fn client_routes() -> Router<App> {
    let policies = ingest::Policies::default();
    let for_otlp = policies.clone();
    let analytics = move |State(app): State<App>, client: Client, request: Request| {
        ingest::analytics(app, policies.clone(), client, request)
    };
    let otlp = move |State(app): State<App>, reporter: Reporter, request: Request| {
        ingest::otlp_logs(app, for_otlp.clone(), reporter, request)
    };
    Router::new()
        .route("/backend-api/codex/analytics-events/events", post(analytics.clone()))
        .route("/api/codex/analytics-events/events", post(analytics.clone()))
        .route("/codex/analytics-events/events", post(analytics))
        .route("/otlp/v1/logs", post(otlp))
}
