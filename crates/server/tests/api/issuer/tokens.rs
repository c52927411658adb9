//! What a token proves, and what does not pass for one.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use provost_testkit::server::{As, Database, Server};
use serde_json::{Value, json};

use super::super::{PATIENT, client};
use super::*;

const JWKS: &str = "/.well-known/jwks.json";

async fn signed_in() -> (Server, As, Tokens) {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    let tokens = sign_in_client(&server, &mia).await;
    (server, mia, tokens)
}

/// Checks a token as anybody can: with the published keys.
async fn verify(server: &Server, token: &str, audience: &str) -> Value {
    let jwks = server.call(&As::Nobody, Method::GET, JWKS, None).await.ok();
    let jwks: JwkSet = serde_json::from_value(jwks).unwrap();
    let kid = decode_header(token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(jwks.find(&kid).expect("the key is published")).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[server.url()]);
    validation.leeway = 40 * 24 * 3600;
    decode::<Value>(token, &key, &validation).unwrap().claims
}

#[tokio::test]
async fn the_published_keys_verify_both_tokens() {
    let (server, _, tokens) = signed_in().await;
    verify(&server, &tokens.access, "provost").await;
    verify(&server, &tokens.id, CLIENT_ID).await;
    let jwks = server.call(&As::Nobody, Method::GET, JWKS, None).await.ok();
    let key = jwks["keys"][0].as_object().unwrap();
    assert!(!key.contains_key("d"), "only the public half is published");
    let metadata = server.call(&As::Nobody, Method::GET, "/.well-known/openid-configuration", None).await.ok();
    assert_eq!(metadata["issuer"], server.url());
    assert_eq!(metadata["jwks_uri"], format!("{}{JWKS}", server.url()));
    let same = server.call(&As::Nobody, Method::GET, "/.well-known/oauth-authorization-server", None).await.ok();
    assert_eq!(metadata, same);
}

#[tokio::test]
async fn what_is_not_our_access_token_is_refused() {
    let (server, _, tokens) = signed_in().await;
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = decode_header(&tokens.access).unwrap().kid.unwrap();
    let [header, body, signature] = tokens.access.split('.').collect::<Vec<_>>().try_into().unwrap();
    let claims = claims(&tokens.access);
    let altered = |field: &str, value: Value| {
        let mut claims = claims.clone();
        claims[field] = value;
        encoded(claims)
    };
    let none = encoded(json!({ "alg": "none", "typ": "at+jwt", "kid": kid }));
    let hs256 = Header { kid: Some(kid.clone()), typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    let public = server.call(&As::Nobody, Method::GET, JWKS, None).await.ok()["keys"][0].to_string();
    let foreign = Header { kid: Some(kid), typ: Some("at+jwt".to_owned()), ..Header::new(Algorithm::ES256) };
    let foreign_key = rcgen_key();
    let unknown_kid = Header { kid: Some("unknown".to_owned()), ..foreign.clone() };
    for (what, token) in [
        ("no signature", format!("{none}.{body}.")),
        ("no signature, kept", format!("{none}.{body}.{signature}")),
        ("signature cut", format!("{header}.{body}.")),
        (
            "another member",
            format!("{header}.{}.{signature}", altered("sub", json!(format!("mem_{}", "0".repeat(32))))),
        ),
        ("longer life", format!("{header}.{}.{signature}", altered("exp", json!(4_000_000_000_u64)))),
        (
            "symmetric, with the public key",
            encode(&hs256, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap(),
        ),
        ("foreign key under our id", encode(&foreign, &claims, &foreign_key).unwrap()),
        ("foreign key under its own id", encode(&unknown_kid, &claims, &foreign_key).unwrap()),
        ("the id token", tokens.id.clone()),
        ("the refresh token", tokens.refresh.clone()),
        ("a session's secret", "x".repeat(43)),
        ("an unknown access token", format!("at-{}", "x".repeat(43))),
        ("an API key", server.api_key.clone()),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("long", "a".repeat(60_000)),
    ] {
        let answer = client(&server, &token, BUNDLE).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(answer.body["error"]["code"], "unauthorized", "{what}");
    }
    assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::OK);
    // And an access token is no key to the admin API.
    let answer = server.call(&As::Key(tokens.access), Method::GET, "/api/v1/settings", None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

fn rcgen_key() -> EncodingKey {
    let pair = rcgen::KeyPair::generate().unwrap();
    EncodingKey::from_ec_der(&pair.serialize_der())
}

#[tokio::test]
async fn a_new_signing_key_leaves_old_tokens_their_life() {
    let (server, mia, old) = signed_in().await;
    server.advance(SignedDuration::from_hours(31 * 24));
    let before = sign_in_client(&server, &server.sign_in("mia@acme.example").await).await;
    server.node.app.keys.renew().await.unwrap();
    let after = sign_in_client(&server, &server.sign_in("mia@acme.example").await).await;
    let kid = |token: &str| decode_header(token).unwrap().kid.unwrap();
    assert_ne!(kid(&before.access), kid(&after.access));
    assert_eq!(kid(&old.access), kid(&before.access));
    let jwks = server.call(&As::Nobody, Method::GET, JWKS, None).await.ok();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
    for tokens in [&before, &after] {
        verify(&server, &tokens.access, "provost").await;
        assert_eq!(bundle_status(&server, &tokens.access).await, StatusCode::OK);
    }
    assert_eq!(bundle_status(&server, &old.access).await, StatusCode::UNAUTHORIZED, "its hour is over");
    server.advance(SignedDuration::from_hours(3 * 24));
    server.node.app.keys.renew().await.unwrap();
    let jwks = server.call(&As::Nobody, Method::GET, JWKS, None).await.ok();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1, "the old key is retired");
    drop(mia);
}

#[tokio::test]
async fn whoami_is_for_access_tokens() {
    let (server, _, tokens) = signed_in().await;
    let path = "/api/accounts/v1/user-auth-credential/whoami";
    assert_eq!(client(&server, &tokens.access, path).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client(&server, "at-unknown", path).await.status, StatusCode::UNAUTHORIZED);
}
