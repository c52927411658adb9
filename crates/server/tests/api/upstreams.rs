//! `/api/v1/upstreams`.

use insta::assert_snapshot;
use serde_json::json;

use super::play;

const UPSTREAMS: &str = "/api/v1/upstreams";

#[tokio::test]
async fn upstreams_are_kept_and_their_key_never_shows() {
    let transcript = play(async |s| {
        s.says("Whole, and with the least");
        let models = json!([
            { "slug": "gpt-5", "display_name": "GPT-5", "upstream_model": "gpt-5-2026", "input_price": 1.25,
              "cached_input_price": 0.125, "output_price": 10 },
        ]);
        let body = json!({ "name": "OpenAI", "base_url": "https://api.openai.com/v1", "api_key": "sk-very-secret", "models": models });
        let id = s.post(UPSTREAMS, body).await.text("id");
        s.post(
            UPSTREAMS,
            json!({ "name": "vLLM", "base_url": "http://10.0.0.7:8000/v1", "models": [{ "slug": "qwen" }] }),
        )
        .await;
        let path = format!("{UPSTREAMS}/{id}");
        s.get(&path).await;
        s.get(UPSTREAMS).await;
        s.says("Changed where named; null takes the key away");
        s.patch(&path, json!({ "name": "OpenAI EU" })).await;
        s.patch(&path, json!({ "api_key": null })).await;
        s.patch(&path, json!({ "models": [{ "slug": "gpt-5-mini" }] })).await;
        s.says("What cannot be");
        for patch in [
            json!({ "name": "VLLM" }),
            json!({ "name": null }),
            json!({ "base_url": "ftp://example.com" }),
            json!({ "base_url": "http://169.254.169.254/latest" }),
            json!({ "base_url": "https://user:pass@example.com" }),
            json!({ "api_key": "" }),
            json!({ "api_key": "a\u{0}b" }),
            json!({ "models": [] }),
            json!({ "models": [{ "slug": "a" }, { "slug": "a" }] }),
            json!({ "models": [{ "slug": "a", "display_name": "a\u{0}b" }] }),
            json!({ "models": [{ "slug": "a", "input_price": -1 }] }),
            json!({ "models": [{ "slug": "a", "speed": 1 }] }),
            json!({ "kind": "azure" }),
        ] {
            s.patch(&path, patch).await;
        }
        s.post(UPSTREAMS, json!({ "name": "x", "base_url": "https://x.example", "models": [{}] })).await;
        s.says("Removed");
        s.delete(&path).await;
        s.get(&path).await;
        s.delete(&path).await;
    });
    assert_snapshot!(transcript.await);
}
