//! A member's policy, as their client fetches it: `client-contract.md` §2.

use http::{Method, StatusCode};
use provost_testkit::server::{As, Server};
use serde_json::json;

use super::{BOTH, PATIENT, client, status};

const BUNDLES: [&str; 4] = [
    "/backend-api/wham/config/bundle",
    "/api/codex/config/bundle",
    "/codex/config/bundle",
    "/backend-api//wham/config/bundle",
];
const REQUIREMENTS: [&str; 2] = ["/backend-api/wham/config/requirements", "/api/codex/config/requirements"];
const STRICT: &str = "allowed_approval_policies = [\"on-request\"]\n";
const LAX: &str = "allowed_web_search_modes = [\"cached\"]\n";

#[tokio::test]
async fn each_member_gets_their_own_policy_on_every_path() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let mia = server.member("mia@acme.example").await;
        server.member("max@acme.example").await;
        let ops = server.group("Ops", &[&mia]).await;
        let strict = json!({ "name": "Strict", "contents": STRICT, "defaults": "model = \"gpt-5\"\n" });
        let strict = server.post("/api/v1/policies", strict).await.text("id");
        let lax = server.policy("Lax", LAX).await;
        let (mia_token, max_token) =
            (server.access_token("mia@acme.example").await, server.access_token("max@acme.example").await);
        let empty = json!({ "config_toml": null, "requirements_toml": null });
        for path in BUNDLES {
            assert_eq!(client(&server, &mia_token, path).await.ok(), empty, "{path}: no rules yet");
        }
        let rules = json!({ "rules": [{ "group_id": ops, "policy_id": strict }], "fallback_policy_id": lax });
        server.put("/api/v1/policy-rules", rules).await.ok();
        let fragment = |id: &str, name: &str, text: &str| json!({ "enterprise_managed": [{ "id": id, "name": name, "contents": text }] });
        for path in BUNDLES {
            let answer = client(&server, &mia_token, path).await;
            assert_eq!(answer.headers["content-type"], "application/json");
            assert_eq!(answer.headers["cache-control"], "private, no-store");
            let expected = json!({
                "config_toml": fragment(&strict, "Strict", "model = \"gpt-5\"\n"),
                "requirements_toml": fragment(&strict, "Strict", STRICT),
            });
            assert_eq!(answer.ok(), expected, "{path}");
            let expected = json!({ "config_toml": null, "requirements_toml": fragment(&lax, "Lax", LAX) });
            assert_eq!(client(&server, &max_token, path).await.ok(), expected, "{path}");
        }
        for path in REQUIREMENTS {
            assert_eq!(client(&server, &mia_token, path).await.ok(), json!({ "contents": STRICT }), "{path}");
            assert_eq!(client(&server, &max_token, path).await.ok(), json!({ "contents": LAX }), "{path}");
        }
        let fetched = server.events("policy.fetched").await;
        // One for each member, policy and endpoint: what repeats within a minute is counted.
        let seen: Vec<_> =
            fetched.iter().map(|event| (&event["actor"]["email"], &event["details"]["endpoint"])).collect();
        assert_eq!(seen.len(), 5, "{seen:?}");
        assert!(
            fetched.iter().any(|event| event["target"]["id"] == strict.as_str() && event["details"]["version"] == 1)
        );
        // A new version is there at the next fetch.
        server.put(&format!("/api/v1/policies/{lax}"), json!({ "name": "Lax", "contents": STRICT })).await.ok();
        assert_eq!(client(&server, &max_token, REQUIREMENTS[0]).await.ok(), json!({ "contents": STRICT }));
    }
}

#[tokio::test]
async fn who_may_not_use_codex_gets_a_valid_bundle_that_is_empty() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    server.member("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let lax = server.policy("Lax", LAX).await;
    server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": lax })).await.ok();
    server.patch("/api/v1/settings", json!({ "codex_local": false })).await.ok();
    for path in BUNDLES {
        let empty = json!({ "config_toml": null, "requirements_toml": null });
        assert_eq!(client(&server, &token, path).await.ok(), empty, "{path}");
    }
    assert_eq!(client(&server, &token, REQUIREMENTS[0]).await.ok(), json!({ "contents": null }));
    server.patch("/api/v1/settings", json!({ "codex_local": true })).await.ok();
    assert_eq!(client(&server, &token, REQUIREMENTS[0]).await.ok(), json!({ "contents": LAX }));
}

#[tokio::test]
async fn nobody_gets_nothing_and_hears_it_in_json() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    server.member("mia@acme.example").await;
    let session = server.sign_in("mia@acme.example").await;
    for path in BUNDLES.into_iter().chain(REQUIREMENTS) {
        let answer = server.call(&As::Nobody, Method::GET, path, None).await;
        assert_eq!((answer.status, status(&answer).as_str()), (StatusCode::UNAUTHORIZED, "401 unauthorized"), "{path}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        for authorization in ["Bearer", "Bearer ", "Bearer at-unknown", "Basic YTpi", "at-unknown", "Bearer a b"] {
            let request = server.request(Method::GET, path).header("authorization", authorization);
            assert_eq!(status(&server.send(request).await), "401 unauthorized", "{path} {authorization}");
        }
        // A browser's session is no client.
        assert_eq!(server.call(&session, Method::GET, path, None).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(server.call(&As::Nobody, Method::POST, path, None).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}
