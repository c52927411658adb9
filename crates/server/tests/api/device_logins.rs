//! `/api/v1/device-logins/{user_code}/…`.

use http::Method;
use insta::assert_snapshot;
use serde_json::json;

use super::issuer::device::start;
use super::play;

#[tokio::test]
async fn a_member_decides_on_a_device_once() {
    let transcript = play(async |s| {
        s.server.patch("/api/v1/settings", json!({ "device_code_login": true })).await.ok();
        s.server.member("mia@acme.example").await;
        let mia = s.server.sign_in("mia@acme.example").await;
        let path = |code: &str, decision: &str| format!("/api/v1/device-logins/{code}/{decision}");
        let (_, code) = start(&s.server).await;
        s.says("Not with an API key");
        s.post(&path(&code, "approve"), json!(null)).await;
        s.says("Approved, typed in lower case without its dash; then it is decided");
        let typed = code.to_lowercase().replace('-', "");
        assert_eq!(s.server.call(&mia, Method::POST, &path(&typed, "approve"), None).await.status.as_u16(), 204);
        s.call(&mia, Method::POST, &path(&code, "approve"), None).await;
        s.call(&mia, Method::POST, &path(&code, "deny"), None).await;
        s.says("Denied");
        let (_, code) = start(&s.server).await;
        s.call(&mia, Method::POST, &path(&code, "deny"), None).await;
        s.says("What is no code");
        for code in ["BCDF-BCDF", "x", "%FF", "%00", "a%2Fb"] {
            s.call(&mia, Method::POST, &path(code, "approve"), None).await;
        }
        s.says("Whoever may not sign in with a device code cannot approve one");
        let (_, code) = start(&s.server).await;
        s.server.patch("/api/v1/settings", json!({ "device_code_login": false })).await.ok();
        s.call(&mia, Method::POST, &path(&code, "approve"), None).await;
    });
    assert_snapshot!(transcript.await);
}
