use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use serde_json::json;

/// An error of the token and revocation endpoints (RFC 6749 §5.2).
#[derive(Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: String,
    /// What Codex clients look at when a refresh fails (`client-contract.md` §1.5).
    code: Option<&'static str>,
}

impl OAuthError {
    pub(crate) fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { status, error, description: description.into(), code: None }
    }

    /// 400: something is missing or malformed.
    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// 400: the code is not good (any more).
    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    /// 403: the member may not. Clients show the description to the developer.
    pub(crate) fn access_denied(description: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "access_denied", description)
    }

    /// 401: the refresh token is not good (any more). Clients know these codes and tell the
    /// developer to sign in again; a 400 would make older ones retry for a quarter of a minute.
    pub(crate) fn refresh(code: &'static str, description: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(StatusCode::UNAUTHORIZED, "invalid_grant", description) }
    }
}

impl From<provost_store::Error> for OAuthError {
    fn from(error: provost_store::Error) -> Self {
        let error = provost_web::Error::from(error);
        // Clients take a 5xx for transient and try again.
        Self::new(error.status(), "temporarily_unavailable", error.message())
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        // A refresh is told by an object that holds a code, everything else by RFC 6749's string.
        let body = match self.code {
            Some(code) => json!({ "error": { "code": code, "message": self.description } }),
            None => json!({ "error": self.error, "error_description": self.description }),
        };
        let mut response = (self.status, [(CACHE_CONTROL, "no-store")], axum::Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, 2.into());
        }
        response
    }
}
