use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use provost_web::{App, media_type};
use serde::de::DeserializeOwned;

use super::error::OAuthError;

/// A body of the issuer's endpoints: a form (RFC 6749), or JSON, which Codex clients send to refresh
/// and revoke. Unknown parameters are ignored, as RFC 6749 §3.2 asks.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Parameters<T> {
    type Rejection = OAuthError;

    async fn from_request(request: Request, app: &App) -> Result<Self, OAuthError> {
        let kind = media_type(request.headers());
        let bytes = Bytes::from_request(request, app).await.map_err(|rejection| {
            OAuthError::new(rejection.status(), "invalid_request", "the body could not be read, or is too large")
        })?;
        let parameters = match kind.as_str() {
            "application/json" => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            "application/x-www-form-urlencoded" => {
                serde_urlencoded::from_bytes(&bytes).map_err(|error| error.to_string())
            }
            _ => {
                let description = "send a form (application/x-www-form-urlencoded) or JSON (application/json)";
                return Err(OAuthError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", description));
            }
        };
        parameters.map(Self).map_err(OAuthError::invalid_request)
    }
}
