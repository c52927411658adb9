//! `/sign-in/sso/{connection_id}`: off to the identity provider. It is also where a provider sends a
//! member who starts there (OpenID Connect Core §4, *initiate login URI*).

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use provost_model::{ConnectionId, Protocol};
use provost_store::tables::connections;
use provost_web::{App, PathId, Query, Result};
use serde::Deserialize;

use super::{count_step, oidc, page, refuse, saml};
use crate::pages::safe_next;

/// What a browser brings along. Whatever else a provider adds is ignored.
#[derive(Deserialize)]
pub(crate) struct Request {
    next: Option<String>,
    login_hint: Option<String>,
}

pub(crate) async fn begin(
    State(app): State<App>,
    Extension(providers): Extension<oidc::Providers>,
    PathId(id): PathId<ConnectionId>,
    parts: Parts,
    Query(request): Query<Request>,
) -> Result<Response> {
    // Each sign-in is remembered until it is answered, and may ask the provider what it is.
    count_step(&app, &parts, "begin")?;
    let connection = connections::find(&mut app.store.read().await?, id).await?;
    let Some(connection) = connection.filter(|connection| connection.enabled) else {
        return Ok(page("There is no such way of signing in.", StatusCode::NOT_FOUND));
    };
    let next = safe_next(request.next.as_deref());
    let begun = match connection.protocol {
        Protocol::Oidc => {
            let hint = request.login_hint.as_deref();
            oidc::begin(&app, &parts, &providers, &connection, next, hint).await?
        }
        Protocol::Saml => return saml::begin(&app, &parts, &connection, next).await,
    };
    Ok(begun.unwrap_or_else(|refusal| refuse(&app, &parts, &connection, &refusal)))
}
