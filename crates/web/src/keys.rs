//! The keys that sign access tokens: ES256, sealed at rest, renewed every month, published as JWKS.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use provost_model::{GrantId, MemberId, TokenHash, WorkspaceId};
use provost_store::tables::grants::ACCESS_TOKEN_LIFETIME;
use provost_store::tables::signing_keys::{self, SigningKeyRow};
use provost_store::{Error, Result, Store};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::hash_secret;

/// How old a key is when it gets a successor.
const RENEW_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a key counts: what it signed last must have died.
const COUNTS_FOR: SignedDuration = SignedDuration::from_hours(32 * 24);
/// How many checked tokens are remembered.
const REMEMBERED: usize = 50_000;
/// What an access token says it is (RFC 9068 §2.1), so that an id token is never taken for one.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";
/// Whom an access token is for.
const AUDIENCE: &str = "provost";

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The workspace.
    #[serde(rename = "ws")]
    pub workspace_id: WorkspaceId,
    /// The member.
    #[serde(rename = "sub")]
    pub member_id: MemberId,
    /// The client session.
    #[serde(rename = "sid")]
    pub grant_id: GrantId,
    /// When it dies, in seconds since 1970.
    pub exp: i64,
}

/// The signing keys. Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    issuer: String,
    ring: ArcSwap<Ring>,
    loading: Mutex<()>,
    /// Tokens whose signature was checked: a client sends the same one for an hour.
    checked: Cache<TokenHash, AccessClaims>,
}

#[derive(Default)]
struct Ring {
    newest: Option<(String, EncodingKey, Timestamp)>,
    public: HashMap<String, DecodingKey>,
    jwks: Vec<Value>,
    loaded_at: Timestamp,
}

impl Keys {
    /// Reads the keys, and makes the first one if there is none.
    pub async fn open(store: Store, issuer: String) -> Result<Self> {
        let inner =
            Inner { store, issuer, ring: ArcSwap::default(), loading: Mutex::new(()), checked: Cache::new(REMEMBERED) };
        let keys = Self { inner: Arc::new(inner) };
        match keys.inner.store.kept_signing_keys() {
            Some(kept) => keys.take(kept, keys.inner.store.clock().now()).await?,
            None => keys.renew().await?,
        }
        Ok(keys)
    }

    /// Makes a new key if the newest is old. Call it every hour or so.
    pub async fn renew(&self) -> Result<()> {
        let _turn = self.inner.loading.lock().await;
        let now = self.inner.store.clock().now();
        let mut tx = self.inner.store.write().await?;
        let newest = signing_keys::list(&mut tx, now).await?.into_iter().next();
        let is_due = newest.is_none_or(|key| now.duration_since(key.created_at) > RENEW_AFTER);
        if is_due {
            let key = self.make(now)?;
            signing_keys::insert(&mut tx, &key).await?;
            tracing::info!(kid = key.kid, "made a new key for signing tokens");
        }
        signing_keys::delete_retired(&mut tx, now).await?;
        tx.commit().await?;
        if is_due && let Err(error) = self.inner.store.keep_last_good().await {
            tracing::warn!(%error, "the last good snapshot was not written");
        }
        self.load(now).await
    }

    /// The public keys, as `GET /.well-known/jwks.json` answers them (RFC 7517).
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.inner.ring.load().jwks })
    }

    /// Signs an access token. `more` are claims that clients read from it.
    pub fn sign_access_token(&self, claims: AccessClaims, more: &Value) -> Result<String> {
        let mut body = json!({ "iss": self.inner.issuer, "aud": AUDIENCE });
        merge(&mut body, more);
        merge(&mut body, &serde_json::to_value(claims).expect("claims turn into JSON"));
        self.sign(ACCESS_TOKEN_TYPE, &body)
    }

    /// Signs an id token for a client.
    pub fn sign_id_token(&self, client_id: &str, claims: &Value) -> Result<String> {
        let mut body = json!({ "iss": self.inner.issuer, "aud": client_id });
        merge(&mut body, claims);
        self.sign("JWT", &body)
    }

    fn sign(&self, typ: &str, body: &Value) -> Result<String> {
        let ring = self.inner.ring.load();
        let (kid, key, _) = ring.newest.as_ref().ok_or(Error::Unsealable)?;
        let header = Header { kid: Some(kid.clone()), typ: Some(typ.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, body, key).map_err(|error| Error::Database(format!("cannot sign: {error}")))
    }

    /// What an access token says, if it is one of ours and lives. Reads no database, but for a key
    /// that another node has just made.
    pub async fn check_access_token(&self, token: &str) -> Option<AccessClaims> {
        let now = self.inner.store.clock().now();
        let hash = hash_secret(token);
        let claims = match self.inner.checked.get(&hash) {
            Some(claims) => claims,
            None => {
                let claims = self.check_signature(token, now).await?;
                self.inner.checked.insert(hash, claims);
                claims
            }
        };
        (claims.exp > self.inner.store.token_time().as_second()).then_some(claims)
    }

    async fn check_signature(&self, token: &str, now: Timestamp) -> Option<AccessClaims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.alg != Algorithm::ES256 || header.typ.as_deref() != Some(ACCESS_TOKEN_TYPE) {
            return None;
        }
        let kid = header.kid?;
        let mut ring = self.inner.ring.load_full();
        if !ring.public.contains_key(&kid) && now.duration_since(ring.loaded_at) > SignedDuration::from_secs(1) {
            let _turn = self.inner.loading.lock().await;
            self.load(now).await.ok()?;
            ring = self.inner.ring.load_full();
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&self.inner.issuer]);
        // Expiry is checked on every use, on our own clock.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let data = jsonwebtoken::decode::<AccessClaims>(token, ring.public.get(&kid)?, &validation).ok()?;
        Some(data.claims)
    }

    fn make(&self, now: Timestamp) -> Result<SigningKeyRow> {
        let failed = |_| Error::Database("a signing key could not be made".to_owned());
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map_err(failed)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())
            .map_err(|_| Error::Unsealable)?;
        // An uncompressed point: 0x04, then x and y (SEC 1 §2.3.3).
        let point = pair.public_key().as_ref();
        let kid = crate::Secret::new("").text[..16].to_owned();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        });
        Ok(SigningKeyRow {
            sealed: self.inner.store.sealer().seal(&signing_keys::seal_place(&kid), pkcs8.as_ref()),
            public_jwk: jwk.to_string(),
            created_at: now,
            retires_at: now + COUNTS_FOR + ACCESS_TOKEN_LIFETIME,
            kid,
        })
    }

    async fn load(&self, now: Timestamp) -> Result<()> {
        let mut tx = self.inner.store.read().await?;
        self.take(&signing_keys::list(&mut tx, now).await?, now).await
    }

    /// Goes on with these keys, newest first.
    async fn take(&self, rows: &[SigningKeyRow], now: Timestamp) -> Result<()> {
        let mut ring = Ring { loaded_at: now, ..Ring::default() };
        for row in rows {
            let corrupt = |error: &dyn std::fmt::Display| Error::Corrupt("signing key", error.to_string());
            let jwk: Value = serde_json::from_str(&row.public_jwk).map_err(|error| corrupt(&error))?;
            let coordinate = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
            let public = DecodingKey::from_ec_components(&coordinate("x"), &coordinate("y"));
            ring.public.insert(row.kid.clone(), public.map_err(|error| corrupt(&error))?);
            ring.jwks.push(jwk);
            if ring.newest.is_none() {
                let pkcs8 = self.inner.store.unseal(&signing_keys::seal_place(&row.kid), &row.sealed).await?;
                ring.newest = Some((row.kid.clone(), EncodingKey::from_ec_der(&pkcs8), row.created_at));
            }
        }
        self.inner.ring.store(Arc::new(ring));
        Ok(())
    }
}

fn merge(into: &mut Value, from: &Value) {
    if let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) {
        into.extend(from.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}
