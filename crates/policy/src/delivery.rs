//! A policy reaches a laptop: the bundle of the member who asks, from the snapshot, as bytes that
//! were rendered when the policy was published.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use provost_model::{Bundle, Permission, Policy};
use provost_web::{App, Client};

use crate::fetches::Fetches;
use crate::telemetry::with_telemetry;

/// `config/bundle`: for clients since 0.137, and config servers.
pub(crate) fn bundle(app: &App, fetches: &Fetches, client: &Client) -> Response {
    let policy = policy_of(app, client);
    note(app, fetches, client, policy, "bundle");
    answer(match policy {
        Some(policy) => with_telemetry(app, client, &policy.bundle),
        None => with_telemetry(app, client, &Bundle::empty()),
    })
}

/// `config/requirements`: for clients before it.
pub(crate) fn requirements(app: &App, fetches: &Fetches, client: &Client) -> Response {
    let policy = policy_of(app, client);
    note(app, fetches, client, policy, "requirements");
    answer(policy.map_or_else(|| Bundle::empty().requirements, |policy| policy.bundle.requirements.clone()))
}

/// A member who may not use Codex Local gets no policy rather than a refusal: clients show a refusal
/// here as an outage, and the member hears why at the model call.
fn policy_of<'a>(app: &App, client: &'a Client) -> Option<&'a Arc<Policy>> {
    if !client.may(Permission::CodexLocalUse) {
        return None;
    }
    client.workspace.delivery(&client.member, client.version(), app.store.clock().now()).policy
}

fn note(app: &App, fetches: &Fetches, client: &Client, policy: Option<&Arc<Policy>>, endpoint: &'static str) {
    fetches.record(app, client, policy.map(Arc::as_ref), endpoint);
    app.deliveries.note_fetch(&app.store, client, policy.map(|policy| (policy.id, policy.version)));
}

fn answer(body: Arc<[u8]>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        // It is this member's, and may change at any moment.
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    (headers, Body::from(Bytes::from_owner(body))).into_response()
}
