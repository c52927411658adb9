use axum::response::{IntoResponse, Response};
use provost_web::Client;
use serde_json::json;

/// `GET …/usage`: what `/status` shows (client-contract.md §4). There are no budgets yet, so there
/// is no window that could be used up.
pub(crate) async fn show(_: Client) -> Response {
    let usage = json!({
        "plan_type": "enterprise",
        "rate_limit": { "allowed": true, "limit_reached": false, "primary_window": null, "secondary_window": null },
        "credits": { "has_credits": true, "unlimited": true, "balance": null },
    });
    axum::Json(usage).into_response()
}
