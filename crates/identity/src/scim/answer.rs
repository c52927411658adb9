//! Answers: SCIM's media type, tags, places.

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use provost_model::scim::{Projection, ResourceKind};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::render::Resource;

/// RFC 7644 §8.1.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/scim+json");

/// An answer in SCIM's media type.
pub(crate) fn scim_json(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("an answer turns into JSON");
    (status, [(CONTENT_TYPE, MEDIA_TYPE)], bytes).into_response()
}

/// The tag of what a resource shows (RFC 7644 §3.14): weak, since two renderings of it may differ.
pub(crate) fn tag(shown: &[u8]) -> String {
    let hash = digest(&SHA256, shown);
    format!("W/\"{}\"", provost_model::hex(&hash.as_ref()[..12]))
}

/// Which attributes of a resource are asked for, in a query.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

impl Shape {
    /// As it is understood.
    pub(crate) fn projection(&self) -> Result<Projection, Problem> {
        Ok(Projection::parse(self.attributes.as_deref(), self.excluded_attributes.as_deref())?)
    }

    /// Whether anything in particular is asked for.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.attributes.is_some()
    }
}

/// A resource, with its tag and its place, which its `meta` says.
pub(crate) fn show(status: StatusCode, kind: ResourceKind, projection: &Projection, resource: Resource) -> Response {
    let Resource { value, version, location } = resource;
    let mut response = scim_json(status, &projection.apply(kind, value));
    set(&mut response, ETAG, &version);
    set(&mut response, LOCATION, &location);
    response
}

/// 304, for who has it already.
pub(crate) fn not_modified(version: &str) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    set(&mut response, ETAG, version);
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The tags that a header names; none if it is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tags(Option<Vec<String>>);

impl Tags {
    /// Of `If-Match`: a write is for what has one of these tags.
    pub(crate) fn if_match(headers: &HeaderMap) -> Self {
        Self::read(headers, IF_MATCH)
    }

    /// Of `If-None-Match`: a read is for what has none of these tags.
    pub(crate) fn if_none_match(headers: &HeaderMap) -> Self {
        Self::read(headers, IF_NONE_MATCH)
    }

    /// The one tag of an operation of a bulk request; none leaves it open.
    pub(crate) fn one(version: Option<String>) -> Self {
        Self(version.map(|version| vec![version]))
    }

    fn read(headers: &HeaderMap, name: HeaderName) -> Self {
        if !headers.contains_key(&name) {
            return Self(None);
        }
        // One that cannot be read fits nothing.
        let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        Self(Some(lines.flat_map(|line| line.split(',')).map(|tag| tag.trim().to_owned()).collect()))
    }

    /// Whether the header was there.
    pub(crate) fn are_given(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this tag, or any (`*`), is among them. Compared weakly (RFC 9110 §8.8.3.2): RFC 7644
    /// has weak tags in `If-Match`.
    pub(crate) fn contain(&self, version: &str) -> bool {
        let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
        let tags = self.0.as_deref().unwrap_or_default();
        tags.iter().any(|tag| tag == "*" || opaque(tag) == opaque(version))
    }
}
