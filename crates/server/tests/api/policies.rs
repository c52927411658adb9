//! `/api/v1/policies`.

use insta::assert_snapshot;
use serde_json::json;

use super::play;

const POLICIES: &str = "/api/v1/policies";
const CAREFUL: &str = "allowed_approval_policies = [\"on-request\"]\n";
const OFFLINE: &str = "allowed_web_search_modes = [\"cached\"]\n";

#[tokio::test]
async fn policies_are_published_version_by_version() {
    let transcript = play(async |s| {
        s.says("Published, alone and with defaults; a warning rides along");
        let id = s.post(POLICIES, json!({ "name": "Careful", "contents": CAREFUL })).await.text("id");
        let body = json!({ "name": "Both", "contents": "not_a_key = 1\n", "defaults": "model = \"gpt-5\"\n" });
        let both = s.post(POLICIES, body).await.text("id");
        s.get(&format!("{POLICIES}/{both}")).await;
        s.get(POLICIES).await;
        s.says("The same again is the same version; another text is the next, and so is another name");
        let path = format!("{POLICIES}/{id}");
        s.put(&path, json!({ "name": "Careful", "contents": CAREFUL })).await;
        s.put(&path, json!({ "name": "Careful", "contents": OFFLINE })).await;
        s.put(&path, json!({ "name": "Offline", "contents": OFFLINE, "defaults": null })).await;
        s.get(&format!("{path}/versions")).await;
        s.get(&format!("{path}/versions?limit=2")).await;
        s.get(&format!("{path}/versions/1")).await;
        for version in ["0", "4", "-1", "x", "99999999999999999999"] {
            s.get(&format!("{path}/versions/{version}")).await;
        }
        s.says("In use, it stays; the error names where");
        let ops = s.server.group("Ops", &[]).await;
        let rules = json!({ "rules": [{ "group_id": ops, "policy_id": id }], "fallback_policy_id": id });
        s.server.put("/api/v1/policy-rules", rules).await.ok();
        s.delete(&path).await;
        s.server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": null })).await.ok();
        s.delete(&path).await;
        s.get(&path).await;
        s.get(&format!("{path}/versions")).await;
        s.get(&format!("{path}/versions/1")).await;
        s.put(&path, json!({ "name": "Careful", "contents": CAREFUL })).await;
        s.delete(&path).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn what_would_stop_a_client_is_never_published() {
    let transcript = play(async |s| {
        let good = s.server.policy("Careful", CAREFUL).await;
        s.says("The guide's first example");
        let bad = "allowed_sandbox_modes = [\"workspace-write\"]\n";
        s.post(POLICIES, json!({ "name": "Bad", "contents": bad })).await;
        s.put(&format!("{POLICIES}/{good}"), json!({ "name": "Careful", "contents": bad })).await;
        s.says("Two mistakes; a mistake in the defaults; no TOML; a NUL");
        for (contents, defaults) in [
            ("allowed_approval_policies = [\"nver\"]\nallowed_web_search_modes = 1\n", None),
            (CAREFUL, Some("approval_policy = 7\n")),
            ("a = = b", None),
            ("a = \"\u{0}\"\n", None),
            (CAREFUL, Some("\u{0}")),
        ] {
            s.post(POLICIES, json!({ "name": "Bad", "contents": contents, "defaults": defaults })).await;
        }
        s.says("What cannot be for other reasons");
        for body in [
            json!({ "name": "careful", "contents": CAREFUL }),
            json!({ "name": "", "contents": CAREFUL }),
            json!({ "name": "a\u{0}", "contents": CAREFUL }),
            json!({ "name": "x" }),
            json!({ "contents": CAREFUL }),
            json!({ "name": "x", "contents": null }),
            json!({ "name": "x", "contents": CAREFUL, "version": 3 }),
        ] {
            s.post(POLICIES, body).await;
        }
        s.says("Nothing was stored");
        s.get(POLICIES).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn a_text_is_linted_without_being_stored() {
    let transcript = play(async |s| {
        for contents in ["", CAREFUL, "allowed_sandbox_modes = [\"workspace-write\"]\n", "x = 1\n", "= 1", "\u{0}"] {
            s.post(&format!("{POLICIES}/lint"), json!({ "contents": contents })).await;
        }
        s.post(&format!("{POLICIES}/lint"), json!({ "contents": CAREFUL, "defaults": "model = 1\n" })).await;
        s.post(&format!("{POLICIES}/lint"), json!({})).await;
        s.post(&format!("{POLICIES}/lint"), json!({ "contents": "", "strict": true })).await;
        s.get(POLICIES).await;
    });
    assert_snapshot!(transcript.await);
}
