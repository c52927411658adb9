//! Errors in the shapes of the hosted product, which its tools know.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

/// What a tool is refused with: a status, and `detail`.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    detail: Value,
    retry_after: Option<u64>,
}

pub(super) type Result<T> = std::result::Result<T, Refusal>;

impl Refusal {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: Value::String(detail.into()), retry_after: None }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    pub(super) fn too_many(retry_after: u64) -> Self {
        let detail = format!("Rate limit exceeded: try again in {retry_after} seconds");
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// 422, of one parameter of the query.
    pub(super) fn parameter(name: &str, kind: &str, msg: &str, input: Option<&str>) -> Self {
        let detail = json!([{ "type": kind, "loc": ["query", name], "msg": msg, "input": input }]);
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail, retry_after: None }
    }
}

impl From<provost_store::Error> for Refusal {
    fn from(error: provost_store::Error) -> Self {
        provost_web::Error::from(error).into()
    }
}

impl From<provost_web::Error> for Refusal {
    fn from(error: provost_web::Error) -> Self {
        let retry_after = (error.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
        Self { retry_after, ..Self::new(error.status(), error.message()) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(json!({ "detail": self.detail }))).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
        }
        response
    }
}
