//! `/api/v1/policy-explain` and `/api/v1/members/{id}/effective-policy`, and the verb that asks them.

use insta::assert_snapshot;
use provost_policy::team_config::rules::Evaluator;
use provost_testkit::server::Server;
use serde_json::{Value, json};
use tokio::process::Command;

use super::play;
use super::stage::BOTH;

const EXPLAIN: &str = "/api/v1/policy-explain";

const STRICT: &str = r#"allowed_approval_policies = ["on-request"]
allowed_sandbox_modes = ["read-only", "workspace-write"]
typo = 1

[features]
apps = false

[rules]
prefix_rules = [
    { pattern = [{ token = "git" }, { any_of = ["push", "commit"] }], decision = "prompt", justification = "shared history" },
    { pattern = [{ token = "rm" }], decision = "forbidden" },
]
"#;

pub(super) async fn ruled(server: &Server) -> (String, String) {
    Evaluator::always_with(env!("CARGO_BIN_EXE_provost"));
    let mia = server.member("mia@acme.example").await;
    let dev = server.group("Dev", &[&mia]).await;
    let body = json!({ "name": "Strict", "contents": STRICT, "defaults": "model = \"gpt-test\"\nsandbox_mode = \"read-only\"" });
    let strict = server.post("/api/v1/policies", body).await.ok()["id"].as_str().unwrap().to_owned();
    let rules = json!({ "rules": [{ "group_id": dev, "policy_id": strict }], "fallback_policy_id": null });
    server.put("/api/v1/policy-rules", rules).await.ok();
    (mia, dev)
}

fn key<'a>(answer: &'a Value, section: &str, name: &str) -> &'a Value {
    let keys = answer["keys"].as_array().unwrap();
    keys.iter()
        .find(|key| key["key"] == name && key["section"] == section)
        .unwrap_or_else(|| panic!("{name}: {answer:#}"))
}

#[tokio::test]
async fn an_explanation_says_what_binds_and_why() {
    let transcript = play(async |s| {
        let (mia, dev) = ruled(&s.server).await;
        s.server.member("zoe@acme.example").await;
        s.says("All of it");
        s.get(&format!("/api/v1/members/{mia}/effective-policy")).await;
        s.says("A command");
        let ask = json!({ "email": "mia@acme.example", "key": "features", "command": "ls && git push" });
        s.post(EXPLAIN, ask).await;
        s.says("Nobody's policy");
        s.post(EXPLAIN, json!({ "email": "zoe@acme.example", "command": ["rm", "x"] })).await;
        s.says("What cannot be asked");
        for body in [
            json!({}),
            json!({ "member_id": mia, "group_id": dev }),
            json!({ "email": "nobody@acme.example" }),
            json!({ "member_id": dev }),
            json!({ "group_id": mia }),
            json!({ "member_id": mia, "command": " " }),
            json!({ "member_id": mia, "command": [] }),
            json!({ "member_id": mia, "client_version": "new" }),
            json!({ "member_id": mia, "hostname": "h".repeat(256) }),
        ] {
            let answer = s.server.post(EXPLAIN, body).await;
            assert!(matches!(answer.status.as_u16(), 404 | 422), "{}", answer.body);
            s.says(&format!("{} {}", answer.status.as_u16(), answer.body["error"]["message"]));
        }
        s.get(&format!("/api/v1/members/{dev}/effective-policy")).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn the_devices_and_the_repositorys_files_are_merged_as_the_client_does() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let (mia, _) = ruled(&server).await;
        let ask = json!({
            "member_id": mia,
            "system_requirements": "allowed_approval_policies = [\"never\"]\nallowed_sandbox_modes = [\"read-only\"]\n\
                remote_sandbox_config = [{ hostname_patterns = [\"*\"], allowed_sandbox_modes = [\"read-only\"] }]\n\
                [rules]\nprefix_rules = [{ pattern = [{ token = \"git\" }], decision = \"forbidden\" }]",
            "system_config": "web_search = \"live\"",
            "team_config": {
                ".codex/config.toml": "approval_policy = \"never\"\nmodel = \"other\"\nfeatures.apps = true",
                ".codex/rules/git.rules": "prefix_rule(pattern=[\"git\"], decision=\"allow\")",
                ".codex/rules/bad.rules": "prefix_rule(",
                ".codex/skills/x/SKILL.md": "x",
            },
            "hostname": "laptop",
            "command": "git push",
        });
        let answer = server.post(EXPLAIN, ask).await.ok();
        let approvals = key(&answer, "requirement", "allowed_approval_policies");
        assert_eq!(approvals["value"], json!(["on-request"]));
        assert_eq!(approvals["layer"]["kind"], "cloud_policy");
        assert_eq!(approvals["layer"]["policy"]["version"], 1);
        assert_eq!(approvals["overrode"][0]["layer"]["name"], "/etc/codex/requirements.toml");
        assert_eq!(approvals["overrode"][0]["value"], json!(["never"]));
        let approval = key(&answer, "config", "approval_policy");
        assert_eq!(
            approval["permitted"],
            json!({ "allowed": false, "becomes": "on-request", "by": "allowed_approval_policies" })
        );
        let model = key(&answer, "config", "model");
        assert_eq!((&model["value"], &model["layer"]["kind"]), (&json!("other"), &json!("team_config")));
        assert_eq!(model["overrode"][0]["layer"]["kind"], "cloud_defaults");
        assert_eq!(key(&answer, "config", "features.apps")["permitted"]["becomes"], false);
        assert_eq!(key(&answer, "config", "sandbox_mode")["permitted"]["allowed"], true);
        assert_eq!(answer["not_read"].as_array().unwrap().len(), 1);
        assert_eq!(answer["not_read"][0]["path"], ".codex/skills/x/SKILL.md");
        assert_eq!(answer["unreadable"][0]["layer"]["name"], ".codex/rules/bad.rules");
        assert_eq!(answer["ignored"][0]["key"], "typo");
        let command = &answer["command"];
        assert_eq!(command["decision"], "forbidden");
        assert_eq!(command["deciding_rule"]["layer"]["kind"], "system_requirements");
        assert_eq!(command["deciding_rule"]["policy"], Value::Null);
        assert_eq!(command["parts"][0]["matched"].as_array().unwrap().len(), 3);
        // What no policy is about, a repository's rules decide.
        let team = json!({ ".codex/rules/x.rules": "prefix_rule(pattern=[\"cargo\", [\"build\", \"test\"]], decision=\"allow\")" });
        let ask = json!({ "member_id": mia, "team_config": team, "command": ["cargo", "test"] });
        let decided = server.post(EXPLAIN, ask).await.ok()["command"].clone();
        assert_eq!(decided["decision"], "allow");
        assert_eq!(decided["deciding_rule"]["layer"]["name"], ".codex/rules/x.rules");
        assert_eq!(decided["deciding_rule"]["pattern"], json!([["cargo"], ["build", "test"]]));
        let unasked = server.post(EXPLAIN, json!({ "member_id": mia, "team_config": team })).await.ok();
        assert_eq!(unasked["not_read"][0]["path"], ".codex/rules/x.rules");

        // A client from before managed defaults is sent none.
        let old = server.post(EXPLAIN, json!({ "member_id": mia, "client_version": "0.130.0" })).await.ok();
        assert!(old["keys"].as_array().unwrap().iter().all(|key| key["layer"]["kind"] != "cloud_defaults"));
        // A text that is no TOML is said, and the rest still answered.
        let broken = server.post(EXPLAIN, json!({ "member_id": mia, "system_requirements": "x = [" })).await.ok();
        assert_eq!(broken["unreadable"][0]["layer"]["kind"], "system_requirements");
        assert_eq!(key(&broken, "requirement", "features.apps")["value"], false);
        let huge = server.post(EXPLAIN, json!({ "member_id": mia, "user_config": "#".repeat((1 << 20) + 1) })).await;
        assert!(matches!(huge.status.as_u16(), 413 | 422), "{}", huge.body);
    }
}

#[tokio::test]
async fn a_member_who_may_not_use_codex_is_sent_nothing() {
    let server = Server::start().await;
    let (mia, _) = ruled(&server).await;
    server.patch("/api/v1/settings", json!({ "codex_local": false })).await.ok();
    let answer = server.get(&format!("/api/v1/members/{mia}/effective-policy")).await.ok();
    assert_eq!(answer["delivered"], false);
    assert_eq!(answer["policy"]["name"], "Strict");
    assert!(answer["keys"].as_array().unwrap().is_empty(), "{answer:#}");
}

#[tokio::test]
async fn the_command_line_answers_for_people_and_for_scripts() {
    let server = Server::start().await;
    ruled(&server).await;
    let directory = tempfile::tempdir().unwrap();
    let system = directory.path().join("requirements.toml");
    std::fs::write(&system, "allowed_approval_policies = [\"never\"]\n").unwrap();
    let made = server.post("/api/v1/api-keys", json!({ "name": "CI", "scopes": ["policies"] })).await;
    let secret = if made.status.is_success() { made.text("secret") } else { admin_key(&server) };
    let run = async |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["policy", "explain"])
            .args(arguments)
            .env("PROVOST_URL", server.url())
            .env("PROVOST_API_KEY", &secret)
            .env("PROVOST_CA_CERTIFICATE", server.ca_certificate())
            .output();
        let output = output.await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (done, text, error) = run(&["--member", "mia@acme.example", "--command", "ls; git push"]).await;
    assert!(done, "{error}");
    assert!(text.contains("prompt: by `git push|commit` → prompt"), "{text}");
    assert!(text.contains("why: shared history"), "{text}");
    assert!(text.contains("version 1 by "), "{text}");
    assert!(text.contains("[\"ls\"]: no rule"), "{text}");

    let system = system.display().to_string();
    let ask = ["--member", "mia@acme.example", "--system", &system, "--key", "allowed_approval_policies"];
    let (done, text, error) = run(&ask).await;
    assert!(done, "{error}");
    assert!(text.contains("allowed_approval_policies = [\"on-request\"]    (policy Strict, version 1)"), "{text}");
    assert!(text.contains("instead of [\"never\"]    (/etc/codex/requirements.toml)"), "{text}");

    let (done, text, error) = run(&["--member", "mia@acme.example", "--json"]).await;
    assert!(done, "{error}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["policy"]["name"], "Strict");

    let (done, text, error) = run(&["--member", "nobody@acme.example"]).await;
    assert!(!done && text.is_empty());
    assert!(error.contains("email: there is no such member"), "{error}");
    assert!(!error.contains(&secret), "{error}");
}

pub(super) fn admin_key(server: &Server) -> String {
    match server.admin() {
        provost_testkit::server::As::Key(key) => key,
        other => panic!("the admin calls with a key, not {other:?}"),
    }
}
