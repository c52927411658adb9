//! Whoever holds a key of the scope `scim` is not on the way to be an owner.

use http::{Method, StatusCode};
use provost_testkit::server::{PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, USERS, call, key, patch, status, user};
use crate::sso::oidc::Scene;

const EVE: &str = "eve@acme.example";

/// An owner whom no provider knows yet; their id.
async fn owner(server: &Server, email: &str) -> String {
    let body = json!({ "email": email, "password": PASSWORD, "builtin_role": "owner" });
    server.post("/api/v1/members", body).await.text("id")
}

fn emails(email: &str) -> Value {
    patch(json!([{ "op": "replace", "path": "emails", "value": [{ "value": email, "primary": true }] }]))
}

/// What a key tries, so that a sign-in finds the owner by another address than theirs.
fn attempts(id: &str) -> Vec<(Method, String, Value)> {
    let path = format!("{USERS}/{id}");
    let bulk = |method: &str, data: Value| {
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{ "method": method, "path": format!("/Users/{id}"), "data": data }] })
    };
    let by_path = json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": EVE }]);
    let beside = json!([
        { "op": "add", "path": "emails", "value": [{ "value": EVE, "type": "other", "primary": true }] }
    ]);
    let away = json!([{ "op": "remove", "path": "emails" }, { "op": "replace", "path": "userName", "value": EVE }]);
    let nameless = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": EVE });
    let mut suspended = user(EVE);
    suspended["active"] = json!(false);
    vec![
        (Method::PATCH, path.clone(), emails(EVE)),
        (Method::PATCH, path.clone(), patch(by_path)),
        (Method::PATCH, path.clone(), patch(beside)),
        (Method::PATCH, path.clone(), patch(away)),
        (Method::PUT, path.clone(), user(EVE)),
        (Method::PUT, path.clone(), nameless),
        (Method::PUT, path, suspended),
        (Method::POST, "/scim/v2/Bulk".to_owned(), bulk("PATCH", emails(EVE))),
        (Method::POST, "/scim/v2/Bulk".to_owned(), bulk("PUT", user(EVE))),
    ]
}

#[tokio::test]
async fn a_key_gives_no_owner_another_address() {
    for database in BOTH {
        let mut scene = Scene::set_on(database, Value::Null, Value::Null).await;
        let key = key(&scene.server, &["scim"]).await;
        let olga = owner(&scene.server, "olga@acme.example").await;
        for (method, path, body) in attempts(&olga) {
            let answer = call(&scene.server, &key, method.clone(), &path, Some(body.clone())).await;
            let refused = match answer.body["Operations"].as_array() {
                Some(operations) => operations[0]["response"].clone(),
                None => answer.body.clone(),
            };
            assert_eq!(refused["status"], "409", "{method} {path} {body}: {}", answer.body);
            assert!(refused["detail"].as_str().unwrap().contains("change it in Provost"), "{refused}");
            // Eve's account at the provider is honest about who she is.
            let view = scene.try_with("ES256", |claims| {
                claims["sub"] = json!("eve");
                claims["email"] = json!(EVE);
            });
            assert_eq!(view.await.status, StatusCode::FORBIDDEN, "{method} {path} {body}");
            assert_eq!(scene.browser.signed_in().await, None);
        }
        let seen = scene.server.get(&format!("/api/v1/members/{olga}")).await.ok();
        assert_eq!((&seen["email"], &seen["active"]), (&json!("olga@acme.example"), &json!(true)));
        // Nor is an owner found by anything else that a key may say of them.
        let path = format!("{USERS}/{olga}");
        let named = patch(json!([
            { "op": "replace", "path": "userName", "value": EVE }, { "op": "add", "path": "externalId", "value": "eve" },
            { "op": "add", "path": "emails", "value": [{ "value": EVE, "type": "other" }] },
        ]));
        call(&scene.server, &key, Method::PATCH, &path, Some(named)).await.ok();
        let view = scene.try_with("ES256", |claims| {
            claims["sub"] = json!("eve");
            claims["email"] = json!(EVE);
        });
        assert_eq!(view.await.status, StatusCode::FORBIDDEN);
        // A second one with the owner's address there is not, and who comes after a deletion is nobody's heir.
        let answer = call(&scene.server, &key, Method::POST, USERS, Some(user("olga@acme.example"))).await;
        assert_eq!(status(&answer), "409 uniqueness", "{}", answer.body);
        assert_eq!(status(&call(&scene.server, &key, Method::DELETE, &path, None).await), "204");
        let heir = call(&scene.server, &key, Method::POST, USERS, Some(user("olga@acme.example"))).await.text("id");
        let heir = scene.server.get(&format!("/api/v1/members/{heir}")).await.ok();
        assert_eq!(heir["builtin_role"], "member");
    }
}

#[tokio::test]
async fn an_owner_whose_address_an_owner_changed_is_provisioned_on() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let made = call(&server, &key, Method::POST, USERS, Some(user("olga@acme.example"))).await.text("id");
        let member = format!("/api/v1/members/{made}");
        let session = crate::api::stage::owner(&server).await;
        let body = json!({ "builtin_role": "owner", "email": "olga.new@acme.example" });
        server.call(&session, Method::PATCH, &member, Some(body)).await.ok();
        // What says nothing of the address does not bring the old one back.
        let path = format!("{USERS}/{made}");
        let renamed = patch(json!([{ "op": "replace", "path": "displayName", "value": "Olga" }]));
        call(&server, &key, Method::PATCH, &path, Some(renamed)).await.ok();
        let seen = server.get(&member).await.ok();
        assert_eq!((&seen["email"], &seen["name"]), (&json!("olga.new@acme.example"), &json!("Olga")));
        // What says the same, in other letters, is no change.
        call(&server, &key, Method::PATCH, &path, Some(emails("Olga.New@acme.example"))).await.ok();
        let off = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
        call(&server, &key, Method::PATCH, &path, Some(off)).await.ok();
        assert_eq!(server.get(&member).await.ok()["active"], false);
        let back = call(&server, &key, Method::PUT, &path, Some(user("olga@acme.example"))).await;
        assert_eq!(status(&back), "409", "{}", back.body);
    }
}

#[tokio::test]
async fn who_breaks_the_glass_is_asked_of_the_database() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let olga = owner(&server, "olga@acme.example").await;
        let node = server.second_node().await;
        let address = node.http_address.expect("it listens on plain HTTP");
        let settings = json!({ "break_glass_owner_ids": [olga] });
        server.patch("/api/v1/settings", settings).await.ok();
        // At once, on a node that has not heard of it.
        let http = reqwest::Client::new();
        let request = http.delete(format!("http://{address}{USERS}/{olga}")).bearer_auth(&key);
        let answer = server.send(request).await;
        assert_eq!(status(&answer), "409", "{}", answer.body);
        node.stop().await;
    }
}

#[tokio::test]
async fn who_breaks_the_glass_keeps_the_address_that_they_sign_in_with() {
    for database in BOTH {
        let mut scene = Scene::set_on(database, Value::Null, Value::Null).await;
        let olga = owner(&scene.server, "olga@acme.example").await;
        let as_olga = |email: &'static str| {
            move |claims: &mut Value| {
                claims["sub"] = json!("olga");
                claims["email"] = json!(email);
            }
        };
        assert_eq!(scene.try_with("ES256", as_olga("olga@acme.example")).await.status, StatusCode::SEE_OTHER);
        scene.server.patch("/api/v1/settings", json!({ "break_glass_owner_ids": [olga] })).await.ok();
        assert_eq!(scene.try_with("ES256", as_olga("else@acme.example")).await.status, StatusCode::SEE_OTHER);
        assert_eq!(scene.browser.signed_in().await.as_deref(), Some("olga@acme.example"));
        scene.server.sign_in("olga@acme.example").await;
    }
}
