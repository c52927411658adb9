//! `/api/v1/roles` and who has them.

use insta::assert_snapshot;
use serde_json::json;

use super::play;

const ROLES: &str = "/api/v1/roles";

#[tokio::test]
async fn roles_and_who_has_them() {
    let transcript = play(async |s| {
        let mia = s.server.member("mia@acme.example").await;
        let ops = s.server.group("Ops", &[&mia]).await;
        s.says("Made, seen, changed where named");
        let body = json!({ "name": "Pilots", "description": "First to fly", "permissions": ["codex.cloud.use", "codex.local.use"] });
        let role = s.post(ROLES, body).await.text("id");
        s.post(ROLES, json!({ "name": "Empty", "permissions": [] })).await;
        s.get(&format!("{ROLES}/{role}")).await;
        s.patch(&format!("{ROLES}/{role}"), json!({ "permissions": ["codex.local.use", "codex.local.use"] })).await;
        s.patch(&format!("{ROLES}/{role}"), json!({ "description": "" })).await;
        s.patch(&format!("{ROLES}/{role}"), json!({})).await;
        s.says("Given to a group and to a member, twice, and taken, twice");
        for path in [format!("{ROLES}/{role}/groups/{ops}"), format!("{ROLES}/{role}/members/{mia}")] {
            s.put(&path, json!(null)).await;
            s.put(&path, json!(null)).await;
        }
        s.get(&format!("{ROLES}/{role}")).await;
        for path in [format!("{ROLES}/{role}/groups/{ops}"), format!("{ROLES}/{role}/members/{mia}")] {
            s.delete(&path).await;
            s.delete(&path).await;
        }
        s.get(ROLES).await;
        s.says("What cannot be");
        for body in [
            json!({ "name": "pilots", "permissions": [] }),
            json!({ "name": "x" }),
            json!({ "name": "x", "permissions": ["codex.fly"] }),
            json!({ "name": "x", "permissions": "codex.local.use" }),
            json!({ "name": "x", "permissions": [], "description": "a\u{0}b" }),
            json!({ "name": "x", "permissions": [], "description": "d".repeat(501) }),
            json!({ "name": "x", "permissions": [], "groups": [] }),
        ] {
            s.post(ROLES, body).await;
        }
        s.patch(&format!("{ROLES}/{role}"), json!({ "name": "EMPTY" })).await;
        s.patch(&format!("{ROLES}/{role}"), json!({ "name": null })).await;
        s.put(&format!("{ROLES}/{role}/groups/{mia}"), json!(null)).await;
        s.put(&format!("{ROLES}/{role}/members/{ops}"), json!(null)).await;
        s.says("Deleted");
        s.delete(&format!("{ROLES}/{role}")).await;
        s.get(&format!("{ROLES}/{role}")).await;
        s.delete(&format!("{ROLES}/{role}")).await;
        s.put(&format!("{ROLES}/{role}/members/{mia}"), json!(null)).await;
    });
    assert_snapshot!(transcript.await);
}
