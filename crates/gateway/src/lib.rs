//! What an agent says: model traffic.
//!
//! A turn takes the four steps in the order of [`responses`]: *who* ([`provost_web::Client`]) and
//! *may* ([`admission`]) read the snapshot only; *do* sends the body on ([`request`], [`dispatch`])
//! and relays the answer as it comes ([`relay`]); *record* ([`turn`]) is queued and never waits for
//! the database.

mod accounts;
mod admission;
mod apps;
mod dispatch;
mod headers;
mod models;
mod refusal;
mod relay;
mod request;
mod responses;
mod sse;
mod tokens;
mod turn;
mod upstreams;
mod usage;

use axum::Router;
use axum::routing::{get, post};
use provost_web::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What Codex clients and OpenAI-compatible clients call. Where the Codex client spells an address
/// in two ways, by whether its `chatgpt_base_url` holds `/backend-api`, both are here
/// (client-contract.md §7).
pub fn client_routes() -> Router<App> {
    Router::new()
        .route("/backend-api/wham/accounts/check", get(accounts::check))
        .route("/api/codex/accounts/check", get(accounts::check))
        .route("/backend-api/wham/usage", get(usage::show))
        .route("/api/codex/usage", get(usage::show))
        .route("/backend-api/ps/mcp", post(apps::call))
        .route("/backend-api/wham/apps", post(apps::call))
        .route("/ps/mcp", post(apps::call))
        .route("/backend-api/codex/models", get(models::list_for_codex))
        .route("/backend-api/codex/responses", post(responses::create).get(responses::upgrade))
        .route("/v1/models", get(models::list))
        .route("/v1/responses", post(responses::create).get(responses::upgrade))
}

/// The part of the admin API that is about model traffic.
pub fn admin_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upstreams::create, upstreams::list)).routes(routes!(
        upstreams::show,
        upstreams::update,
        upstreams::delete
    ))
}
