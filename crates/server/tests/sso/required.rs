//! `sso_required`: the provider is the only way in, but for the owners who may break the glass.

use http::{Method, StatusCode};
use provost_testkit::issuer::Issuer;
use provost_testkit::server::{As, PASSWORD, Server};
use serde_json::{Value, json};

use super::{connect, reasons};

#[tokio::test]
async fn passwords_open_nothing_where_the_provider_is_required() {
    let server = Server::start().await;
    let settings = |body: Value| server.patch("/api/v1/settings", body);
    let refused = async |body: Value, field: &str| {
        let answer = settings(body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        assert_eq!(answer.body["error"]["field"], field);
    };
    let owner = json!({ "email": "glass@acme.example", "password": PASSWORD, "builtin_role": "owner" });
    let glass = server.post("/api/v1/members", owner).await.text("id");
    let ada = server.member("ada@acme.example").await;
    // A way in must be there for everybody, and one for the day when the provider is away.
    refused(json!({ "sso_required": true }), "break_glass_owner_ids").await;
    refused(json!({ "sso_required": true, "break_glass_owner_ids": [glass] }), "sso_required").await;
    let issuer = Issuer::start().await;
    let connection = connect(&server, &issuer.url(), Value::Null, Value::Null).await;
    refused(json!({ "sso_required": true, "break_glass_owner_ids": [ada] }), "break_glass_owner_ids").await;
    // The first owner has no password yet.
    refused(json!({ "sso_required": true, "break_glass_owner_ids": [server.owner_id] }), "break_glass_owner_ids").await;

    let before = server.sign_in("ada@acme.example").await;
    settings(json!({ "sso_required": true, "break_glass_owner_ids": [glass] })).await.ok();
    assert_eq!(server.call(&before, Method::GET, "/api/v1/session", None).await.status, StatusCode::UNAUTHORIZED);
    let sign_in = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        let answer = server.call(&As::Nobody, Method::POST, "/api/v1/sessions", Some(body)).await;
        (answer.status.as_u16(), answer.body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(sign_in("ada@acme.example", PASSWORD).await, (403, "sso_required".to_owned()));
    // Who does not know the password is not told.
    assert_eq!(sign_in("ada@acme.example", "a guess of a stranger").await, (401, "unauthorized".to_owned()));
    assert_eq!(sign_in("glass@acme.example", PASSWORD).await.0, 200);
    let events = server.events("sign_in.succeeded").await;
    assert_eq!(events.last().unwrap()["details"]["break_glass"], true);
    assert_eq!(reasons(&server).await, ["sso_required", "wrong_password"]);
    // An invitation is a way around.
    let view = server.send(server.request(Method::GET, &server.sign_in_path)).await;
    assert_eq!(view.status, StatusCode::NOT_FOUND);

    // While it is required, the last way in of each kind stays.
    let path = format!("/api/v1/connections/{connection}");
    for answer in [server.delete(&path).await, server.patch(&path, json!({ "enabled": false })).await] {
        assert_eq!(
            (answer.status, answer.body["error"]["code"].as_str()),
            (StatusCode::CONFLICT, Some("last_connection"))
        );
    }
    let path = format!("/api/v1/members/{glass}");
    for body in [json!({ "active": false }), json!({ "builtin_role": "admin" })] {
        let answer = server.patch(&path, body).await;
        assert_eq!(answer.body["error"]["code"], "last_break_glass_owner", "{}", answer.body);
    }
    let glass_before = server.sign_in("glass@acme.example").await;
    // Turned off, it lets them sign in; what it ended stays over.
    settings(json!({ "sso_required": false })).await.ok();
    assert_eq!(server.call(&before, Method::GET, "/api/v1/session", None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in("ada@acme.example", PASSWORD).await.0, 200);
    settings(json!({ "sso_required": true })).await.ok();
    assert_eq!(server.call(&glass_before, Method::GET, "/api/v1/session", None).await.status, StatusCode::OK);
    // Who may break the glass no more has no session left of it.
    let bob = json!({ "email": "bob@acme.example", "password": PASSWORD, "builtin_role": "owner" });
    let bob = server.post("/api/v1/members", bob).await.text("id");
    settings(json!({ "break_glass_owner_ids": [bob] })).await.ok();
    settings(json!({ "break_glass_owner_ids": [bob, glass] })).await.ok();
    assert_eq!(server.call(&glass_before, Method::GET, "/api/v1/session", None).await.status, StatusCode::UNAUTHORIZED);
}
