//! A stand-in for whoever gives tokens: a platform to its workloads (GitHub Actions, GitLab CI), an
//! identity provider to its members. It serves OpenID Connect Discovery, keys and a token endpoint on a
//! loopback port, and signs whatever it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The running stand-in. It stops when dropped.
pub struct Issuer {
    address: SocketAddr,
    state: Shared,
    server: JoinHandle<()>,
}

/// How the issuer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    Up,
    /// It answers 500.
    Down,
    /// It answers after a while.
    Slow(Duration),
    /// Its discovery document names somebody else.
    Lying,
}

type Shared = Arc<Mutex<Script>>;

struct Script {
    /// What its discovery document says beside the usual.
    metadata: Value,
    /// What its token endpoint answers.
    tokens: Value,
    /// The last form that its token endpoint was sent.
    form: String,
    keys: Vec<Key>,
    mood: Mood,
    asked: usize,
    made: usize,
}

/// A key of the issuer, of each kind one.
struct Key {
    name: String,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Key {
    fn new(name: String) -> Self {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let rsa = rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).expect("a key turns into PKCS #8");
        let rsa = RsaKeyPair::from_pkcs8(der.as_ref()).expect("PKCS #8 turns into a key");
        Self { name, ec, rsa }
    }

    fn jwks(&self) -> [Value; 2] {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = self.ec.public_key().as_ref();
        let rsa = self.rsa.public_key();
        let (n, e) = (rsa.modulus(), rsa.exponent());
        [
            json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "kid": format!("{}-ec", self.name),
                "x": text(&point[1..33]), "y": text(&point[33..65]),
            }),
            json!({
                "kty": "RSA", "use": "sig", "kid": format!("{}-rsa", self.name),
                "n": text(n.big_endian_without_leading_zero()), "e": text(e.big_endian_without_leading_zero()),
            }),
        ]
    }
}

impl Issuer {
    /// Starts on `127.0.0.1` and a free port, with one key of each kind.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port for the issuer");
        let address = listener.local_addr().expect("a bound listener has an address");
        let script = Script {
            keys: vec![Key::new("key-1".to_owned())],
            mood: Mood::Up,
            asked: 0,
            made: 1,
            metadata: Value::Null,
            tokens: Value::Null,
            form: String::new(),
        };
        let state: Shared = Arc::new(Mutex::new(script));
        let router = Router::new().fallback(answer).with_state((format!("http://{address}"), state.clone()));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the issuer serves until it is dropped");
        });
        Self { address, state, server }
    }

    /// Its `iss`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How it behaves from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.script().mood = mood;
    }

    /// Publishes new keys in place of the old ones, and signs with them.
    pub fn rotate(&self) {
        let mut script = self.script();
        script.made += 1;
        let name = format!("key-{}", script.made);
        script.keys = vec![Key::new(name)];
    }

    /// What its discovery document says from now on beside the usual.
    pub fn set_metadata(&self, metadata: Value) {
        self.script().metadata = metadata;
    }

    /// What its token endpoint answers from now on; an `error` goes out with 400.
    pub fn set_tokens(&self, tokens: Value) {
        self.script().tokens = tokens;
    }

    /// The last form that its token endpoint was sent.
    pub fn form(&self) -> String {
        self.script().form.clone()
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.script().asked
    }

    /// Signs claims: `ES256`, `RS256` or `PS256` with its own key, `HS256` with its public key taken
    /// for a shared secret, `none` not at all.
    pub fn sign(&self, algorithm: &str, claims: &Value) -> String {
        let script = self.script();
        let key = script.keys.last().expect("there is always a key");
        let kind = if algorithm == "ES256" { "ec" } else { "rsa" };
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": format!("{}-{kind}", key.name) });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let random = SystemRandom::new();
        let by_rsa = |padding: &'static dyn aws_lc_rs::signature::RsaEncoding| {
            let mut signature = vec![0; key.rsa.public_modulus_len()];
            key.rsa.sign(padding, &random, message.as_bytes(), &mut signature).expect("a signature");
            signature
        };
        let signature = match algorithm {
            "ES256" => key.ec.sign(&random, message.as_bytes()).expect("a signature").as_ref().to_vec(),
            "RS256" => by_rsa(&RSA_PKCS1_SHA256),
            "PS256" => by_rsa(&RSA_PSS_SHA256),
            "HS256" => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, key.rsa.public_key().as_ref());
                hmac::sign(&secret, message.as_bytes()).as_ref().to_vec()
            }
            _ => Vec::new(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State((url, state)): State<(String, Shared)>, request: Request) -> Response {
    let (mood, keys, metadata) = {
        let mut script = state.lock().unwrap_or_else(PoisonError::into_inner);
        script.asked += usize::from(request.uri().path() == "/jwks");
        (script.mood, script.keys.iter().flat_map(Key::jwks).collect::<Vec<_>>(), script.metadata.clone())
    };
    match mood {
        Mood::Down => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Slow(time) => tokio::time::sleep(time).await,
        Mood::Up | Mood::Lying => {}
    }
    let issuer = if mood == Mood::Lying { "https://issuer.example".to_owned() } else { url.clone() };
    match request.uri().path() {
        "/.well-known/openid-configuration" => {
            let mut document = json!({
                "issuer": issuer, "jwks_uri": format!("{url}/jwks"),
                "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256", "RS256", "PS256"],
            });
            for (name, value) in metadata.as_object().into_iter().flatten() {
                document[name] = value.clone();
            }
            axum::Json(document).into_response()
        }
        "/token" => {
            let form = axum::body::to_bytes(request.into_body(), 64 * 1024).await.unwrap_or_default();
            let mut script = state.lock().unwrap_or_else(PoisonError::into_inner);
            script.form = String::from_utf8_lossy(&form).into_owned();
            let status = if script.tokens["error"].is_null() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            (status, axum::Json(script.tokens.clone())).into_response()
        }
        "/jwks" => axum::Json(json!({ "keys": keys })).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
