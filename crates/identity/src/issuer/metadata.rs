//! `/.well-known/…`: where everything is (RFC 8414, OpenID Connect Discovery 1.0).

use axum::Json;
use axum::extract::State;
use provost_web::App;
use serde_json::{Value, json};

/// The issuer's metadata.
pub(crate) async fn show(State(app): State<App>) -> Json<Value> {
    let url = &app.public_url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/oauth/authorize"),
        "token_endpoint": format!("{url}/oauth/token"),
        "revocation_endpoint": format!("{url}/oauth/revoke"),
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": ["iss", "aud", "sub", "exp", "iat", "email", "name"],
    }))
}

/// The public keys.
pub(crate) async fn jwks(State(app): State<App>) -> Json<Value> {
    Json(app.keys.jwks())
}
