//! What others do while somebody signs in, or did before: it neither keeps them out nor lets them in.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::issuer::Mood;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::oidc::Scene;
use super::reasons;
use crate::api::stage::BOTH;

/// An identity provider's user, whose name is not their address.
async fn provision(server: &Server, key: &str, user_name: &str, email: &str) -> String {
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name,
        "emails": [{ "value": email }] });
    let request = server.request(Method::POST, "/scim/v2/Users").bearer_auth(key);
    server.send(request.header(CONTENT_TYPE, "application/scim+json").body(body.to_string())).await.text("id")
}

#[tokio::test]
async fn a_name_that_reads_like_an_address_keeps_nobody_out() {
    for database in BOTH {
        let mut scene = Scene::set_on(database, json!({ "create_members": true }), Value::Null).await;
        let key = json!({ "name": "idp", "scopes": ["scim"] });
        let key = scene.server.post("/api/v1/api-keys", key).await.text("key");
        let squatter = provision(&scene.server, &key, "ADA@acme.example", "x@acme.example").await;
        provision(&scene.server, &key, "ada.l@acme.example", "y@acme.example").await;
        // Ada comes for the first time, and is made; she is not the one who is named so.
        let view = scene.try_with("ES256", |_| {}).await;
        assert_eq!(view.status, StatusCode::SEE_OTHER, "{}", view.html);
        assert_eq!(scene.browser.signed_in().await.as_deref(), Some("ada@acme.example"));
        let found = scene.server.get("/api/v1/members?email=ada@acme.example").await.ok();
        let ada = found["data"][0]["id"].as_str().unwrap().to_owned();
        assert_ne!(ada, squatter);
        // Nor is what changes of her in the way of anything.
        let path = format!("/api/v1/members/{ada}");
        scene.server.patch(&path, json!({ "name": "Ada L." })).await.ok();
        let view = scene.try_with("ES256", |claims| claims["email"] = json!("ada.l@acme.example")).await;
        assert_eq!(view.status, StatusCode::SEE_OTHER, "{}", view.html);
        assert_eq!(scene.browser.signed_in().await.as_deref(), Some("ada.l@acme.example"));
        // When the name is free again, her next change gives it to her.
        scene.server.delete(&format!("/api/v1/members/{squatter}")).await.ok();
        let view = scene.try_with("ES256", |_| {}).await;
        assert_eq!(view.status, StatusCode::SEE_OTHER, "{}", view.html);
        let request = scene.server.request(Method::GET, &format!("/scim/v2/Users/{ada}")).bearer_auth(&key);
        assert_eq!(scene.server.send(request).await.ok()["userName"], "ada@acme.example");
    }
}

#[tokio::test]
async fn an_admin_adds_who_has_an_address_that_somebody_is_named_by() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = server.post("/api/v1/api-keys", json!({ "name": "idp", "scopes": ["scim"] })).await.text("key");
        provision(&server, &key, "ada@acme.example", "x@acme.example").await;
        let ada = server.member("ada@acme.example").await;
        let request = server.request(Method::GET, &format!("/scim/v2/Users/{ada}")).bearer_auth(&key);
        let shown = server.send(request).await.ok();
        assert_eq!((&shown["userName"], &shown["emails"][0]["value"]), (&json!(ada), &json!("ada@acme.example")));
    }
}

/// Ada's provider answers slowly; meanwhile an owner changes the connection.
async fn meanwhile(scene: &mut Scene, method: Method, body: Option<Value>) -> (StatusCode, String) {
    let sent = scene.begin("/").await;
    let claims = scene.claims(&sent);
    scene.answers("ES256", &claims);
    scene.issuer.set_mood(Mood::Slow(Duration::from_millis(800)));
    let path = format!("/api/v1/connections/{}", scene.connection);
    let back = format!("/sign-in/oidc/callback?code=abc&state={}", sent.state);
    let change = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let answer = scene.server.call(&scene.server.admin(), method, &path, body).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    };
    let (view, ()) = tokio::join!(scene.browser.open(&back), change);
    scene.issuer.set_mood(Mood::Up);
    assert_eq!(scene.browser.signed_in().await, None, "{}", view.html);
    (view.status, view.html)
}

#[tokio::test]
async fn a_connection_that_changes_meanwhile_signs_nobody_in() {
    for database in BOTH {
        let mut scene = Scene::set_on(database, json!({ "create_members": true }), Value::Null).await;
        for (method, body) in [
            (Method::PATCH, Some(json!({ "create_members": false }))),
            (Method::PATCH, Some(json!({ "enabled": false }))),
            (Method::DELETE, None),
        ] {
            let (status, html) = meanwhile(&mut scene, method.clone(), body.clone()).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {body:?}: {html}");
            assert!(html.contains("connection_changed"), "{method} {body:?}: {html}");
            assert_eq!(scene.server.get("/api/v1/members?email=ada@acme.example").await.ok()["data"], json!([]));
            if method == Method::PATCH {
                let path = format!("/api/v1/connections/{}", scene.connection);
                scene.server.patch(&path, json!({ "enabled": true, "create_members": true })).await.ok();
            }
        }
        assert_eq!(reasons(&scene.server).await, ["connection_changed"]);
    }
}

#[tokio::test]
async fn who_says_that_they_sign_their_name_must() {
    let mut scene = Scene::set().await;
    scene.server.member("ada@acme.example").await;
    // RFC 9207 §2.4: a provider that says so and is not named did not send the answer (mix-up).
    scene.issuer.set_metadata(json!({ "authorization_response_iss_parameter_supported": true }));
    scene.server.advance(SignedDuration::from_mins(11));
    let view = scene.try_with("ES256", |_| {}).await;
    assert_eq!(view.status, StatusCode::BAD_REQUEST);
    assert_eq!(scene.browser.signed_in().await, None);
    assert_eq!(reasons(&scene.server).await, ["another_issuer"]);
    let sent = scene.begin("/").await;
    let claims = scene.claims(&sent);
    scene.answers("ES256", &claims);
    let issuer = scene.issuer.url();
    let view = scene.browser.open(&format!("/sign-in/oidc/callback?code=a&state={}&iss={issuer}", sent.state)).await;
    assert_eq!(view.status, StatusCode::SEE_OTHER, "{}", view.html);
    // One that does not say so, or says that it does not, need not.
    for said in [json!(null), json!(false)] {
        scene.issuer.set_metadata(json!({ "authorization_response_iss_parameter_supported": said }));
        scene.server.advance(SignedDuration::from_mins(11));
        assert_eq!(scene.try_with("ES256", |_| {}).await.status, StatusCode::SEE_OTHER);
    }
}
