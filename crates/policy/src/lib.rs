//! What an agent may do: managed policies, who gets which, and their delivery to clients.

mod api;
mod delivery;
mod exceptions;
mod explain;
mod fetches;
mod simulate;
mod telemetry;

use std::future::ready;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use provost_web::{App, Client};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use exceptions::expire_exceptions;

use crate::fetches::Fetches;

/// The admin API of this room.
pub fn admin_routes() -> OpenApiRouter<App> {
    use api::*;
    let turns = axum::Extension(simulate::Simulations::default());
    let simulations = OpenApiRouter::new().routes(routes!(policy_simulations::simulate)).layer(turns);
    OpenApiRouter::new()
        .routes(routes!(policies::list, policies::create))
        .routes(routes!(policies::show, policies::update, policies::delete))
        .routes(routes!(policy_lint::lint))
        .routes(routes!(policy_versions::list))
        .routes(routes!(policy_versions::show))
        .routes(routes!(policy_rules::show, policy_rules::update))
        .routes(routes!(policy_lookup::show))
        .routes(routes!(policy_set::show, policy_set::update))
        .routes(routes!(policy_exceptions::list, policy_exceptions::create))
        .routes(routes!(policy_exceptions::show))
        .routes(routes!(policy_exceptions::approve))
        .routes(routes!(policy_exceptions::deny))
        .routes(routes!(policy_exceptions::end))
        .routes(routes!(effective_policy::show))
        .routes(routes!(policy_explain::explain_post))
        .merge(simulations)
}

/// What clients fetch (`client-contract.md` §2.1, §2.2, §2.6).
pub fn client_routes() -> Router<App> {
    // One for all addresses, handed to the handlers rather than laid around them: the hot path has
    // no layer that it can do without.
    let for_bundles = Fetches::default();
    let for_requirements = for_bundles.clone();
    let bundle = move |State(app): State<App>, client: Client| ready(delivery::bundle(&app, &for_bundles, &client));
    let requirements =
        move |State(app): State<App>, client: Client| ready(delivery::requirements(&app, &for_requirements, &client));
    Router::new()
        .route("/backend-api/wham/config/bundle", get(bundle.clone()))
        .route("/api/codex/config/bundle", get(bundle.clone()))
        .route("/codex/config/bundle", get(bundle))
        .route("/backend-api/wham/config/requirements", get(requirements.clone()))
        .route("/api/codex/config/requirements", get(requirements))
}
