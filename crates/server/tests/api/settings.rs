//! `/api/v1/settings`.

use http::Method;
use insta::assert_snapshot;
use serde_json::json;

use super::play;

#[tokio::test]
async fn settings_change_only_where_they_are_named() {
    let transcript = play(async |s| {
        s.says("The defaults of a new workspace");
        s.get("/api/v1/settings").await;
        s.says("A change of two, then of none");
        s.patch("/api/v1/settings", json!({ "codex_local": false, "name": " Acme GmbH " })).await;
        s.patch("/api/v1/settings", json!({})).await;
        s.says("A number that may be null");
        s.patch("/api/v1/settings", json!({ "access_token_max_days": 30 })).await;
        s.patch("/api/v1/settings", json!({ "retention_days": 365 })).await;
        s.patch("/api/v1/settings", json!({ "access_token_max_days": null })).await;
        s.says("What cannot be");
        for body in [
            json!({ "codex_lokal": true }),
            json!({ "codex_local": null }),
            json!({ "codex_local": "yes" }),
            json!({ "name": "" }),
            json!({ "name": null }),
            json!({ "access_token_max_days": 0 }),
            json!({ "access_token_max_days": -1 }),
            json!({ "access_token_max_days": 4_000_000_000_u32 }),
            json!({ "access_token_max_days": 1e30 }),
            json!({ "retention_days": 0 }),
            json!({ "retention_days": 3651 }),
            json!([]),
            json!(null),
        ] {
            s.patch("/api/v1/settings", body).await;
        }
        s.says("Everybody of the workspace sees them; few change them");
        s.server.member("mia@acme.example").await;
        let mia = s.server.sign_in("mia@acme.example").await;
        s.call(&mia, Method::GET, "/api/v1/settings", None).await;
        s.call(&mia, Method::PATCH, "/api/v1/settings", Some(json!({ "codex_local": true }))).await;
    });
    assert_snapshot!(transcript.await);
}
