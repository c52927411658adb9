//! Another workspace's things are not there.

use http::{Method, StatusCode};
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{ApiKeyId, ApiKeyStatus, BuiltinRole, Email, MemberId, Scope};
use provost_store::Touched;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::members::{self, MemberRow};
use provost_testkit::server::{As, Server};
use provost_web::Secret;
use serde_json::{Value, json};

use super::{BOTH, PATIENT, status};

/// Makes a second workspace on the server: its owner's id and a key with every scope.
pub(crate) async fn second_workspace(server: &Server) -> (String, As) {
    let store = &server.node.app.store;
    let mut change = store.create_workspace("Other", Actor::system(), Origin::default()).await.unwrap();
    let (ws, now) = (change.workspace_id(), change.at());
    let owner = MemberRow {
        id: MemberId::new(now),
        email: Email::try_from("owner@other.example".to_owned()).unwrap(),
        name: String::new(),
        active: true,
        builtin_role: BuiltinRole::Owner,
        created_at: now,
        updated_at: now,
    };
    members::insert(&mut change, ws, &owner, None).await.unwrap();
    let secret = Secret::new("pk-");
    let key = ApiKeyRow {
        last4: "last".to_owned(),
        scopes: Scope::ALL.to_vec(),
        status: ApiKeyStatus::Active,
        ..ApiKeyRow::new(ApiKeyId::new(now), "Other", now)
    };
    api_keys::insert(&mut change, ws, &key, &secret.hash).await.unwrap();
    for touched in [Touched::Workspace, Touched::Member(owner.id), Touched::ApiKey(key.id)] {
        change.touch(touched);
    }
    change.record(EventType::WorkspaceCreated, Target::new("workspace", ws, "Other"), json!({}));
    change.commit().await.unwrap();
    (owner.id.to_string(), As::Key(secret.text))
}

#[tokio::test]
async fn another_workspace_s_ids_are_not_found() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (other_owner, other) = second_workspace(&server).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let mia = server.member("mia@acme.example").await;
        let ops = server.group("Ops", &[&mia]).await;
        let role = server.post("/api/v1/roles", json!({ "name": "r", "permissions": [] })).await.text("id");
        let contents = "allowed_approval_policies = [\"on-request\"]\n";
        let policy = server.policy("p", contents).await;
        let upstream = server.upstream("https://x.example", &["a"]).await;
        let key = server.post("/api/v1/api-keys", json!({ "name": "k", "scopes": ["admin"] })).await.text("id");
        server.access_token("mia@acme.example").await;
        let token = server.get("/api/v1/access-tokens").await.ok()["data"][0]["id"].as_str().unwrap().to_owned();
        let event = server.events("group.created").await[0]["id"].as_str().unwrap().to_owned();
        let their_group =
            server.call(&other, Method::POST, "/api/v1/groups", Some(json!({ "name": "Ops" }))).await.text("id");
        let their_role = json!({ "name": "r", "permissions": [] });
        let their_role = server.call(&other, Method::POST, "/api/v1/roles", Some(their_role)).await.text("id");

        let mut calls: Vec<(Method, String, Option<Value>)> = Vec::new();
        let publish = json!({ "name": "p", "contents": contents });
        for (path, change) in [
            (format!("members/{mia}"), Some((Method::PATCH, json!({ "name": "x" })))),
            (format!("groups/{ops}"), Some((Method::PATCH, json!({ "name": "x" })))),
            (format!("roles/{role}"), Some((Method::PATCH, json!({ "name": "x" })))),
            (format!("policies/{policy}"), Some((Method::PUT, publish))),
            (format!("upstreams/{upstream}"), Some((Method::PATCH, json!({ "name": "x" })))),
            (format!("api-keys/{key}"), None),
            (format!("access-tokens/{token}"), None),
        ] {
            if let Some((method, body)) = change {
                calls.push((Method::GET, path.clone(), None));
                calls.push((method, path.clone(), Some(body)));
            }
            calls.push((Method::DELETE, path, None));
        }
        for path in [
            format!("members/{mia}/permissions"),
            format!("groups/{ops}/members"),
            format!("policies/{policy}/versions"),
            format!("policies/{policy}/versions/1"),
            format!("policies/{policy}/diff"),
            format!("policy-lookup?group_id={ops}"),
            "policy-lookup?email=mia@acme.example".to_owned(),
        ] {
            calls.push((Method::GET, path, None));
        }
        for path in [
            format!("groups/{ops}/members/{other_owner}"),
            format!("groups/{their_group}/members/{mia}"),
            format!("roles/{role}/groups/{their_group}"),
            format!("roles/{their_role}/groups/{ops}"),
            format!("roles/{role}/members/{other_owner}"),
            format!("roles/{their_role}/members/{mia}"),
        ] {
            calls.push((Method::PUT, path.clone(), None));
            calls.push((Method::DELETE, path, None));
        }
        for (method, path, body) in calls {
            let answer = server.call(&other, method.clone(), &format!("/api/v1/{path}"), body).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.body);
            assert_eq!(answer.body["error"]["code"], "not_found");
        }
        let rules = |group: &str, policy: &str| json!({ "rules": [{ "group_id": group, "policy_id": policy }], "fallback_policy_id": null });
        let answer = server.call(&other, Method::PUT, "/api/v1/policy-rules", Some(rules(&ops, &policy))).await;
        assert_eq!(status(&answer), "422 unknown_group rules[0].group_id");
        let answer = server.call(&other, Method::PUT, "/api/v1/policy-rules", Some(rules(&their_group, &policy))).await;
        assert_eq!(status(&answer), "422 unknown_policy rules[0].policy_id");
        let answer = server.call(&other, Method::PUT, "/api/v1/default-role", Some(json!({ "role_id": role }))).await;
        assert_eq!(status(&answer), "422 unknown_role role_id");
        let answer = server.call(&other, Method::GET, &format!("/api/v1/events?after={event}"), None).await;
        assert_eq!(status(&answer), "422 unknown_event after");
        for list in ["members", "groups", "roles", "policies", "upstreams", "api-keys", "access-tokens", "events"] {
            let text = server.call(&other, Method::GET, &format!("/api/v1/{list}"), None).await.ok().to_string();
            for ours in [&mia, &ops, &role, &policy, &upstream, &key, &token, &event, &server.workspace_id] {
                assert!(!text.contains(ours.as_str()), "{list} shows {ours}");
            }
        }
        // The same address may be in both; ours was untouched by all of that.
        let same = json!({ "email": "mia@acme.example" });
        assert_eq!(server.call(&other, Method::POST, "/api/v1/members", Some(same)).await.status, StatusCode::CREATED);
        assert_eq!(server.get(&format!("/api/v1/members/{mia}")).await.text("name"), "");
        assert_eq!(server.get(&format!("/api/v1/groups/{ops}")).await.ok()["member_count"], 1);
    }
}
