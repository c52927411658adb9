//! What clients report of themselves: two feeds, one way in.
//!
//! A client speaks for its member only: who it is comes from its credential, whatever the report says.
//! What is said in a report is believed as far as it goes: it shows honest clients that fell behind, and
//! dishonest ones only where they say what they do.

mod analytics;
mod keep;
mod otlp;
mod policies;
mod report;

use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, StatusCode};
use provost_web::{App, Client, Error, Reporter, Result, media_type, read_body};
use serde_json::{Value, json};

pub(crate) use policies::Policies;

/// The most bytes of a report, decoded. A turn makes some hundred thousand.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// `POST …/analytics-events/events`: what a signed-in client reports (`client-contract.md` §4).
pub(crate) async fn analytics(
    app: App,
    policies: Policies,
    client: Client,
    request: Request,
) -> Result<axum::Json<Value>> {
    let body = read(request).await?;
    let reports = analytics::read(&body, app.store.clock().now());
    keep::sessions(&app, &policies, &client, reports).await?;
    Ok(axum::Json(json!({})))
}

/// `POST /otlp/v1/logs`: what a client reports that was told to (`client-contract.md` §6).
pub(crate) async fn otlp_logs(
    app: App,
    policies: Policies,
    Reporter(client): Reporter,
    request: Request,
) -> Result<axum::Json<Value>> {
    if media_type(request.headers()) == "application/x-protobuf" {
        let message = "send OTLP as JSON: set `protocol = \"json\"` in the exporter of `[otel]`";
        return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
    }
    let body = read(request).await?;
    let told = otlp::read(&body, app.store.clock().now());
    keep::sessions(&app, &policies, &client, told.reports).await?;
    if client.workspace.settings.record_commands {
        keep::commands(&app, &client, told.commands).await?;
    }
    // Everything was taken (OTLP, `ExportLogsServiceResponse`).
    Ok(axum::Json(json!({})))
}

async fn read(request: Request) -> Result<Value> {
    let (parts, body): (_, Body) = request.into_parts();
    let headers: &HeaderMap = &parts.headers;
    let body = read_body(headers, body, MAX_BYTES).await?;
    serde_json::from_slice(&body).map_err(|_| Error::bad_request("body_unreadable", "the body is not JSON"))
}
