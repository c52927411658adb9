//! What clients are told before their first turn.

use serde_json::json;

use super::app::{TestApp, answer};

#[tokio::test]
async fn clients_see_what_the_workspace_serves() {
    let app = TestApp::start().await;
    let models = json!([
        { "slug": "gpt-5-codex", "display_name": "Codex" },
        // Listed twice: the older upstream serves it.
        { "slug": "gpt-test" },
    ]);
    let body = json!({ "name": "Second", "base_url": "https://models.example.com/v1", "models": models });
    assert_eq!(app.admin("POST", "/api/v1/upstreams", Some(body)).await.status, 201);
    let get = |path: &str| answer(app.http.get(format!("{}{path}", app.url)).bearer_auth(&app.access_token));

    let codex = get("/backend-api/codex/models?client_version=0.169.0").await;
    insta::assert_json_snapshot!(codex.json());
    let as_provider = get("/v1/models?client_version=0.169.0").await;
    assert_eq!(as_provider.json(), codex.json());
    insta::assert_json_snapshot!(get("/v1/models").await.json(), @r#"
    {
      "data": [
        {
          "created": 0,
          "id": "gpt-5-codex",
          "object": "model",
          "owned_by": "Second"
        },
        {
          "created": 0,
          "id": "gpt-test",
          "object": "model",
          "owned_by": "scripted"
        }
      ],
      "object": "list"
    }
    "#);
}

#[tokio::test]
async fn the_account_is_the_workspace_and_nothing_is_used_up() {
    let app = TestApp::start().await;
    let get = |path: &'static str| answer(app.http.get(format!("{}{path}", app.url)).bearer_auth(&app.access_token));
    for path in ["/backend-api/wham/accounts/check", "/api/codex/accounts/check", "/backend-api//wham/accounts/check"] {
        let account = json!({
            "id": app.workspace_id, "name": "Example",
            "workspace_backend_origin": "NO_CONSTRAINT", "account_routing_override": "NO_CONSTRAINT",
        });
        assert_eq!(get(path).await.json(), json!({ "accounts": [account] }));
    }
    for path in ["/backend-api/wham/usage", "/api/codex/usage"] {
        let usage = get(path).await.json();
        assert_eq!(usage["rate_limit"]["allowed"], true);
        assert_eq!(usage["credits"]["unlimited"], true);
    }
}
