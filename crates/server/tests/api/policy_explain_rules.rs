//! `/api/v1/policy-explain` over a command, in a repository that has `.rules` files.

use std::path::Path;

use provost_testkit::server::Server;
use serde_json::{Value, json};
use tokio::process::Command;

use super::policy_explain::{admin_key, ruled};

const EXPLAIN: &str = "/api/v1/policy-explain";

const RULES: &str = r#"
TOOLS = ["make", "just"]
[prefix_rule(pattern=[tool, "test"], justification="tests are harmless", match=[tool + " test"]) for tool in TOOLS]
prefix_rule(pattern=["git", "push"], match=["git push"])
prefix_rule(pattern=["deploy"], decision="forbidden")
prefix_rule(pattern=["sed"])
host_executable(name="sed", paths=["/usr/bin/sed"])
"#;

async fn decided(server: &Server, files: &Value, command: &str) -> Value {
    let ask = json!({ "email": "mia@acme.example", "team_config": files, "command": command });
    server.post(EXPLAIN, ask).await.ok()
}

#[tokio::test]
async fn a_repositorys_rules_take_part_and_cannot_loosen_the_policy() {
    let server = Server::start().await;
    ruled(&server).await;
    let files = json!({ ".codex/rules/build.rules": RULES });
    for (command, decision, layer) in [
        ("make test", "allow", "team_config"),
        ("just test && make test", "allow", "team_config"),
        ("make test && ls", "no_match", ""),
        ("deploy now", "forbidden", "team_config"),
        ("git push", "prompt", "cloud_policy"),
        ("make test; rm x", "forbidden", "cloud_policy"),
        ("/usr/bin/sed x", "allow", "team_config"),
        ("/tmp/sed x", "no_match", ""),
    ] {
        let answer = decided(&server, &files, command).await;
        assert_eq!(answer["command"]["decision"], decision, "{command}: {answer:#}");
        let rule = &answer["command"]["deciding_rule"];
        assert_eq!(rule["layer"]["kind"].as_str().unwrap_or_default(), layer, "{command}");
        if layer == "team_config" {
            assert_eq!(rule["layer"]["name"], ".codex/rules/build.rules");
            assert_eq!(rule["policy"], Value::Null);
        }
        assert_eq!(answer["not_read"], json!([]));
    }
    // Beside the policy's own, the rule that would have allowed it is named, too.
    let pushed = decided(&server, &files, "git push").await;
    assert_eq!(pushed["command"]["parts"][0]["matched"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_with_a_mistake_is_left_out_and_named() {
    let server = Server::start().await;
    ruled(&server).await;
    let files = json!({
        "rules/a.rules": "prefix_rule(pattern=[\"ls\"])",
        ".codex/rules/b.rules": "prefix_rule(pattern=[\"ls\"], decision=\"forbidden\")\nprefix_rule()",
        ".codex/rules/example.rules": "prefix_rule(pattern=[\"ls\"], decision=\"forbidden\", match=[\"rm\"])",
        ".codex/rules/loop.rules": "[0 for i in range(1000000000)]",
        ".codex/rules/below/c.rules": "prefix_rule(pattern=[\"ls\"], decision=\"forbidden\")",
    });
    let answer = decided(&server, &files, "ls").await;
    assert_eq!(answer["command"]["decision"], "allow", "{answer:#}");
    let left_out = answer["unreadable"].as_array().unwrap().iter();
    let left_out: Vec<String> =
        left_out.map(|file| format!("{}:{}", file["layer"]["name"].as_str().unwrap(), file["line"])).collect();
    assert_eq!(left_out, [".codex/rules/b.rules:2", ".codex/rules/example.rules:1", ".codex/rules/loop.rules:1"]);
    assert_eq!(answer["not_read"][0]["path"], ".codex/rules/below/c.rules");
}

#[tokio::test]
async fn the_command_line_reads_a_repository_or_one_file() {
    let server = Server::start().await;
    ruled(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join(".codex/rules");
    std::fs::create_dir_all(&rules).unwrap();
    std::fs::write(rules.join("build.rules"), RULES).unwrap();
    let secret = admin_key(&server);
    let run = async |path: &Path, command: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["policy", "explain", "--member", "mia@acme.example", "--command", command, "--team-config"])
            .arg(path)
            .env("PROVOST_URL", server.url())
            .env("PROVOST_API_KEY", &secret)
            .env("PROVOST_CA_CERTIFICATE", server.ca_certificate())
            .output();
        let output = output.await.unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.success(), text)
    };
    for path in [folder.path(), &rules.join("build.rules")] {
        let (done, text) = run(path, "make test").await;
        assert!(done && text.contains("allow: by `make test` → allow"), "{text}");
        assert!(text.contains("why: tests are harmless") && text.contains("in .codex/rules/build.rules"), "{text}");
    }
    std::os::unix::fs::symlink("/etc/passwd", rules.join("link.rules")).unwrap();
    let (done, text) = run(folder.path(), "make test").await;
    assert!(!done && text.contains("link.rules: This is a symbolic link"), "{text}");
}
