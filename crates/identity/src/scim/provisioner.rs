use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use provost_model::{ApiKey, Scope};
use provost_web::{Caller, Principal};
use serde_json::json;

use super::Scim;
use super::problem::Problem;

/// Proof that the caller may provision: an API key with the scope `scim`, of the workspace that it
/// keeps. No member's session, and no other scope, will do.
pub(crate) struct Provisioner {
    caller: Caller,
    key: Arc<ApiKey>,
}

impl Provisioner {
    /// The key that it came with.
    pub(crate) fn key(&self) -> &Arc<ApiKey> {
        &self.key
    }
}

impl Deref for Provisioner {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl FromRequestParts<Scim> for Provisioner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, scim: &Scim) -> Result<Self, Problem> {
        let detail = "send an API key with the scope `scim` as a bearer token";
        let nobody = || Problem::new(StatusCode::UNAUTHORIZED, detail);
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Err(nobody());
        }
        let caller = Caller::resolve(scim, parts).await?;
        let Principal::ApiKey(key) = &caller.principal else { return Err(nobody()) };
        if !key.scopes.contains(&Scope::Scim) {
            let details = json!({ "scope": Scope::Scim, "method": parts.method.as_str(), "path": parts.uri.path() });
            caller.record_refusal(scim, details);
            return Err(Problem::new(StatusCode::FORBIDDEN, "this API key has not the scope `scim`"));
        }
        let key = key.clone();
        Ok(Self { caller, key })
    }
}
