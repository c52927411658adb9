//! What requests carry.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::StatusCode;
use http::request::Parts;
use provost_web::media_type;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::str::FromStr;

use super::Scim;
use super::problem::Problem;

/// What a group of fifty thousand members needs, each with its `$ref` and its name.
const GROUP_BODY: usize = 16 * 1024 * 1024;

/// A body that says it is JSON, as bytes: at most as large as the limit of the configuration.
pub(crate) struct Body(pub Bytes);

/// The same for what may hold a group's members.
pub(crate) struct LargeBody(pub Bytes);

impl FromRequest<Scim> for Body {
    type Rejection = Problem;
    async fn from_request(request: Request, scim: &Scim) -> Result<Self, Problem> {
        read(request, scim.limits.body_bytes).await.map(Self)
    }
}

impl FromRequest<Scim> for LargeBody {
    type Rejection = Problem;
    async fn from_request(request: Request, scim: &Scim) -> Result<Self, Problem> {
        read(request, scim.limits.body_bytes.max(GROUP_BODY)).await.map(Self)
    }
}

async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    if !["application/scim+json", "application/json"].contains(&media_type(request.headers()).as_str()) {
        let detail = "send JSON, with `content-type: application/scim+json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    to_bytes(request.into_body(), limit).await.map_err(|error| {
        let detail = format!("the body is larger than {limit} bytes, or could not be read to its end");
        tracing::debug!(%error, "a SCIM body was not read");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })
}

/// A query string.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Scim> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Scim) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let detail = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            Problem::invalid_value(detail)
        })
    }
}

/// The id in a path. One that is not an id of its kind is simply not there.
pub(crate) struct PathId<T>(pub T);

impl<T: FromStr> FromRequestParts<Scim> for PathId<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, scim: &Scim) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, scim).await;
        let id = path.ok().and_then(|Path(id)| id.parse().ok());
        id.map(Self).ok_or_else(|| Problem::not_found("resource"))
    }
}

/// The object that a body holds.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::invalid_syntax("the body is a JSON object: `{…}`")),
        Err(error) => Err(Problem::invalid_syntax(format!("the body is not JSON: {error}"))),
    }
}
