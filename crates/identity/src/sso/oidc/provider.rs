//! What a provider says of itself: its addresses and keys, kept for a while.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl, ProviderMetadata,
};
use provost_web::App;
use provost_web::fetch::{self, FetchError};
use serde::{Deserialize, Serialize};

use crate::sso::Refusal;

/// How long what a provider says of itself is kept.
const KEPT: SignedDuration = SignedDuration::from_mins(10);
/// How often it is asked again because a token names a key that is not known: providers change their
/// keys, and strangers make up key ids.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// What a provider says of itself beside what OpenID Connect Discovery knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Beside {
    /// Whether it names itself in its answers (RFC 9207 §3).
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for Beside {}

impl Beside {
    /// Whether an answer that does not name the provider is not the provider's.
    pub(super) fn is_named_in_answers(&self) -> bool {
        self.authorization_response_iss_parameter_supported == Some(true)
    }
}

/// What a provider says of itself.
pub(super) type Metadata = ProviderMetadata<
    Beside,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The providers that are known, by issuer. Cheap to clone; every clone is the same one.
#[derive(Clone, Default)]
pub(crate) struct Providers {
    known: Arc<Mutex<HashMap<String, (Timestamp, Metadata)>>>,
}

impl Providers {
    /// What a provider says of itself, from memory if that is recent enough.
    pub(super) async fn get(&self, app: &App, issuer: &str) -> Result<Metadata, Refusal> {
        self.not_older(app, issuer, KEPT).await
    }

    /// The same after its keys turned out not to be those of a token.
    pub(super) async fn get_again(&self, app: &App, issuer: &str) -> Result<Metadata, Refusal> {
        self.not_older(app, issuer, ASKED_AGAIN).await
    }

    async fn not_older(&self, app: &App, issuer: &str, than: SignedDuration) -> Result<Metadata, Refusal> {
        let now = app.store.clock().now();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        if let Some((at, metadata)) = &known
            && now.duration_since(*at) < than
        {
            return Ok(metadata.clone());
        }
        let metadata = discover(app, issuer).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= 1_000 {
            known.retain(|_, (at, _)| now.duration_since(*at) < KEPT);
        }
        known.insert(issuer.to_owned(), (now, metadata.clone()));
        Ok(metadata)
    }
}

/// Asks a provider what it is. That it names itself as it is called is checked on the way.
pub(super) async fn discover(app: &App, issuer: &str) -> Result<Metadata, Refusal> {
    let url = IssuerUrl::new(issuer.to_owned())
        .map_err(|_| Refusal::provider("provider_misconfigured", "The identity provider's address is no URL."))?;
    let found = Metadata::discover_async(url, &Http(app.clone())).await;
    found.map_err(|error| match error {
        DiscoveryError::Request(FetchError::Refused(why)) => Refusal::provider(
            "provider_misconfigured",
            format!("The identity provider's address may not be called: {why}."),
        ),
        DiscoveryError::Request(error) => unreachable(&error),
        DiscoveryError::Response(status, _, _) => {
            let message = format!("The identity provider did not describe itself: it answered {}.", status.as_u16());
            Refusal::provider("provider_misconfigured", message)
        }
        DiscoveryError::Validation(_) => {
            let message = "The identity provider names another issuer than the one that is set here.";
            Refusal::provider("provider_misconfigured", message)
        }
        _ => {
            Refusal::provider("provider_misconfigured", "The identity provider's description of itself cannot be read.")
        }
    })
}

pub(super) fn unreachable(error: &FetchError) -> Refusal {
    let message = format!(
        "The identity provider cannot be reached ({error}). Try again in a minute; if it stays so, an owner can \
         sign in with a password."
    );
    Refusal::provider("provider_unreachable", message)
}

/// Sends the library's requests, within our limits.
pub(super) struct Http(pub(super) App);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let app = self.0.clone();
        Box::pin(async move {
            let answer = fetch::call(&app.http, app.upstream_addresses, request).await?;
            Ok(answer.map(Into::into))
        })
    }
}
