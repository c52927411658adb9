//! Roles and policies follow groups, without anybody touching Provost.

use http::Method;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, GROUPS, USERS, call, group, key, patch, status, user};

async fn permissions(server: &Server, id: &str) -> String {
    server.get(&format!("/api/v1/members/{id}/permissions")).await.ok().to_string()
}

async fn policy(server: &Server) -> Value {
    server.get("/api/v1/policy-lookup?email=mia%40acme.example").await.ok()
}

#[tokio::test]
async fn a_member_has_what_their_groups_have() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let mia = call(&server, &key, Method::POST, USERS, Some(user("mia@acme.example"))).await.text("id");
        let ops = call(&server, &key, Method::POST, GROUPS, Some(group("Ops", &[]))).await.text("id");
        let role = json!({ "name": "Reader", "permissions": ["members.read"] });
        let role = server.post("/api/v1/roles", role).await.text("id");
        server.put(&format!("/api/v1/roles/{role}/groups/{ops}"), Value::Null).await.ok();
        let strict = server.policy("Strict", "allowed_approval_policies = [\"on-request\"]\n").await;
        let rules = json!({ "rules": [{ "group_id": ops, "policy_id": strict }], "fallback_policy_id": null });
        server.put("/api/v1/policy-rules", rules).await.ok();
        let path = format!("{GROUPS}/{ops}");
        let is_in = async |wanted: bool| {
            assert_eq!(permissions(&server, &mia).await.contains("Reader"), wanted);
            let policy = policy(&server).await;
            assert_eq!(policy["policy"]["name"] == "Strict", wanted, "{policy}");
        };
        is_in(false).await;
        let op = |op: &str| Some(patch(json!([{ "op": op, "path": "members", "value": [{ "value": mia }] }])));
        assert_eq!(status(&call(&server, &key, Method::PATCH, &path, op("add")).await), "204");
        is_in(true).await;
        let rename = patch(json!([{ "op": "replace", "path": "displayName", "value": "Operations" }]));
        assert_eq!(status(&call(&server, &key, Method::PATCH, &path, Some(rename)).await), "204");
        is_in(true).await;
        assert_eq!(status(&call(&server, &key, Method::PATCH, &path, op("remove")).await), "204");
        is_in(false).await;
        assert_eq!(status(&call(&server, &key, Method::PATCH, &path, op("add")).await), "204");
        assert_eq!(status(&call(&server, &key, Method::DELETE, &path, None).await), "204");
        is_in(false).await;
        let rules = server.get("/api/v1/policy-rules").await.ok();
        assert_eq!(rules["rules"][0]["dangling"], true, "{rules}");
        assert_eq!(policy(&server).await["considered"][0]["dangling"], true);
        let roles = server.get(&format!("/api/v1/roles/{role}")).await.ok();
        assert!(!roles.to_string().contains(&ops), "{roles}");
    }
}

#[tokio::test]
async fn whom_the_provider_suspends_is_out_at_once() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let key = key(&server, &["scim"]).await;
        let mia = server.member("mia@acme.example").await;
        let session = server.sign_in("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        let bundle = async || {
            let request = server.request(Method::GET, "/backend-api/wham/config/bundle").bearer_auth(&token);
            server.send(request).await.status.as_u16()
        };
        assert_eq!(bundle().await, 200);
        let off = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
        call(&server, &key, Method::PATCH, &format!("{USERS}/{mia}"), Some(off)).await.ok();
        assert_eq!(bundle().await, 401);
        let seen = server.call(&session, Method::GET, "/api/v1/session", None).await;
        assert_eq!(seen.status.as_u16(), 401);
        let receipts = server.events("member.deprovisioned").await;
        assert_eq!(receipts.len(), 1);
        assert_eq!(receipts[0]["details"]["ended"]["access_tokens"], 1, "{receipts:?}");
        assert_eq!(
            server.events("member.suspended").await[0]["details"]["deprovision_id"],
            receipts[0]["details"]["deprovision_id"]
        );
    }
}
