//! What describes this surface (RFC 7644 §4): `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas`.

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use provost_model::scim;

use super::Scim;
use super::answer::scim_json;
use super::body::PathId;
use super::problem::Problem;
use super::provisioner::Provisioner;

/// What is supported.
pub(crate) async fn service_provider_config(_: Provisioner, State(state): State<Scim>) -> Response {
    scim_json(StatusCode::OK, &scim::service_provider_config(&state.base()))
}

/// The kinds of resources.
pub(crate) async fn resource_types(_: Provisioner, State(state): State<Scim>, uri: Uri) -> Result<Response, Problem> {
    refuse_filter(&uri)?;
    Ok(scim_json(StatusCode::OK, &scim::resource_types(&state.base())))
}

/// One kind of resources.
pub(crate) async fn resource_type(
    _: Provisioner,
    State(state): State<Scim>,
    PathId(name): PathId<String>,
) -> Result<Response, Problem> {
    let found = scim::resource_type(&state.base(), &name).ok_or_else(|| Problem::not_found("resource type"))?;
    Ok(scim_json(StatusCode::OK, &found))
}

/// The schemas.
pub(crate) async fn schemas(_: Provisioner, State(state): State<Scim>, uri: Uri) -> Result<Response, Problem> {
    refuse_filter(&uri)?;
    Ok(scim_json(StatusCode::OK, &scim::schemas(&state.base())))
}

/// One schema.
pub(crate) async fn schema(
    _: Provisioner,
    State(state): State<Scim>,
    PathId(id): PathId<String>,
) -> Result<Response, Problem> {
    let found = scim::schema(&state.base(), &id).ok_or_else(|| Problem::not_found("schema"))?;
    Ok(scim_json(StatusCode::OK, &found))
}

/// `/Me`: an API key is nobody's own.
pub(crate) async fn me(_: Provisioner) -> Problem {
    Problem::new(StatusCode::NOT_IMPLEMENTED, "an API key is no user, so there is no `/Me` for it")
}

/// RFC 7644 §4: a filter here is answered 403, so that nobody believes that they saw everything.
fn refuse_filter(uri: &Uri) -> Result<(), Problem> {
    let pairs = uri.query().unwrap_or_default().split('&');
    if pairs.filter_map(|pair| pair.split('=').next()).any(|name| name.eq_ignore_ascii_case("filter")) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this list takes no filter: it is always shown whole"));
    }
    Ok(())
}
