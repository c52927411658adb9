//! What goes wrong, in SCIM's shape (RFC 7644 §3.12).

use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use provost_model::scim::{ScimError, ScimType};
use serde_json::{Value, json};

use super::answer::scim_json;

/// An error of this surface.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    /// One of RFC 7644's table 9, where it has one for it.
    scim_type: Option<&'static str>,
    detail: String,
    /// In seconds.
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), retry_after: None }
    }

    fn typed(status: StatusCode, scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self { scim_type: Some(scim_type), ..Self::new(status, detail) }
    }

    /// 404: not there, or not for this key.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// 409: somebody else has it.
    pub(crate) fn taken(detail: impl Into<String>) -> Self {
        Self::typed(StatusCode::CONFLICT, "uniqueness", detail)
    }

    /// 409: it cannot be now.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 400: what was sent cannot be read.
    pub(crate) fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::typed(StatusCode::BAD_REQUEST, "invalidSyntax", detail)
    }

    /// 400: a value that cannot be.
    pub(crate) fn invalid_value(detail: impl Into<String>) -> Self {
        Self::typed(StatusCode::BAD_REQUEST, "invalidValue", detail)
    }

    /// 400: more would have to be looked at than one request may cost.
    pub(crate) fn too_many(detail: impl Into<String>) -> Self {
        Self::typed(StatusCode::BAD_REQUEST, "tooMany", detail)
    }

    /// 412: somebody changed it meanwhile.
    pub(crate) fn changed_meanwhile() -> Self {
        let detail = "somebody changed it meanwhile; nothing was written: read it again, then repeat the change";
        Self::new(StatusCode::PRECONDITION_FAILED, detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Its body.
    pub(crate) fn body(&self) -> Value {
        let mut body =
            json!({ "schemas": [ScimError::SCHEMA], "status": self.status.as_str(), "detail": self.detail.as_str() });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.into();
        }
        body
    }
}

impl From<ScimError> for Problem {
    fn from(error: ScimError) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { scim_type: error.scim_type.map(ScimType::as_str), ..Self::new(status, error.detail) }
    }
}

impl From<provost_web::Error> for Problem {
    fn from(error: provost_web::Error) -> Self {
        let retry_after = (error.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
        Self { retry_after, ..Self::new(error.status(), error.message()) }
    }
}

impl From<provost_store::Error> for Problem {
    fn from(error: provost_store::Error) -> Self {
        match error {
            // What was checked came to be meanwhile.
            provost_store::Error::Conflict(_) => Self::taken("somebody else has that name or address already"),
            other => provost_web::Error::from(other).into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = scim_json(self.status, &self.body());
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// No such address.
pub(crate) async fn no_such_address() -> Problem {
    Problem::not_found("address")
}

/// The address is there, and takes other methods.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address takes other methods")
}
