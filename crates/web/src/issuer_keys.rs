//! The keys of others who sign tokens: found through OpenID Connect Discovery, kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::App;
use crate::fetch::{FetchError, fetch};

/// How long keys count without being asked for again.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(5);
/// How long keys count while their issuer does not answer.
const STALE_FOR: SignedDuration = SignedDuration::from_mins(60);
/// How often an issuer is asked at most, whatever tokens name.
const ASK_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// Past so many issuers the keys of all are forgotten: admins name issuers, and few of them.
const MAX_ISSUERS: usize = 1_000;
/// Past so many keys the rest of a set is left out.
const MAX_KEYS: usize = 100;
/// What a token may be signed with: public-key signatures only, so that nobody signs with a key that
/// is public, nor with none (RFC 8725 §3.1).
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Why a token of an issuer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Its keys cannot be had.
    #[error("the issuer's discovery document or its keys cannot be had: {0}")]
    Unavailable(#[from] FetchError),
    /// What it serves is not what an issuer serves.
    #[error("the issuer's discovery does not hold: {0}")]
    NotAnIssuer(&'static str),
    /// Signed with something that is not taken.
    #[error("the token is no JWT, or is signed with an algorithm that is not taken (RS256, PS256, ES256, EdDSA are)")]
    Algorithm,
    /// Signed with a key that the issuer does not publish.
    #[error("the token is signed with a key that the issuer does not publish")]
    UnknownKey,
    /// Not signed by it.
    #[error("the signature of the token does not hold")]
    Signature,
}

/// The keys of issuers, by issuer.
#[derive(Default)]
pub struct IssuerKeys {
    issuers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Known>>>>,
}

/// What is known of an issuer. Whoever asks holds it, so that a crowd asks once.
#[derive(Default)]
struct Known {
    keys: Option<(KeySet, Timestamp)>,
    asked_at: Option<Timestamp>,
    failed: Option<IssuerError>,
}

/// The keys that an issuer publishes.
type KeySet = Arc<[(Option<String>, Jwk)]>;

impl IssuerKeys {
    /// Whether an issuer serves discovery and keys, as an admin who names it is told.
    pub async fn check_issuer(&self, app: &App, issuer: &str) -> Result<(), IssuerError> {
        load(app, issuer).await.map(|_| ())
    }

    /// The claims of a token whose signature is by a key of this issuer. Nothing else of it has been
    /// checked: not for whom it is, nor whether it lives.
    pub async fn check_signature(&self, app: &App, issuer: &str, token: &str) -> Result<Value, IssuerError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| IssuerError::Algorithm)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(IssuerError::Algorithm);
        }
        let keys = self.keys(app, issuer, header.kid.as_deref()).await?;
        let (_, jwk) = find(&keys, header.kid.as_deref()).ok_or(IssuerError::UnknownKey)?;
        // A key that says what it is for is for nothing else.
        let is_for_this = |name: String| format!("{:?}", header.alg).eq_ignore_ascii_case(&name);
        if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature)
            || jwk.common.key_algorithm.is_some_and(|algorithm| !is_for_this(algorithm.to_string()))
        {
            return Err(IssuerError::UnknownKey);
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|_| IssuerError::UnknownKey)?;
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let data = jsonwebtoken::decode::<Value>(token, &key, &validation).map_err(|_| IssuerError::Signature)?;
        Ok(data.claims)
    }

    async fn keys(&self, app: &App, issuer: &str, kid: Option<&str>) -> Result<KeySet, IssuerError> {
        let known = {
            let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
            if issuers.len() >= MAX_ISSUERS && !issuers.contains_key(issuer) {
                issuers.clear();
            }
            issuers.entry(issuer.to_owned()).or_default().clone()
        };
        let mut known = known.lock().await;
        let now = app.store.clock().now();
        let age = |at: Timestamp| now.duration_since(at);
        if let Some((keys, at)) = &known.keys
            && age(*at) < FRESH_FOR
            && find(keys, kid).is_some()
        {
            return Ok(keys.clone());
        }
        if known.asked_at.is_none_or(|at| age(at) >= ASK_EVERY) {
            known.asked_at = Some(now);
            match load(app, issuer).await {
                Ok(keys) => (known.keys, known.failed) = (Some((keys, now)), None),
                Err(error) => {
                    tracing::warn!(issuer, %error, "the keys of an issuer cannot be had");
                    known.failed = Some(error);
                }
            }
        }
        match &known.keys {
            Some((keys, at)) if age(*at) < STALE_FOR => Ok(keys.clone()),
            _ => Err(known.failed.clone().unwrap_or(IssuerError::UnknownKey)),
        }
    }
}

/// The key that a token names; without a name, the only one there is.
fn find<'a>(keys: &'a KeySet, kid: Option<&str>) -> Option<&'a (Option<String>, Jwk)> {
    match kid {
        Some(kid) => keys.iter().find(|(name, _)| name.as_deref() == Some(kid)),
        None => Some(keys).filter(|keys| keys.len() == 1).and_then(|keys| keys.first()),
    }
}

/// Reads the discovery document (OpenID Connect Discovery 1.0 §4) and the keys that it points to.
async fn load(app: &App, issuer: &str) -> Result<KeySet, IssuerError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document: Value = get(app, &url).await?;
    if document["issuer"].as_str() != Some(issuer) {
        return Err(IssuerError::NotAnIssuer("its document names another `issuer`"));
    }
    let jwks_uri = document["jwks_uri"].as_str().ok_or(IssuerError::NotAnIssuer("it has no `jwks_uri`"))?;
    let set = get(app, jwks_uri).await?;
    let keys = set["keys"].as_array().ok_or(IssuerError::NotAnIssuer("its key set has no `keys`"))?;
    // A key of a kind that is not known here is no reason to know none.
    let known = keys.iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    let keys: KeySet = known.map(|jwk| (jwk.common.key_id.clone(), jwk)).collect();
    if keys.is_empty() {
        return Err(IssuerError::NotAnIssuer("its key set holds no key that can be used"));
    }
    Ok(keys)
}

async fn get(app: &App, url: &str) -> Result<Value, IssuerError> {
    let bytes = fetch(&app.http, app.upstream_addresses, url).await?;
    serde_json::from_slice(&bytes).map_err(|_| IssuerError::NotAnIssuer("it answers something else than JSON"))
}
