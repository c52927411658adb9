//! `/api/v1/members`.

use insta::assert_snapshot;
use provost_testkit::server::PASSWORD;
use serde_json::json;

use super::play;

const MEMBERS: &str = "/api/v1/members";

#[tokio::test]
async fn members_come_change_and_go() {
    let transcript = play(async |s| {
        s.says("With a password, and with an invitation");
        let body = json!({ "email": "Mia@Acme.example", "name": "Mia", "password": PASSWORD, "builtin_role": "admin" });
        let mia = s.post(MEMBERS, body).await.text("id");
        s.post(MEMBERS, json!({ "email": "max@acme.example" })).await;
        s.says("Seen");
        s.get(&format!("{MEMBERS}/{mia}")).await;
        s.get(&format!("{MEMBERS}?email=mia%40ACME.example")).await;
        s.get(&format!("{MEMBERS}?email=nobody%40acme.example")).await;
        s.get(&format!("{MEMBERS}?limit=2")).await;
        s.says("Changed where named; suspended; let back in");
        s.patch(&format!("{MEMBERS}/{mia}"), json!({ "name": "Mia M." })).await;
        s.patch(&format!("{MEMBERS}/{mia}"), json!({ "builtin_role": "member", "email": "mia.m@acme.example" })).await;
        s.patch(&format!("{MEMBERS}/{mia}"), json!({ "active": false })).await;
        s.patch(&format!("{MEMBERS}/{mia}"), json!({ "active": true })).await;
        s.patch(&format!("{MEMBERS}/{mia}"), json!({})).await;
        s.says("Deleted");
        s.delete(&format!("{MEMBERS}/{mia}")).await;
        s.get(&format!("{MEMBERS}/{mia}")).await;
        s.patch(&format!("{MEMBERS}/{mia}"), json!({ "name": "x" })).await;
        s.delete(&format!("{MEMBERS}/{mia}")).await;
        s.get(&format!("{MEMBERS}/{mia}/permissions")).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn members_that_cannot_be() {
    let transcript = play(async |s| {
        let email = |text: &str| json!({ "email": text });
        s.server.post(MEMBERS, email("zo\u{eb}@acme.example")).await.ok();
        let max = s.server.post(MEMBERS, email("max@acme.example")).await.text("id");
        s.says("The same address, in another case or Unicode form");
        for same in [
            "zo\u{eb}@acme.example",
            "ZO\u{cb}@Acme.Example",
            "zoe\u{308}@acme.example",
            "zo\u{eb}@\u{ff41}cme.example",
        ] {
            s.post(MEMBERS, email(same)).await;
        }
        s.patch(&format!("{MEMBERS}/{max}"), email("ZOE\u{308}@acme.example")).await;
        s.says("What is no address, no password, no role, no field");
        for body in [
            json!({}),
            email(""),
            email("a@b@c.example"),
            email("a\u{0}@acme.example"),
            email("a\u{202e}@acme.example"),
            json!({ "email": "a@acme.example", "password": "short" }),
            json!({ "email": "a@acme.example", "password": "x".repeat(1025) }),
            json!({ "email": "a@acme.example", "name": "a\u{0}b" }),
            json!({ "email": "a@acme.example", "name": "a\nb" }),
            json!({ "email": "a@acme.example", "name": "n".repeat(201) }),
            json!({ "email": "a@acme.example", "builtin_role": "god" }),
            json!({ "email": "a@acme.example", "admin": true }),
            json!({ "email": 7 }),
        ] {
            s.post(MEMBERS, body).await;
        }
        s.says("None of them was stored");
        s.get(&format!("{MEMBERS}?email=a%40acme.example")).await;
        s.says("The last owner stays");
        let owner = s.server.owner_id.clone();
        let path = format!("{MEMBERS}/{owner}");
        let session = s.owner().await;
        s.call(&session, http::Method::PATCH, &path, Some(json!({ "active": false }))).await;
        s.call(&session, http::Method::PATCH, &path, Some(json!({ "builtin_role": "admin" }))).await;
        s.call(&session, http::Method::DELETE, &path, None).await;
        s.says("With a second one, the first may go");
        let body = json!({ "email": "second@acme.example", "builtin_role": "owner" });
        s.call(&session, http::Method::POST, MEMBERS, Some(body)).await;
        s.call(&session, http::Method::PATCH, &path, Some(json!({ "builtin_role": "member" }))).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn every_grant_names_its_reason() {
    let transcript = play(async |s| {
        let server = &s.server;
        let mia = server.member("mia@acme.example").await;
        let ops = server.group("Ops", &[&mia]).await;
        let role = |name: &str, permissions: &[&str]| json!({ "name": name, "permissions": permissions });
        let direct = server.post("/api/v1/roles", role("Direct", &["codex.cloud.use"])).await.text("id");
        let grouped =
            server.post("/api/v1/roles", role("Grouped", &["codex.cloud.use", "events.read"])).await.text("id");
        let default = server.post("/api/v1/roles", role("Default", &["codex.slack.post_answers"])).await.text("id");
        server.put("/api/v1/default-role", json!({ "role_id": default })).await.ok();
        server.patch("/api/v1/settings", json!({ "codex_cloud": true })).await.ok();
        server.patch(&format!("{MEMBERS}/{mia}"), json!({ "builtin_role": "analytics_viewer" })).await.ok();
        s.says("By settings, built-in role and default role");
        let permissions = format!("{MEMBERS}/{mia}/permissions");
        s.get(&permissions).await;
        s.says("With custom roles the default role is out");
        s.put(&format!("/api/v1/roles/{direct}/members/{mia}"), json!(null)).await;
        s.put(&format!("/api/v1/roles/{grouped}/groups/{ops}"), json!(null)).await;
        s.get(&permissions).await;
        s.says("A suspended member may nothing");
        s.server.patch(&format!("{MEMBERS}/{mia}"), json!({ "active": false })).await.ok();
        s.get(&permissions).await;
    });
    assert_snapshot!(transcript.await);
}
