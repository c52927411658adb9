//! What an ID token says, and whether it may be believed.

use chrono::DateTime;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, ClaimsVerificationError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    IdTokenFields, Nonce, OAuth2TokenResponse, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, SubjectIdentifier, TokenResponse, UserInfoClaims,
};
use provost_model::Email;
use provost_web::App;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{OidcConfig, provider};
use crate::sso::{Arrival, Refusal};

/// How far clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How many groups of one member are read.
const MAX_GROUPS: usize = 2_000;

/// The claims that the standard does not name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct More {
    #[serde(flatten)]
    claims: Map<String, Value>,
}

impl AdditionalClaims for More {}

type Fields = IdTokenFields<
    More,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
/// What a provider gives for a code.
pub(super) type Tokens = StandardTokenResponse<Fields, CoreTokenType>;
/// The library's client, with our claims.
pub(super) type Client<HasAuthUrl = EndpointSet, HasTokenUrl = EndpointMaybeSet, HasUserInfoUrl = EndpointMaybeSet> =
    openidconnect::Client<
        More,
        CoreAuthDisplay,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJsonWebKey,
        CoreAuthPrompt,
        StandardErrorResponse<CoreErrorResponseType>,
        Tokens,
        CoreTokenIntrospectionResponse,
        CoreRevocableToken,
        CoreRevocationErrorResponse,
        HasAuthUrl,
        EndpointNotSet,
        EndpointNotSet,
        EndpointNotSet,
        HasTokenUrl,
        HasUserInfoUrl,
    >;

/// The claims of an ID token that holds (OpenID Connect Core §3.1.3.7): signed with a key of the
/// provider by an algorithm with two keys, for us, now, and for this sign-in.
pub(super) fn said(
    client: &Client,
    tokens: &Tokens,
    nonce: &str,
    now: Timestamp,
) -> Result<Map<String, Value>, Refusal> {
    use CoreJwsSigningAlgorithm::*;
    let Some(token) = tokens.id_token() else {
        return Err(Refusal::provider("no_id_token", "The identity provider sent no ID token."));
    };
    // The library tells time with chrono.
    let time = |at: Timestamp| DateTime::from_timestamp(at.as_second(), 0).unwrap_or_default();
    let (earliest, latest) = (time(now - SKEW), time(now + SKEW));
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs([
            RsaSsaPkcs1V15Sha256,
            RsaSsaPkcs1V15Sha384,
            RsaSsaPkcs1V15Sha512,
            RsaSsaPssSha256,
            RsaSsaPssSha384,
            RsaSsaPssSha512,
            EcdsaP256Sha256,
            EcdsaP384Sha384,
            EdDsa,
        ])
        .set_time_fn(move || earliest)
        .set_issue_time_verifier_fn(
            move |at| {
                if at <= latest { Ok(()) } else { Err("it is from the future".to_owned()) }
            },
        );
    let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned())).map_err(|error| refusal(&error))?;
    match serde_json::to_value(claims) {
        Ok(Value::Object(claims)) => Ok(claims),
        _ => Err(Refusal::provider("unreadable_id_token", "The identity provider's ID token cannot be read.")),
    }
}

fn refusal(error: &ClaimsVerificationError) -> Refusal {
    use ClaimsVerificationError::*;
    let (reason, what) = match error {
        Expired(_) => ("expired", "it has expired (are the clocks right?)"),
        InvalidAudience(_) => ("wrong_audience", "it is for another program"),
        InvalidIssuer(_) => ("wrong_issuer", "it is of another issuer"),
        InvalidNonce(_) => ("wrong_nonce", "it is of another sign-in"),
        SignatureVerification(SignatureVerificationError::NoMatchingKey) => ("unknown_key", "its key is not known"),
        SignatureVerification(_) => ("bad_signature", "its signature does not hold"),
        _ => ("bad_id_token", "it does not hold"),
    };
    Refusal::bad(reason, format!("The identity provider's ID token was not taken: {what}. Sign in again."))
}

/// Reads what the connection wants to know, from the ID token or, what is not there, from the
/// provider's userinfo.
pub(super) async fn read(
    app: &App,
    config: &OidcConfig,
    client: &Client,
    tokens: &Tokens,
    mut claims: Map<String, Value>,
) -> Result<Arrival, Refusal> {
    let names = &config.claims;
    let wanted = [Some(&names.subject), Some(&names.email), names.groups.as_ref()];
    if wanted.into_iter().flatten().any(|name| !claims.contains_key(name)) {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (name, value) in userinfo(app, client, tokens, subject).await? {
            claims.entry(name).or_insert(value);
        }
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let email = text(&names.email).and_then(|text| Email::try_from(text).ok());
    // Where a provider says that it has not checked the address, it is anybody's.
    let email_verified = claims.get("email_verified").and_then(Value::as_bool).unwrap_or(true);
    let groups = names.groups.as_ref().and_then(|name| claims.get(name)).map(|value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).take(MAX_GROUPS).map(str::to_owned).collect(),
        Value::String(one) => vec![one.clone()],
        _ => Vec::new(),
    });
    let subject = text(&names.subject).unwrap_or_default();
    Ok(Arrival { subject, email, email_verified, name: text(&names.name), groups })
}

/// What the provider's userinfo says; nothing, if it has none.
async fn userinfo(app: &App, client: &Client, tokens: &Tokens, subject: String) -> Result<Map<String, Value>, Refusal> {
    let subject = Some(SubjectIdentifier::new(subject));
    let Ok(request) = client.user_info(tokens.access_token().clone(), subject) else { return Ok(Map::new()) };
    let found: Result<UserInfoClaims<More, CoreGenderClaim>, _> =
        request.request_async(&provider::Http(app.clone())).await;
    let found = found.ok().and_then(|claims| serde_json::to_value(claims).ok());
    match found {
        Some(Value::Object(claims)) => Ok(claims),
        _ => Err(Refusal::provider("no_userinfo", "The identity provider did not say who you are (userinfo).")),
    }
}
