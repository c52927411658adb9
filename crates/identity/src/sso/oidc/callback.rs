//! `GET /sign-in/oidc/callback`: the second half of a sign-in, with what the provider sends back.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use openidconnect::{AuthorizationCode, ClientId, ClientSecret, PkceCodeVerifier, RequestTokenError};
use provost_model::SignInMethod;
use provost_store::tables::connections::{self, ConnectionRow, seal_place};
use provost_store::tables::oidc_sign_ins::{self, OidcSignInRow};
use provost_web::fetch::FetchError;
use provost_web::{App, Query, Result, hash_secret};
use serde::Deserialize;

use super::claims::{Client, Tokens, read, said};
use super::provider::Metadata;
use super::request::{config, own_address};
use super::{OidcConfig, Providers, provider};
use crate::sso::{Arrival, Refusal, arrive, browser, count_step, page, refuse};

/// How long the provider may take for everything that it is asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a provider sends back (OpenID Connect Core §3.1.2.5; `iss`: RFC 9207).
#[derive(Deserialize)]
pub(crate) struct Answer {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

pub(crate) async fn callback(
    State(app): State<App>,
    Extension(providers): Extension<Providers>,
    parts: Parts,
    Query(answer): Query<Answer>,
) -> Result<Response> {
    const LOST: &str = "This sign-in is not known here: it is too old, was used before, or began in another browser.";
    count_step(&app, &parts, "oidc")?;
    let state = answer.state.as_deref().unwrap_or_default();
    let mut tx = app.store.write().await?;
    let begun = oidc_sign_ins::take(&mut tx, &hash_secret(state)).await?;
    tx.commit().await?;
    let now = app.store.clock().now();
    let Some(begun) = begun.filter(|begun| begun.expires_at > now) else {
        return Ok(page(LOST, StatusCode::BAD_REQUEST));
    };
    let connection = connections::find(&mut app.store.read().await?, begun.connection_id).await?;
    let Some(connection) = connection else { return Ok(page(LOST, StatusCode::BAD_REQUEST)) };
    let is_same_browser = browser::read(&parts).is_some_and(|secret| {
        aws_lc_rs::constant_time::verify_slices_are_equal(&hash_secret(secret), &begun.browser).is_ok()
    });
    if !is_same_browser {
        return Ok(refuse(&app, &parts, &connection, &Refusal::bad("another_browser", LOST)));
    }
    let next = begun.next.clone();
    // All that the provider is asked, together: somebody looks at a blank page.
    let asked = tokio::time::timeout(PATIENCE, arrival(&app, &providers, &connection, begun, answer)).await;
    let arrival = asked.unwrap_or_else(|_| Ok(Err(provider::unreachable(&FetchError::Unreachable))))?;
    match arrival {
        Ok(arrival) => arrive(&app, &parts, &connection, arrival, SignInMethod::Oidc, &next).await,
        Err(refusal) => Ok(refuse(&app, &parts, &connection, &refusal)),
    }
}

/// What the provider says, once everything about it holds.
async fn arrival(
    app: &App,
    providers: &Providers,
    connection: &ConnectionRow,
    begun: OidcSignInRow,
    answer: Answer,
) -> Result<std::result::Result<Arrival, Refusal>> {
    let config = config(connection)?;
    if let Some(error) = answer.error {
        let shown: String = error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
        let message = format!("The identity provider did not sign you in ({shown}).");
        return Ok(Err(Refusal::forbidden("refused_by_provider", message)));
    }
    let another =
        || Refusal::bad("another_issuer", "The answer does not come from the identity provider that was asked.");
    if answer.iss.as_ref().is_some_and(|issuer| *issuer != config.issuer) {
        return Ok(Err(another()));
    }
    let Some(code) = answer.code else {
        return Ok(Err(Refusal::bad("no_code", "The identity provider sent no code.")));
    };
    let metadata = match providers.get(app, &config.issuer).await {
        Ok(metadata) => metadata,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if answer.iss.is_none() && metadata.additional_metadata().is_named_in_answers() {
        return Ok(Err(another()));
    }
    let secret = match &connection.secret_sealed {
        Some(sealed) => Some(app.store.unseal(&seal_place(connection.id), sealed).await?),
        None => None,
    };
    let secret = secret.map(|secret| ClientSecret::new(String::from_utf8_lossy(&secret).into_owned()));
    redeem(app, providers, &config, metadata, secret, begun, code).await
}

async fn redeem(
    app: &App,
    providers: &Providers,
    config: &OidcConfig,
    metadata: Metadata,
    secret: Option<ClientSecret>,
    begun: OidcSignInRow,
    code: String,
) -> Result<std::result::Result<Arrival, Refusal>> {
    let redirect = own_address(app)?;
    let client = |metadata: Metadata| {
        Client::from_provider_metadata(metadata, ClientId::new(config.client_id.clone()), secret.clone())
            .set_redirect_uri(redirect.clone())
    };
    let known = client(metadata);
    let Ok(request) = known.exchange_code(AuthorizationCode::new(code)) else {
        let message = "The identity provider has no token endpoint.";
        return Ok(Err(Refusal::provider("provider_misconfigured", message)));
    };
    let request = request.set_pkce_verifier(PkceCodeVerifier::new(begun.verifier));
    let tokens: Tokens = match request.request_async(&provider::Http(app.clone())).await {
        Ok(tokens) => tokens,
        Err(RequestTokenError::Request(error)) => return Ok(Err(provider::unreachable(&error))),
        Err(RequestTokenError::ServerResponse(_)) => {
            let message = "The identity provider did not take the code that it gave: sign in again.";
            return Ok(Err(Refusal::bad("code_refused", message)));
        }
        Err(_) => {
            let message = "The identity provider's answer to the code cannot be read.";
            return Ok(Err(Refusal::provider("provider_misconfigured", message)));
        }
    };
    let now = app.store.clock().now();
    let mut claims = said(&known, &tokens, &begun.nonce, now);
    if matches!(&claims, Err(refusal) if refusal.reason == "unknown_key") {
        // The provider may have changed its keys since we asked.
        claims = match providers.get_again(app, &config.issuer).await {
            Ok(metadata) => said(&client(metadata), &tokens, &begun.nonce, now),
            Err(refusal) => Err(refusal),
        };
    }
    Ok(match claims {
        Ok(claims) => read(app, config, &known, &tokens, claims).await,
        Err(refusal) => Err(refusal),
    })
}
