//! What an agent may do: managed policies, who gets which, and their delivery to clients.

mod api;
mod delivery;
mod fetches;

use std::future::ready;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use provost_web::{App, Client};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fetches::Fetches;

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
    // One for all addresses, handed to the handlers rather than laid around them: the hot path has
    // no layer that it can do without.
    let fetches = Fetches::default();
    let bundle = || {
        let fetches = fetches.clone();
        get(move |State(app): State<App>, client: Client| ready(delivery::bundle(&app, &fetches, &client)))
    };
    let requirements = || {
        let fetches = fetches.clone();
        get(move |State(app): State<App>, client: Client| ready(delivery::requirements(&app, &fetches, &client)))
    };
    Router::new()
        .route("/backend-api/wham/config/bundle", bundle())
        .route("/api/codex/config/bundle", bundle())
        .route("/codex/config/bundle", bundle())
        .route("/backend-api/wham/config/requirements", requirements())
        .route("/api/codex/config/requirements", requirements())
}
