//! What happened: the events of the workspace.

mod api;

use provost_web::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The admin API of this room.
pub fn admin_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(api::events::list)).routes(routes!(api::alerts::list))
}
