use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use crate::{Error, Result};

/// An answer that carries the tag of what it shows, for `If-Match` on the next write.
pub struct Etag<T>(pub T);

impl<T: Serialize> Etag<T> {
    /// Whether a write may go on: it may unless it names a tag in `If-Match` that is not that of
    /// what is there now (RFC 9110 §13.1.1).
    pub fn check(&self, headers: &HeaderMap) -> Result<()> {
        if !headers.contains_key(IF_MATCH) {
            return Ok(());
        }
        let current = self.tag();
        // One that cannot be read fits nothing.
        let mut wanted = headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok());
        if wanted.any(|line| line.split(',').any(|tag| tag.trim() == "*" || tag.trim() == current)) {
            return Ok(());
        }
        let message = "somebody changed it meanwhile; nothing was written: read it again, then repeat the change";
        Err(Error::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", message))
    }

    /// The tag as a header, for an answer that shows more than what it tags.
    pub fn header(&self) -> (HeaderName, HeaderValue) {
        (ETAG, HeaderValue::try_from(self.tag()).expect("a tag is plain ASCII"))
    }

    fn tag(&self) -> String {
        let body = serde_json::to_vec(&self.0).expect("an answer turns into JSON");
        let hash = digest(&SHA256, &body);
        format!("\"{}\"", provost_model::hex(&hash.as_ref()[..12]))
    }
}

impl<T: Serialize> IntoResponse for Etag<T> {
    fn into_response(self) -> Response {
        ([self.header()], axum::Json(self.0)).into_response()
    }
}
