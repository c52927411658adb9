//! `/api/v1/domains`, `/api/v1/connections`: what is refused, and to whom.

use http::{Method, StatusCode};
use provost_testkit::issuer::{Issuer, Mood};
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::connect;

#[tokio::test]
async fn what_is_no_domain_is_refused() {
    let server = Server::start().await;
    for bad in ["", "localhost", "a b.example", "evil@example.com", "-", "..", "example..com", "http://example.com"] {
        let answer = server.post("/api/v1/domains", json!({ "domain": bad })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}: {}", answer.body);
        assert_eq!(answer.body["error"]["field"], "domain", "{bad}");
    }
    server.post("/api/v1/domains", json!({ "domain": "example.com" })).await.ok();
    let twice = server.post("/api/v1/domains", json!({ "domain": "EXAMPLE.com" })).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
}

/// Whoever sets up a provider can be anybody: an admin who is no owner could become one.
#[tokio::test]
async fn an_admin_cannot_set_up_a_provider_or_a_domain() {
    let server = Server::start().await;
    let issuer = Issuer::start().await;
    let id = connect(&server, &issuer.url(), Value::Null, Value::Null).await;
    let body = json!({ "email": "admin@acme.example", "password": provost_testkit::server::PASSWORD, "builtin_role": "admin" });
    server.post("/api/v1/members", body).await.ok();
    let admin = server.sign_in("admin@acme.example").await;
    let oidc = json!({ "issuer": issuer.url(), "client_id": "x" });
    let tries = [
        (Method::POST, "/api/v1/connections".to_owned(), json!({ "name": "Mine", "protocol": "oidc", "oidc": oidc })),
        (Method::PATCH, format!("/api/v1/connections/{id}"), json!({ "create_members": true })),
        (Method::DELETE, format!("/api/v1/connections/{id}"), Value::Null),
        (Method::POST, "/api/v1/domains".to_owned(), json!({ "domain": "gmail.com" })),
        (Method::PATCH, "/api/v1/settings".to_owned(), json!({ "break_glass_owner_ids": [server.owner_id] })),
    ];
    for (method, path, body) in tries {
        let answer = server.call(&admin, method, &path, Some(body)).await;
        let code = answer.body["error"]["code"].as_str();
        assert_eq!((answer.status, code), (StatusCode::FORBIDDEN, Some("cannot_grant_more_than_you_hold")), "{path}");
    }
}

#[tokio::test]
async fn a_provider_is_asked_before_it_is_believed() {
    let server = Server::start().await;
    let issuer = Issuer::start().await;
    let oidc =
        |issuer: &str| json!({ "name": "P", "protocol": "oidc", "oidc": { "issuer": issuer, "client_id": "provost" } });
    issuer.set_mood(Mood::Lying);
    let lying = server.post("/api/v1/connections", oidc(&issuer.url())).await;
    assert_eq!(lying.body["error"]["field"], "oidc.issuer");
    assert!(lying.body["error"]["message"].as_str().unwrap().contains("names another issuer"), "{}", lying.body);
    issuer.set_mood(Mood::Down);
    let down = server.post("/api/v1/connections", oidc(&issuer.url())).await;
    assert!(down.body["error"]["message"].as_str().unwrap().contains("answered 500"), "{}", down.body);
    // SSRF: neither the cloud's metadata, nor plain HTTP elsewhere, nor credentials in a URL.
    for bad in
        ["http://169.254.169.254/", "http://idp.example/", "https://user:pw@idp.example/", "file:///etc/passwd", "x"]
    {
        let answer = server.post("/api/v1/connections", oidc(bad)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}: {}", answer.body);
        assert_eq!(answer.body["error"]["field"], "oidc.issuer", "{bad}");
    }
}

#[tokio::test]
async fn a_secret_is_never_readable_and_stays_with_its_issuer() {
    let server = Server::start().await;
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let id = connect(&server, &issuer.url(), Value::Null, Value::Null).await;
    let path = format!("/api/v1/connections/{id}");
    let shown = server.get(&path).await.ok();
    assert_eq!(shown["has_secret"], true);
    assert!(!shown.to_string().contains("a secret of the provider"));
    // Moved to another issuer, the secret would be sent there.
    let moved = json!({ "oidc": { "issuer": other.url(), "client_id": "provost" } });
    let answer = server.patch(&path, moved).await;
    assert_eq!(
        (answer.status, answer.body["error"]["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("secret_needed"))
    );
    let renamed = server.patch(&path, json!({ "name": "New name" })).await.ok();
    assert_eq!((renamed["name"].as_str(), renamed["has_secret"].as_bool()), (Some("New name"), Some(true)));
}

/// A subject means somebody at one provider only: at another one the same text is a stranger.
#[tokio::test]
async fn who_is_who_is_forgotten_when_the_provider_is_another() {
    let server = Server::start().await;
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let id = connect(&server, &issuer.url(), Value::Null, Value::Null).await;
    let path = format!("/api/v1/connections/{id}");
    let at =
        |issuer: &Issuer| json!({ "oidc": { "issuer": issuer.url(), "client_id": "provost", "client_secret": "s" } });
    server.patch(&path, json!({ "name": "Renamed" })).await.ok();
    server.patch(&path, at(&other)).await.ok();
    let events = server.events("connection.updated").await;
    assert_eq!(events[0]["details"]["changed"]["identities_forgotten"], Value::Null);
    assert_eq!(events[1]["details"]["changed"]["identities_forgotten"], 0);
}
