use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use provost_model::Permission;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The one error of the HTTP surfaces: a status, a code for programs, a sentence for people that
/// says the way out.
#[derive(Debug, Clone)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<String>,
    details: Option<Value>,
    retry_after: Option<u64>,
}

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How an error looks on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorContent,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorContent {
    /// For programs.
    pub code: String,
    /// For people: what is wrong and the way out.
    pub message: String,
    /// Which field of the body or query is at fault, as a dotted path.
    pub field: Option<String>,
    /// More, by code.
    pub details: Option<Value>,
    /// Names the request in the logs and events.
    pub request_id: Option<String>,
}

impl Error {
    /// Any error.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None, details: None, retry_after: None }
    }

    /// 400: what was sent cannot be read.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: nobody, or nobody known.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 403: somebody, who may not.
    pub fn forbidden(permission: Permission) -> Self {
        let message = format!("this needs the permission `{permission}`: ask an owner of the workspace for a role");
        let details = serde_json::json!({ "permission": permission });
        Self::new(StatusCode::FORBIDDEN, "forbidden", message).with_details(details)
    }

    /// 403: the credential does not work from this address.
    pub fn address_not_allowed(ip: Option<&str>) -> Self {
        let message = format!(
            "this credential does not work from {}: use it from one of its networks, or have `allowed_ips` changed",
            ip.unwrap_or("an unknown address")
        );
        Self::new(StatusCode::FORBIDDEN, "address_not_allowed", message)
    }

    /// 404: not there, or not for this caller.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// 409: it conflicts with what is there.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 422: it can be read, but cannot be.
    pub fn invalid(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message).with_field(field)
    }

    /// 429: too often; come back in so many seconds.
    pub fn too_many(message: impl Into<String>, retry_after: u64) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        Self { retry_after: Some(retry_after), ..error }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn with_field(self, field: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// Adds details.
    #[must_use]
    pub fn with_details(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// The field at fault, if it is one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says to people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What it says to programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Its body.
    pub(crate) fn body(&self, request_id: Option<String>) -> ErrorBody {
        let Self { code, message, field, details, .. } = self.clone();
        ErrorBody { error: ErrorContent { code: code.to_owned(), message, field, details, request_id } }
    }
}

impl IntoResponse for Error {
    /// The body is written by [`crate::door`], which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<provost_store::Error> for Error {
    fn from(error: provost_store::Error) -> Self {
        match error {
            provost_store::Error::Conflict(constraint) => {
                let message = "something with that name exists already: choose another";
                let error = Self::conflict("already_exists", message);
                if constraint.contains("name_key") { error.with_field("name") } else { error }
            }
            provost_store::Error::Unavailable(reason) => {
                tracing::error!(reason, "the database does not answer");
                let message = "the database does not answer; nothing was written: try again in a moment (/readyz says since when)";
                let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", message);
                Self { retry_after: Some(2), ..error }
            }
            provost_store::Error::Refused(why) => Self::conflict("not_now", why),
            provost_store::Error::MasterKey(reason) => {
                tracing::error!(reason, "the master key cannot be used");
                let message = "the master key cannot be used now; nothing was written: the logs have the reason";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "master_key_unavailable", message)
            }
            provost_store::Error::Busy => {
                let message = "too many changes wait to be written; nothing was written: try again in a moment";
                let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
                Self { retry_after: Some(1), ..error }
            }
            other => {
                tracing::error!(error = %other, "internal error");
                let message =
                    "something went wrong here; nothing was written. The logs have the reason under the request's id";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            }
        }
    }
}
