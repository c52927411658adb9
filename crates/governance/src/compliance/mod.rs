//! The Compliance API: what SIEM tools read that were written for the hosted product (inventory §11.3). They work
//! here when their base URL is changed.

mod codex_items;
mod cutter;
mod logs;
mod query;
mod reader;
mod refusal;

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use provost_web::App;

pub use cutter::{cut_log_files, cut_now};

use self::reader::Readers;

/// Its addresses.
pub(crate) fn routes() -> Router<App> {
    let under = |path: &str| format!("/v1/compliance/workspaces/{{workspace_id}}/{path}");
    Router::new()
        .route(&under("logs"), get(logs::list))
        .route(&under("logs/{id}"), get(logs::show))
        .route(&under("max_event_time"), get(logs::max_event_time))
        .route(&under("codex_tasks"), get(codex_items::list))
        .route(&under("codex_tasks/{id}"), get(codex_items::show).delete(codex_items::delete))
        .route(&under("codex_environments"), get(codex_items::list))
        .route(&under("codex_environments/{id}"), get(codex_items::show).delete(codex_items::delete))
        .layer(Extension(Arc::new(Readers::default())))
        // The address is the permission: it was made for who had it, and ends soon.
        .route(&under("logs/{id}/contents"), get(logs::contents))
}
