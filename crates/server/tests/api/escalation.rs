//! Nobody hands out power that they do not hold.

use http::{Method, StatusCode};
use provost_testkit::server::{As, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, stage, status};

const BEYOND: &str = "403 cannot_grant_more_than_you_hold";

struct House {
    server: Server,
    owner: As,
    admin: As,
    admin_id: String,
}

async fn house() -> House {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let owner = stage::owner(&server).await;
    let body = json!({ "email": "admin@acme.example", "password": PASSWORD, "builtin_role": "admin" });
    let admin_id = server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.text("id");
    let admin = server.sign_in("admin@acme.example").await;
    House { server, owner, admin, admin_id }
}

impl House {
    async fn call(&self, who: &As, method: Method, path: &str, body: Value) -> String {
        let body = (!body.is_null()).then_some(body);
        status(&self.server.call(who, method, &format!("/api/v1/{path}"), body).await)
    }

    async fn role(&self, name: &str, permissions: &[&str]) -> String {
        let body = json!({ "name": name, "permissions": permissions });
        self.server.call(&self.owner, Method::POST, "/api/v1/roles", Some(body)).await.text("id")
    }
}

#[tokio::test]
async fn an_admin_makes_nobody_more_than_an_admin() {
    let house = house().await;
    let (admin, mia) = (&house.admin, house.server.member("mia@acme.example").await);
    let path = format!("members/{}", house.admin_id);
    assert_eq!(house.call(admin, Method::PATCH, &path, json!({ "builtin_role": "owner" })).await, BEYOND);
    assert_eq!(
        house.call(admin, Method::PATCH, &format!("members/{mia}"), json!({ "builtin_role": "owner" })).await,
        BEYOND
    );
    let body = json!({ "email": "new@acme.example", "builtin_role": "owner" });
    assert_eq!(house.call(admin, Method::POST, "members", body).await, BEYOND);
    // Nor do they touch who is more.
    let owner = format!("members/{}", house.server.owner_id);
    for patch in
        [json!({ "active": false }), json!({ "email": "mine@acme.example" }), json!({ "builtin_role": "member" })]
    {
        assert_eq!(house.call(admin, Method::PATCH, &owner, patch).await, BEYOND);
    }
    assert_eq!(house.call(admin, Method::DELETE, &owner, json!(null)).await, BEYOND);
    let key = As::Key(house.server.api_key.clone());
    assert_eq!(
        house.call(&key, Method::PATCH, &format!("members/{mia}"), json!({ "builtin_role": "admin" })).await,
        "200"
    );
    assert_eq!(
        house.call(admin, Method::PATCH, &format!("members/{mia}"), json!({ "builtin_role": "member" })).await,
        "200"
    );
    // Each try is on record.
    let refused = house.server.events("request.refused").await;
    assert_eq!(refused.len(), 7);
    assert!(refused.iter().all(|event| event["actor"]["email"] == "admin@acme.example"));
}

#[tokio::test]
async fn a_role_is_made_widened_and_given_only_by_who_holds_it() {
    let house = house().await;
    let (admin, mia) = (&house.admin, house.server.member("mia@acme.example").await);
    let ops = house.server.group("Ops", &[]).await;
    let auditor = house.role("Auditor", &["compliance.read"]).await;
    let plain = house.role("Plain", &["codex.local.use"]).await;
    let wide = json!({ "name": "Wide", "permissions": ["codex.local.use", "compliance.read"] });
    assert_eq!(house.call(admin, Method::POST, "roles", wide).await, BEYOND);
    let widen = json!({ "permissions": ["codex.local.use", "compliance.delete"] });
    assert_eq!(house.call(admin, Method::PATCH, &format!("roles/{plain}"), widen).await, BEYOND);
    assert_eq!(house.call(admin, Method::PUT, &format!("roles/{auditor}/members/{mia}"), json!(null)).await, BEYOND);
    assert_eq!(
        house.call(admin, Method::PUT, &format!("roles/{auditor}/members/{}", house.admin_id), json!(null)).await,
        BEYOND
    );
    assert_eq!(house.call(admin, Method::PUT, &format!("roles/{auditor}/groups/{ops}"), json!(null)).await, BEYOND);
    assert_eq!(house.call(admin, Method::PUT, "default-role", json!({ "role_id": auditor })).await, BEYOND);
    // What rules over nobody else may be given.
    let own_use = json!({ "name": "Use", "permissions": ["codex.local.use", "codex.cloud.use"] });
    assert_eq!(house.call(admin, Method::POST, "roles", own_use).await, "201");
    // What is there already may stay when something else changes.
    assert_eq!(
        house.call(admin, Method::PATCH, &format!("roles/{auditor}"), json!({ "name": "Auditors" })).await,
        "200"
    );
}

#[tokio::test]
async fn a_group_whose_role_has_more_is_no_way_around() {
    let house = house().await;
    let auditors = house.server.group("Auditors", &[]).await;
    let auditor = house.role("Auditor", &["compliance.read"]).await;
    let path = format!("roles/{auditor}/groups/{auditors}");
    assert_eq!(house.call(&house.owner, Method::PUT, &path, json!(null)).await, "204");
    // A clerk may change members, and nothing else.
    let clerk_id = house.server.member("clerk@acme.example").await;
    let clerk_role = house.role("Clerk", &["members.read", "members.write"]).await;
    let path = format!("roles/{clerk_role}/members/{clerk_id}");
    assert_eq!(house.call(&house.owner, Method::PUT, &path, json!(null)).await, "204");
    let clerk = house.server.sign_in("clerk@acme.example").await;
    let own = format!("groups/{auditors}/members/{clerk_id}");
    assert_eq!(house.call(&clerk, Method::PUT, &own, json!(null)).await, BEYOND);
    assert_eq!(house.call(&house.admin, Method::PUT, &own, json!(null)).await, BEYOND);
    let admin = format!("members/{}", house.admin_id);
    assert_eq!(house.call(&clerk, Method::PATCH, &admin, json!({ "email": "mine@acme.example" })).await, BEYOND);
    let body = json!({ "email": "new@acme.example", "builtin_role": "admin" });
    assert_eq!(house.call(&clerk, Method::POST, "members", body).await, BEYOND);
    assert_eq!(
        house.call(&clerk, Method::POST, "roles", json!({ "name": "x", "permissions": [] })).await,
        "403 forbidden"
    );
    let ops = house.server.group("Ops", &[]).await;
    assert_eq!(house.call(&clerk, Method::PUT, &format!("groups/{ops}/members/{clerk_id}"), json!(null)).await, "204");
}

#[tokio::test]
async fn a_key_makes_no_stronger_key_and_a_toggle_is_a_grant() {
    let house = house().await;
    let body = json!({ "name": "admin", "scopes": ["admin"] });
    let key = house.server.call(&house.owner, Method::POST, "/api/v1/api-keys", Some(body)).await.text("key");
    let key = As::Key(key);
    for scope in ["compliance.read", "compliance.delete"] {
        for who in [&key, &house.admin] {
            let body = json!({ "name": "x", "scopes": ["events.read", scope] });
            assert_eq!(house.call(who, Method::POST, "api-keys", body).await, BEYOND, "{scope}");
        }
    }
    // The scope `admin` administers Codex, which the built-in admin does not.
    let body = json!({ "name": "x", "scopes": ["admin"] });
    assert_eq!(house.call(&key, Method::POST, "api-keys", body.clone()).await, "201");
    assert_eq!(house.call(&house.admin, Method::POST, "api-keys", body).await, BEYOND);
    // Everybody would administer Codex: not for an admin to decide.
    assert_eq!(house.call(&house.admin, Method::PATCH, "settings", json!({ "administer_codex": true })).await, BEYOND);
    assert_eq!(house.call(&house.owner, Method::PATCH, "settings", json!({ "administer_codex": true })).await, "200");
    // Who manages keys and nothing else hands out no provisioning either.
    let keeper_id = house.server.member("keeper@acme.example").await;
    let role = house.role("Keeper", &["api_keys.write"]).await;
    house.call(&house.owner, Method::PUT, &format!("roles/{role}/members/{keeper_id}"), json!(null)).await;
    let keeper = house.server.sign_in("keeper@acme.example").await;
    let scim = json!({ "name": "x", "scopes": ["scim"] });
    assert_eq!(house.call(&keeper, Method::POST, "api-keys", scim.clone()).await, BEYOND);
    // An admin neither: who provisions puts themselves into the group that rules.
    assert_eq!(house.call(&house.admin, Method::POST, "api-keys", scim).await, BEYOND);
}

#[tokio::test]
async fn what_is_taken_away_is_gone_at_the_next_request() {
    let house = house().await;
    let events = async || house.server.call(&house.admin, Method::GET, "/api/v1/events", None).await.status;
    assert_eq!(events().await, StatusCode::OK);
    let path = format!("members/{}", house.admin_id);
    assert_eq!(house.call(&house.owner, Method::PATCH, &path, json!({ "builtin_role": "member" })).await, "200");
    assert_eq!(events().await, StatusCode::FORBIDDEN);
    assert_eq!(house.call(&house.owner, Method::DELETE, &path, json!(null)).await, "204");
    assert_eq!(events().await, StatusCode::UNAUTHORIZED);
}
