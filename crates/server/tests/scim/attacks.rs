//! What a key may not do, and what one request may not cost.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{GROUPS, USERS, call, group, key, patch, status, user};

const BULK: &str = "/scim/v2/Bulk";

#[tokio::test]
async fn a_key_without_the_scope_does_nothing_and_a_scim_key_nothing_else() {
    let server = Server::start().await;
    let scim = key(&server, &["scim"]).await;
    let others =
        key(&server, &["admin", "events.read", "analytics.read", "compliance.read", "compliance.delete"]).await;
    let expected = server.get("/api/v1/members").await.ok();
    for (method, path, body) in [
        (Method::GET, USERS, None),
        (Method::POST, USERS, Some(user("x@acme.example"))),
        (Method::POST, GROUPS, Some(group("x", &[]))),
        (Method::POST, BULK, Some(json!({}))),
        (Method::POST, "/scim/v2/.search", Some(json!({}))),
        (Method::GET, "/scim/v2/ServiceProviderConfig", None),
        (Method::GET, "/scim/v2/Schemas", None),
        (Method::GET, "/scim/v2/ResourceTypes", None),
    ] {
        let answer = call(&server, &others, method.clone(), path, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(server.get("/api/v1/members").await.ok(), expected);
    let refused = server.events("request.refused").await;
    assert_eq!(refused.len(), 8);
    assert_eq!(refused[1]["details"], json!({ "scope": "scim", "method": "POST", "path": USERS }));
    for path in ["/api/v1/members", "/api/v1/groups", "/api/v1/api-keys", "/api/v1/events"] {
        let answer = call(&server, &scim, Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn nobody_gives_themselves_a_role_through_attributes() {
    let server = Server::start().await;
    let scim = key(&server, &["scim"]).await;
    let mut mia = user("mia@acme.example");
    mia["roles"] = json!([{ "value": "owner", "primary": true }]);
    mia["userType"] = json!("owner");
    mia["entitlements"] = json!([{ "value": "codex.administer" }]);
    mia["builtin_role"] = json!("owner");
    mia["password"] = json!("correct horse battery staple");
    let made = call(&server, &scim, Method::POST, USERS, Some(mia)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["password"], Value::Null);
    let member = server.get(&format!("/api/v1/members/{}", made.text("id"))).await.ok();
    assert_eq!(member["builtin_role"], "member");
    let sign_in = json!({ "email": "mia@acme.example", "password": "correct horse battery staple" });
    let nobody = provost_testkit::server::As::Nobody;
    let answer = server.call(&nobody, Method::POST, "/api/v1/sessions", Some(sign_in)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bodies_that_would_fill_the_memory() {
    let server = Server::start().await;
    let scim = key(&server, &["scim"]).await;
    let send = async |path: &str, body: String| {
        let request = server.request(Method::POST, path).header(AUTHORIZATION, format!("Bearer {scim}"));
        server.send(request.header(CONTENT_TYPE, "application/scim+json").body(body)).await
    };
    let text = |bytes: usize| "x".repeat(bytes);
    assert_eq!(status(&send(USERS, text((1 << 20) + 1)).await), "413");
    assert_eq!(status(&send(GROUPS, text((16 << 20) + 1)).await), "413");
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(status(&send(USERS, deep).await), "400 invalidSyntax");
    let wide = format!("{{\"userName\":\"x\",\"emails\":[{}{{}}]}}", "{},".repeat(200_000));
    assert!(send(USERS, wide).await.status.is_client_error());
    let long = user(&format!("{}@acme.example", text(100_000)));
    assert_eq!(status(&send(USERS, long.to_string()).await), "400 invalidValue");
    let mut notes = user("mia@acme.example");
    notes["title"] = json!(text(500_000));
    assert_eq!(status(&send(USERS, notes.to_string()).await), "400 invalidValue");
    assert_eq!(call(&server, &scim, Method::GET, USERS, None).await.ok()["totalResults"], 1);
}

#[tokio::test]
async fn requests_that_would_take_for_ever() {
    let server = Server::start().await;
    let scim = key(&server, &["scim"]).await;
    let bulk = |operations: Vec<Value>| {
        let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
        Some(json!({ "schemas": [schema], "Operations": operations }))
    };
    let operation = json!({ "method": "DELETE", "path": "/Users/x" });
    let answer = call(&server, &scim, Method::POST, BULK, bulk(vec![operation; 1001])).await;
    assert_eq!(status(&answer), "413", "{}", answer.body);
    // Each waits for the other, all the way round.
    let circle = |n: usize| {
        let next = (n + 1) % 500;
        json!({ "method": "POST", "path": "/Groups", "bulkId": format!("g{n}"),
            "data": group(&format!("G{n}"), &[&format!("bulkId:g{next}")]) })
    };
    let answer = call(&server, &scim, Method::POST, BULK, bulk((0..500).map(circle).collect())).await.ok();
    let operations = answer["Operations"].as_array().unwrap();
    assert_eq!(operations.len(), 500);
    assert!(operations.iter().all(|operation| operation["status"] != "201"), "{answer}");
    // Bulk in bulk, and what is no place for it.
    for path in ["/Bulk", "/Me", "/Users/../Groups", "/ServiceProviderConfig", "//Users", "https://x/Users"] {
        let operation = json!({ "method": "POST", "path": path, "bulkId": "a", "data": user("x@acme.example") });
        let answer = call(&server, &scim, Method::POST, BULK, bulk(vec![operation])).await.ok();
        assert_ne!(answer["Operations"][0]["status"], "201", "{path}");
    }
    let mia = call(&server, &scim, Method::POST, USERS, Some(user("mia@acme.example"))).await.text("id");
    let many: Vec<Value> =
        (0..20_000).map(|n| json!({ "op": "add", "path": "title", "value": n.to_string() })).collect();
    let answer = call(&server, &scim, Method::PATCH, &format!("{USERS}/{mia}"), Some(patch(json!(many)))).await;
    assert!(answer.status.is_client_error(), "{}", answer.body);
}
