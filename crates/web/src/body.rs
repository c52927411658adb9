//! What requests carry: bodies, queries, ids in paths; each with an error that names what is wrong.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{App, Error};

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let kind = media_type(request.headers());
        if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
            let message = "send JSON, with `content-type: application/json`";
            return Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        let bytes = Bytes::from_request(request, app).await.map_err(|rejection| too_large(&rejection))?;
        parse(&bytes).map(Self)
    }
}

/// What a body is, of its `content-type`: in lower case, without parameters; empty if it does not say.
pub fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn too_large(rejection: &BytesRejection) -> Error {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than the limit");
    }
    Error::bad_request("body_unreadable", "the body could not be read to its end")
}

/// Reads JSON; an error says where.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // A list would be read as an object's fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(not_an_object());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                // serde's sentence ends with a place in the text, which says less than the field.
                let message = inner.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                match field(&path, message) {
                    Some(field) => Error::invalid(field, "invalid_field", in_plain_words(message)),
                    None => not_an_object(),
                }
            }
            _ => Error::bad_request("malformed_json", format!("the body is not JSON: {inner}")),
        }
    })?;
    deserializer
        .end()
        .map_err(|error| Error::bad_request("malformed_json", format!("the body is not JSON: {error}")))?;
    Ok(parsed)
}

fn not_an_object() -> Error {
    Error::new(StatusCode::UNPROCESSABLE_ENTITY, "not_an_object", "the body is a JSON object: `{…}`")
}

/// The field at fault; none if it is the body as a whole.
fn field(path: &str, message: &str) -> Option<String> {
    let path = Some(path).filter(|path| *path != ".");
    match (path, unknown_field(message)) {
        (None, leaf) => leaf,
        // The path leads to the field itself, or to the object that it is missing in.
        (Some(path), Some(leaf)) if path != leaf && !path.ends_with(&format!(".{leaf}")) => {
            Some(format!("{path}.{leaf}"))
        }
        (Some(path), _) => Some(path.to_owned()),
    }
}

/// serde speaks of Rust's types.
fn in_plain_words(message: &str) -> String {
    message.replace("expected u32", "expected a whole number, zero or more").replace("a sequence", "a list")
}

/// The name in serde's "unknown field `x`, expected …".
fn unknown_field(message: &str) -> Option<String> {
    let prefixes = ["unknown field `", "missing field `", "duplicate field `"];
    let rest = prefixes.iter().find_map(|prefix| message.strip_prefix(prefix))?;
    rest.split('`').next().map(str::to_owned)
}

/// A query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        let query = query.map_err(|rejection| {
            let message = rejection.body_text();
            let message = message.strip_prefix("Failed to deserialize query string: ").unwrap_or(&message).to_owned();
            let field = unknown_field(&message).or_else(|| message.split(':').next().map(str::to_owned));
            Error::invalid(field.unwrap_or_default(), "invalid_query", message)
        })?;
        Ok(Self(query.0))
    }
}

/// The id in a path. One that is not an id of its kind is simply not there: 404.
pub struct PathId<T>(pub T);

impl<T: FromStr> FromRequestParts<App> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let Path(id) = path.map_err(|_| Error::not_found("thing"))?;
        id.parse().map(Self).map_err(|_| Error::not_found("thing"))
    }
}

/// The two ids in a path.
pub struct PathIds<A, B>(pub A, pub B);

impl<A: FromStr, B: FromStr> FromRequestParts<App> for PathIds<A, B> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let path = Path::<(String, String)>::from_request_parts(parts, app).await;
        let Path((a, b)) = path.map_err(|_| Error::not_found("thing"))?;
        let (Ok(a), Ok(b)) = (a.parse(), b.parse()) else { return Err(Error::not_found("thing")) };
        Ok(Self(a, b))
    }
}

/// For a PATCH: absent leaves a field as it is, null clears it.
pub fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// For a PATCH: a field that may be absent, and is never null.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A name that people read: trimmed, not empty, at most so many characters, none of them a control
/// character.
pub fn name(field: &str, text: &str, max_chars: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid(field, "empty", format!("`{field}` must not be empty")));
    }
    optional_text(field, text, max_chars)
}

/// A text that may be empty.
pub fn optional_text(field: &str, text: &str, max_chars: usize) -> Result<String, Error> {
    let text = text.trim();
    if text.chars().count() > max_chars {
        let message = format!("`{field}` is longer than {max_chars} characters");
        return Err(Error::invalid(field, "too_long", message));
    }
    if text.chars().any(char::is_control) {
        let message = format!("`{field}` holds a control character (a line break or the like): remove it");
        return Err(Error::invalid(field, "control_character", message));
    }
    Ok(text.to_owned())
}
