//! What an agent may do: managed policies, who gets which, and their delivery to clients.

mod api;
mod delivery;
mod fetches;

use axum::routing::get;
use axum::{Extension, Router};
use provost_web::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The admin API of this room.
pub fn admin_routes() -> OpenApiRouter<App> {
    use api::*;
    OpenApiRouter::new()
        .routes(routes!(policies::list, policies::create))
        .routes(routes!(policies::show, policies::update, policies::delete))
        .routes(routes!(policy_lint::lint))
        .routes(routes!(policy_versions::list))
        .routes(routes!(policy_versions::show))
        .routes(routes!(policy_rules::show, policy_rules::update))
        .routes(routes!(policy_lookup::show))
}

/// What clients fetch (`client-contract.md` §2.1, §2.2, §2.6).
pub fn client_routes() -> Router<App> {
    Router::new()
        .route("/backend-api/wham/config/bundle", get(delivery::bundle))
        .route("/api/codex/config/bundle", get(delivery::bundle))
        .route("/codex/config/bundle", get(delivery::bundle))
        .route("/backend-api/wham/config/requirements", get(delivery::requirements))
        .route("/api/codex/config/requirements", get(delivery::requirements))
        .layer(Extension(fetches::Fetches::default()))
}
