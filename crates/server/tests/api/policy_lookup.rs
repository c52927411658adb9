//! `/api/v1/policy-lookup`.

use insta::assert_snapshot;
use serde_json::json;

use super::play;

const LOOKUP: &str = "/api/v1/policy-lookup";

#[tokio::test]
async fn a_lookup_says_which_policy_and_why() {
    let transcript = play(async |s| {
        let server = &s.server;
        let (mia, max) = (server.member("mia@acme.example").await, server.member("max@acme.example").await);
        server.member("zoe@acme.example").await;
        let (ops, dev) = (server.group("Ops", &[&mia]).await, server.group("Dev", &[&mia, &max]).await);
        let strict = server.policy("Strict", "allowed_approval_policies = [\"on-request\"]\n").await;
        let lax = server.policy("Lax", "allowed_web_search_modes = [\"cached\"]\n").await;
        s.says("No rules");
        s.get(&format!("{LOOKUP}?email=mia%40acme.example")).await;
        let rule = |group: &str, policy: &str| json!({ "group_id": group, "policy_id": policy });
        let rules = json!({ "rules": [rule(&ops, &strict), rule(&dev, &lax)], "fallback_policy_id": lax });
        s.server.put("/api/v1/policy-rules", rules).await.ok();
        s.says("By the first rule, the second, the fallback");
        for name in ["MIA", "max", "zoe"] {
            s.get(&format!("{LOOKUP}?email={name}%40acme.example")).await;
        }
        s.says("A group's");
        s.get(&format!("{LOOKUP}?group_id={dev}")).await;
        s.says("What cannot be");
        for query in [
            String::new(),
            "?email=".to_owned(),
            "?email=nobody%40acme.example".to_owned(),
            "?email=%00".to_owned(),
            format!("?group_id={mia}"),
            format!("?group_id=grp_{}", "0".repeat(32)),
            format!("?email=mia%40acme.example&group_id={dev}"),
        ] {
            s.get(&format!("{LOOKUP}{query}")).await;
        }
        s.says("The first rule's group is gone");
        s.server.delete(&format!("/api/v1/groups/{ops}")).await.ok();
        s.get(&format!("{LOOKUP}?email=mia%40acme.example")).await;
    });
    assert_snapshot!(transcript.await);
}
