//! `/api/v1/default-role`.

use insta::assert_snapshot;
use serde_json::json;

use super::play;

#[tokio::test]
async fn the_default_role_is_chosen_and_taken_back() {
    let transcript = play(async |s| {
        let role = json!({ "name": "Everybody", "permissions": ["codex.cloud.use"] });
        let role = s.server.post("/api/v1/roles", role).await.text("id");
        s.get("/api/v1/default-role").await;
        s.put("/api/v1/default-role", json!({ "role_id": role })).await;
        s.get("/api/v1/default-role").await;
        s.says("While it is the default, it stays");
        s.delete(&format!("/api/v1/roles/{role}")).await;
        s.says("What cannot be");
        s.put("/api/v1/default-role", json!({})).await;
        s.put("/api/v1/default-role", json!({ "role_id": "pol_1" })).await;
        s.put("/api/v1/default-role", json!({ "role_id": format!("role_{}", "0".repeat(32)) })).await;
        s.says("None");
        s.put("/api/v1/default-role", json!({ "role_id": null })).await;
        s.get("/api/v1/default-role").await;
        s.delete(&format!("/api/v1/roles/{role}")).await;
    });
    assert_snapshot!(transcript.await);
}
