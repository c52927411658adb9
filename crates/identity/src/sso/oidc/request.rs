//! The first half of a sign-in: off to the provider.

use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::request::Parts;
use jiff::SignedDuration;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient};
use openidconnect::{ClientId, CsrfToken, Nonce, PkceCodeChallenge, RedirectUrl, Scope};
use provost_store::tables::connections::ConnectionRow;
use provost_store::tables::oidc_sign_ins::{self, OidcSignInRow};
use provost_web::{App, Error, Result, Secret, hash_secret};

use super::{OidcConfig, Providers, redirect_uri};
use crate::sso::{self, Refusal, browser};

/// How long a member has at the provider.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Sends a browser to the provider. What must come back is kept here, the browser only has a cookie
/// that says that it is the one.
pub(crate) async fn begin(
    app: &App,
    parts: &Parts,
    providers: &Providers,
    connection: &ConnectionRow,
    next: &str,
    login_hint: Option<&str>,
) -> Result<std::result::Result<Response, Refusal>> {
    let config = config(connection)?;
    let metadata = match providers.get(app, &config.issuer).await {
        Ok(metadata) => metadata,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let now = app.store.clock().now();
    let (state, nonce) = (Secret::new(""), Secret::new("").text);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (browser_secret, cookie) = browser::cookie(parts, LIFETIME);
    let row = OidcSignInRow {
        workspace_id: connection.workspace_id,
        connection_id: connection.id,
        browser: hash_secret(&browser_secret),
        nonce: nonce.clone(),
        verifier: verifier.secret().clone(),
        next: next.to_owned(),
        expires_at: now + LIFETIME,
    };
    let mut tx = app.store.write().await?;
    oidc_sign_ins::delete_expired(&mut tx, now).await?;
    if oidc_sign_ins::count(&mut tx).await? >= sso::MAX_WAITING {
        return Err(Error::too_many("too many sign-ins wait: try again in some minutes", 60));
    }
    oidc_sign_ins::insert(&mut tx, &state.hash, &row, now).await?;
    tx.commit().await?;
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(config.client_id), None)
        .set_redirect_uri(own_address(app)?);
    let (state, nonce) = (CsrfToken::new(state.text), Nonce::new(nonce));
    let request = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
        .add_scopes(config.scopes.into_iter().map(Scope::new))
        .set_pkce_challenge(challenge);
    let hint = login_hint.filter(|hint| hint.len() <= 254);
    let request = match hint {
        Some(hint) => request.set_login_hint(openidconnect::LoginHint::new(hint.to_owned())),
        None => request,
    };
    let (url, _, _) = request.url();
    Ok(Ok(([(SET_COOKIE, cookie)], Redirect::to(url.as_str())).into_response()))
}

/// The configuration of a connection, as it was checked when it was set.
pub(super) fn config(connection: &ConnectionRow) -> Result<OidcConfig> {
    let config = serde_json::from_value(connection.config.clone());
    config.map_err(|error| provost_store::Error::Corrupt("connection", error.to_string()).into())
}

pub(super) fn own_address(app: &App) -> Result<RedirectUrl> {
    let address = RedirectUrl::new(redirect_uri(&app.public_url));
    address.map_err(|error| provost_store::Error::Corrupt("public URL", error.to_string()).into())
}
