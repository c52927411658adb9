//! Every route of every surface, by room. The tables of a surface are in the `lib.rs` of its room.

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Json, Router};
use provost_web::{App, Doorway, door, idempotency, pages};
use utoipa_axum::router::OpenApiRouter;

use crate::openapi::{self, describe};
use crate::operations;

/// The admin API of all rooms: `/api/v1/…`.
pub fn admin_api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(describe())
        .merge(provost_identity::admin_routes())
        .merge(provost_policy::admin_routes())
        .merge(provost_gateway::admin_routes())
        .merge(provost_governance::admin_routes())
}

/// The whole service.
pub fn service(app: App) -> Doorway {
    let (admin_api, document) = admin_api().split_for_parts();
    let document = openapi::finish(document);
    let admin_api = admin_api
        .route("/api/v1/openapi.json", get(move || std::future::ready(Json(document.clone()))))
        .layer(from_fn_with_state(app.clone(), idempotency));
    let limited = Router::new()
        .merge(admin_api)
        .merge(provost_identity::issuer_routes())
        .merge(provost_identity::sso_routes())
        .merge(provost_identity::page_routes())
        .merge(provost_governance::compliance_routes())
        .route("/assets/site.css", get(pages::style_sheet))
        .route("/assets/passkeys.js", get(pages::passkeys_script))
        .route("/assets/icon.svg", get(pages::icon))
        .layer(DefaultBodyLimit::max(app.limits.body_bytes));
    let routes = Router::new()
        .merge(limited)
        // These send no body.
        .merge(provost_policy::client_routes())
        // Identity providers send groups of many members, and limit themselves.
        .merge(provost_identity::scim_routes(&app))
        // Model requests are larger, and limit themselves.
        .merge(provost_gateway::client_routes())
        // So do reports.
        .merge(provost_governance::client_routes())
        .merge(operations::routes());
    door(routes, app)
}
