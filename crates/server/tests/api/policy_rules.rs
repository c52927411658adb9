//! `/api/v1/policy-rules`.

use insta::assert_snapshot;
use serde_json::json;

use super::play;

const RULES: &str = "/api/v1/policy-rules";

#[tokio::test]
async fn rules_are_replaced_whole_or_not_at_all() {
    let transcript = play(async |s| {
        let server = &s.server;
        let (ops, dev) = (server.group("Ops", &[]).await, server.group("Dev", &[]).await);
        let strict = server.policy("Strict", "allowed_approval_policies = [\"on-request\"]\n").await;
        let lax = server.policy("Lax", "allowed_web_search_modes = [\"cached\"]\n").await;
        let rule = |group: &str, policy: &str| json!({ "group_id": group, "policy_id": policy });
        let unknown = |prefix: &str| format!("{prefix}_{}", "0".repeat(32));
        s.get(RULES).await;
        s.put(RULES, json!({ "rules": [rule(&ops, &strict), rule(&dev, &lax)], "fallback_policy_id": lax })).await;
        s.put(RULES, json!({ "rules": [rule(&dev, &lax), rule(&ops, &strict)], "fallback_policy_id": null })).await;
        s.get(RULES).await;
        s.says("What cannot be, and leaves them as they were");
        for body in [
            json!({ "rules": [rule(&dev, &lax), rule(&unknown("grp"), &strict)], "fallback_policy_id": null }),
            json!({ "rules": [rule(&ops, &unknown("pol"))], "fallback_policy_id": null }),
            json!({ "rules": [rule(&ops, &lax), rule(&ops, &strict)], "fallback_policy_id": null }),
            json!({ "rules": [rule(&lax, &ops)], "fallback_policy_id": null }),
            json!({ "rules": [], "fallback_policy_id": unknown("pol") }),
            json!({ "rules": [{ "group_id": ops }], "fallback_policy_id": null }),
            json!({ "rules": [{ "group_id": ops, "policy_id": lax, "position": 1 }], "fallback_policy_id": null }),
            json!({ "rules": [] }),
            json!({ "fallback_policy_id": null }),
            json!({ "rules": null, "fallback_policy_id": null }),
            json!({ "rules": [], "fallback_policy_id": null, "default": 1 }),
        ] {
            s.put(RULES, body).await;
        }
        let many: Vec<_> = (0..1001).map(|_| rule(&ops, &lax)).collect();
        let answer = s.server.put(RULES, json!({ "rules": many, "fallback_policy_id": null })).await;
        assert_eq!(super::status(&answer), "422 too_many rules");
        s.get(RULES).await;
        s.says("A rule whose group is gone stays, and matches nobody");
        s.delete(&format!("/api/v1/groups/{ops}")).await;
        s.get(RULES).await;
    });
    assert_snapshot!(transcript.await);
}
