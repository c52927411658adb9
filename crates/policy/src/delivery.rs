//! A policy reaches a laptop: the bundle of the member who asks, from the snapshot, as bytes that
//! were rendered when the policy was published.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use provost_model::{Bundle, Policy};
use provost_web::{App, Client, EnrolledDevice};

use crate::fetches::Fetches;
use crate::telemetry::with_telemetry;

/// What constrains nothing.
static EMPTY: LazyLock<Bundle> = LazyLock::new(Bundle::empty);

/// `config/bundle`: for clients since 0.137, and config servers.
pub(crate) fn bundle(app: &App, fetches: &Fetches, client: &Client, known: &Known) -> Response {
    let policy = policy_of(app, client);
    note(app, fetches, client, policy, "bundle");
    let bundle = policy.map_or(&*EMPTY, |policy| &policy.bundle);
    match with_telemetry(app, client, bundle) {
        // Where it reports with is this client's own, and changes by the hour.
        Some(body) => answer(body, None, known),
        None => answer(bundle.bundle.clone(), Some(&bundle.bundle_tag), known),
    }
}

/// `config/requirements`: for clients before it.
pub(crate) fn requirements(app: &App, fetches: &Fetches, client: &Client, known: &Known) -> Response {
    let policy = policy_of(app, client);
    note(app, fetches, client, policy, "requirements");
    let bundle = policy.map_or(&*EMPTY, |policy| &policy.bundle);
    answer(bundle.requirements.clone(), Some(&bundle.requirements_tag), known)
}

/// `config/bundle` at the address of a device enrolment: for machines without a signed-in member.
pub(crate) fn device_bundle(app: &App, fetches: &Fetches, device: &EnrolledDevice, known: &Known) -> Response {
    let policy = device.workspace.device_delivery(&device.enrolment);
    fetches.record(app, device, policy.map(Arc::as_ref), "device");
    app.deliveries.note_device_fetch(&app.store, device, policy.map(|policy| (policy.id, policy.version)));
    let bundle = policy.map_or(&*EMPTY, |policy| &policy.bundle);
    answer(bundle.bundle.clone(), Some(&bundle.bundle_tag), known)
}

fn policy_of<'a>(app: &App, client: &'a Client) -> Option<&'a Arc<Policy>> {
    client.workspace.sent(&client.member, client.version(), app.store.clock().now())
}

fn note(app: &App, fetches: &Fetches, client: &Client, policy: Option<&Arc<Policy>>, endpoint: &'static str) {
    fetches.record(app, client, policy.map(Arc::as_ref), endpoint);
    app.deliveries.note_fetch(&app.store, client, policy.map(|policy| (policy.id, policy.version)));
}

fn answer(body: Arc<[u8]>, tag: Option<&Arc<str>>, known: &Known) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        // It is this member's, and may change at any moment.
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    let Some(tag) = tag else { return (headers, Body::from(Bytes::from_owner(body))).into_response() };
    let tagged = [(ETAG, HeaderValue::from_str(tag).expect("a tag is plain ASCII"))];
    if known.holds(tag) {
        return (StatusCode::NOT_MODIFIED, headers, tagged).into_response();
    }
    (headers, tagged, Body::from(Bytes::from_owner(body))).into_response()
}

/// What the caller has already: `If-None-Match` (RFC 9110 §13.1.2). Codex itself does not send it
/// (`client-contract.md` §2.1, §2.6); who watches for changes, or stands in between, may.
pub(crate) struct Known(Option<HeaderValue>);

impl Known {
    fn holds(&self, tag: &str) -> bool {
        let tags = self.0.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Compared weakly: a proxy that compresses makes the tag a weak one.
        tags.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
    }
}

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(parts.headers.get(IF_NONE_MATCH).cloned()))
    }
}
