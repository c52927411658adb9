//! Repositories that mean harm to the server that looks at them, not to themselves.

use provost_policy::team_config::rules::Evaluator;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::policy_explain::ruled;

const CHECK: &str = "/api/v1/team-config/check";

async fn server() -> Server {
    Evaluator::always_with(env!("CARGO_BIN_EXE_provost"));
    Server::start().await
}

#[tokio::test]
async fn a_value_as_deep_as_toml_lets_it_be_is_not_written_out() {
    let server = server().await;
    ruled(&server).await;
    // Dotted keys in brackets: some six thousand levels, in a value that the policy overrides.
    let level = format!("{{ {}a = [", "a.".repeat(78));
    let deepest = format!("{}1{}", level.repeat(39), "] }".repeat(39));
    let config = format!("approval_policy = [{deepest}]\n[features]\nmemories = [{deepest}]\nunknown = [{deepest}]\n");
    let policy = "allowed_approval_policies = [\"on-request\"]\n[features]\nmemories = false\n";
    let policy = json!({ "name": "Careful", "contents": policy });
    let id = server.post("/api/v1/policies", policy).await.text("id");
    let files = json!({ ".codex/config.toml": config });
    let body = json!({ "repositories": [{ "name": "app", "files": files }], "policy_id": id });
    let answer = server.post(CHECK, body).await.ok();
    let overridden = answer["repositories"][0]["overridden"].as_array().unwrap();
    let keys: Vec<&Value> = overridden.iter().map(|overridden| &overridden["key"]).collect();
    assert_eq!(keys, ["approval_policy", "features.memories"], "{answer}");
    assert!(overridden[0]["value"].to_string().contains("nested too deeply"), "{answer}");

    let ask = json!({ "email": "mia@acme.example", "team_config": files, "user_config": config });
    let explained = server.post("/api/v1/policy-explain", ask).await.ok();
    assert!(explained.to_string().contains("nested too deeply"), "{explained}");
}

#[tokio::test]
async fn after_three_files_that_cost_too_much_the_rest_is_not_evaluated() {
    let server = server().await;
    let costly = "def f(n):\n    for i in range(1000000):\n        for j in range(1000000):\n            n + 1\nf(1)";
    let files = json!({
        ".codex/rules/1.rules": costly,
        ".codex/rules/2.rules": costly,
        ".codex/rules/3.rules": costly,
        ".codex/rules/4.rules": "prefix_rule(pattern=[\"a\"])",
    });
    let repository = |name: &str| json!({ "name": name, "files": files });
    let answer = server.post(CHECK, json!({ "repositories": [repository("a"), repository("b")] })).await.ok();
    let codes = |index: usize| -> Vec<Value> {
        let found = answer["repositories"][index]["problems"].as_array().unwrap().iter();
        found.map(|found| found["code"].clone()).collect()
    };
    assert_eq!(codes(0), ["too_expensive", "too_expensive", "too_expensive", "not_evaluated"]);
    assert_eq!(codes(1), ["not_evaluated"; 4], "and another repository does not begin anew");
}
