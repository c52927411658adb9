//! What an agent may do: managed policies, who gets which, and their delivery to clients.

mod api;
mod client_versions;
mod delivery;
mod exceptions;
mod explain;
mod fetches;
mod proposals;
mod rollouts;
mod simulate;
pub mod team_config;
mod telemetry;

use std::future::ready;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use provost_web::{App, Client, EnrolledDevice};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use exceptions::expire_exceptions;

use crate::delivery::Known;
use crate::fetches::Fetches;
pub use crate::rollouts::{look_after_rollouts, watch_rollouts};

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
        .routes(routes!(policy_rollouts::list, policy_rollouts::create))
        .routes(routes!(rollouts::list))
        .routes(routes!(rollouts::show, rollouts::update::update))
        .routes(routes!(rollouts::acts::pause))
        .routes(routes!(rollouts::acts::resume))
        .routes(routes!(rollouts::acts::finish))
        .routes(routes!(rollouts::acts::cancel))
        .routes(routes!(policy_diff::show, policy_diff::of_draft))
        .routes(routes!(policy_rollback::create))
        .routes(routes!(policy_proposals::list))
        .routes(routes!(policy_proposals::show))
        .routes(routes!(policy_proposals::approve))
        .routes(routes!(policy_proposals::deny))
        .routes(routes!(policy_rules::show, policy_rules::update))
        .routes(routes!(policy_lookup::show))
        .routes(routes!(policy_set::show, policy_set::update))
        .routes(routes!(policy_exceptions::list, policy_exceptions::create))
        .routes(routes!(policy_exceptions::show))
        .routes(routes!(policy_exceptions::approve))
        .routes(routes!(policy_exceptions::deny))
        .routes(routes!(policy_exceptions::end))
        .routes(routes!(device_enrolments::list, device_enrolments::create))
        .routes(routes!(device_enrolments::show, device_enrolments::delete))
        .routes(routes!(device_enrolments::rotate))
        .routes(routes!(effective_policy::show))
        .routes(routes!(policy_explain::explain_post))
        .merge(simulations)
        .routes(routes!(team_config::check_post))
}

/// What clients fetch (`client-contract.md` §2.1, §2.2, §2.6).
pub fn client_routes() -> Router<App> {
    // One for all addresses, handed to the handlers rather than laid around them: the hot path has
    // no layer that it can do without.
    let for_bundles = Fetches::default();
    let for_requirements = for_bundles.clone();
    let for_devices = for_bundles.clone();
    let bundle = move |State(app): State<App>, client: Client, known: Known| {
        ready(delivery::bundle(&app, &for_bundles, &client, &known))
    };
    let requirements = move |State(app): State<App>, client: Client, known: Known| {
        ready(delivery::requirements(&app, &for_requirements, &client, &known))
    };
    let device_bundle = move |State(app): State<App>, device: EnrolledDevice, known: Known| {
        ready(delivery::device_bundle(&app, &for_devices, &device, &known))
    };
    Router::new()
        .route("/backend-api/wham/config/bundle", get(bundle.clone()))
        .route("/api/codex/config/bundle", get(bundle.clone()))
        .route("/codex/config/bundle", get(bundle))
        // What `[config_server]` asks for below its `base_url`, and nothing else (§2.6).
        .route("/device/{token}/codex/config/bundle", get(device_bundle))
        .route("/backend-api/wham/config/requirements", get(requirements.clone()))
        .route("/api/codex/config/requirements", get(requirements))
}
