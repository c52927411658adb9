//! `/api/v1/team-config/check`, and `provost team-config check`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use provost_policy::team_config::rules::Evaluator;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::stage::status;

const CHECK: &str = "/api/v1/team-config/check";
const PROVOST: &str = env!("CARGO_BIN_EXE_provost");

async fn server() -> Server {
    Evaluator::always_with(PROVOST);
    Server::start().await
}

/// Problems as `file:line code`.
fn problems(repository: &Value) -> Vec<String> {
    let found = repository["problems"].as_array().unwrap().iter();
    found
        .map(|found| {
            format!("{}:{} {}", found["file"].as_str().unwrap(), found["line"], found["code"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn every_mistake_says_its_file_and_line() {
    let server = server().await;
    let files = json!({
        ".codex/config.toml": "sandbox_mode = \"read-only\"\nmodel_provider = \"own\"\napproval_polcy = \"never\"\n[hooks]\nStart = []\n",
        ".codex/rules/a.rules": "prefix_rule(pattern=[\"a\"])\nprefix_rule(pattern=[\"b\"], match=[\"c\"], not_match=[\"b d\"])\n",
        ".codex/rules/b.rules": "x = 1\nunknown_rule()\n",
        ".codex/hooks.json": "{\"hooks\": {\n\"Stop\": [{\"hooks\": [{\"type\": \"command\"}]}],\n\"Start\": []}}",
        ".codex/skills/good/SKILL.md": "---\nname: good\ndescription: >\n  When\n  good.\n---\n",
        ".codex/skills/bad/SKILL.md": "# Bad\n",
        ".agents/skills/none/SKILL.md": "---\nname: none\n---\n",
        "AGENTS.md": "ignored",
    });
    let answer = server.post(CHECK, json!({ "repositories": [{ "name": "acme/app", "files": files }] })).await.ok();
    assert_eq!(answer["valid"], false);
    let repository = &answer["repositories"][0];
    assert_eq!(
        problems(repository),
        [
            ".agents/skills/none/SKILL.md:1 missing_field",
            ".codex/config.toml:2 not_from_a_repository",
            ".codex/config.toml:3 unknown_key",
            ".codex/config.toml:5 unknown_key",
            ".codex/hooks.json:2 missing_field",
            ".codex/hooks.json:3 unknown_key",
            ".codex/rules/a.rules:2 example_matches",
            ".codex/rules/a.rules:2 example_does_not_match",
            ".codex/rules/b.rules:2 invalid_rules",
            ".codex/skills/bad/SKILL.md:1 no_front_matter",
        ]
    );
    assert_eq!(repository["skills"], json!(["good"]));
    assert_eq!(repository["rules"], 2);
}

#[tokio::test]
async fn what_a_policy_overrides_is_said_with_its_key() {
    let server = server().await;
    let policy = r#"
        allowed_sandbox_modes = ["read-only"]
        allow_managed_hooks_only = true
        [features]
        memories = false
        [mcp_servers.docs]
        identity = { url = "https://docs.example" }
        [rules]
        prefix_rules = [
            { pattern = [{ token = "git" }, { token = "push" }], decision = "forbidden" },
            { pattern = [{ token = "npm" }], decision = "prompt" },
        ]
        [experimental_network]
        enabled = true
        domains = { "*.evil.example" = "deny" }
    "#;
    let policy = json!({ "name": "Strict", "contents": policy });
    let id = server.post("/api/v1/policies", policy).await.text("id");
    let config = "sandbox_mode = \"workspace-write\"\napproval_policy = \"on-request\"\n[features]\nmemories = true\n\
        [mcp_servers.docs]\nurl = \"https://docs.example\"\n[mcp_servers.other]\ncommand = \"x\"\n\
        [[hooks.Stop]]\nhooks = [{ type = \"command\", command = \"x\" }]\n";
    let rules = "prefix_rule(pattern=[\"git\"])\nprefix_rule(pattern=[\"npm\", \"test\"])\nprefix_rule(pattern=[\"ls\"])\n\
        network_rule(host=\"a.evil.example\", protocol=\"https\", decision=\"allow\")\n";
    let files = json!({ ".codex/config.toml": config, ".codex/rules/a.rules": rules });
    let body = json!({ "repositories": [{ "name": "app", "files": files }], "policy_id": id });
    let answer = server.post(CHECK, body.clone()).await.ok();
    assert_eq!(answer["valid"], true, "{answer:#}");
    let mut found: Vec<String> = Vec::new();
    for overridden in answer["repositories"][0]["overridden"].as_array().unwrap() {
        assert_eq!(
            (&overridden["overridden_by"]["policy"], &overridden["overridden_by"]["version"]),
            (&json!("Strict"), &json!(1))
        );
        let by = overridden["overridden_by"]["key"].as_str().unwrap();
        found.push(format!("{} {} by {by}", overridden["key"].as_str().unwrap(), overridden["line"]));
    }
    found.sort();
    assert_eq!(
        found,
        [
            "features.memories null by features.memories",
            "hooks.Stop null by allow_managed_hooks_only",
            "mcp_servers.other null by mcp_servers",
            "network_rule 4 by experimental_network.domains.\"*.evil.example\"",
            "prefix_rule 1 by rules.prefix_rules[0]",
            "prefix_rule 2 by rules.prefix_rules[1]",
            "sandbox_mode null by allowed_sandbox_modes",
        ]
    );
    let rules = json!({ "rules": [], "fallback_policy_id": id });
    server.put("/api/v1/policy-rules", rules).await.ok();
    let mut of_member = body;
    of_member["policy_id"] = Value::Null;
    of_member["email"] = "owner@acme.example".into();
    assert_eq!(server.post(CHECK, of_member).await.ok(), answer, "a member's policy is the one that they are sent");
}

#[tokio::test]
async fn what_nearly_all_repeat_moves_to_the_defaults() {
    let server = server().await;
    let same = "model = \"gpt-5\"\napproval_policy = \"on-request\"\n[tui]\nnotifications = true\n";
    let repository = |name: &str, text: &str| json!({ "name": name, "files": { ".codex/config.toml": text } });
    let mut repositories: Vec<Value> = ["a", "b", "c", "d"].iter().map(|name| repository(name, same)).collect();
    repositories.push(repository("e", "model = \"other\"\napproval_policy = \"on-request\"\n"));
    let answer = server.post(CHECK, json!({ "repositories": repositories })).await.ok();
    let suggestion = &answer["suggestion"];
    let defaults: toml::Table = suggestion["defaults"].as_str().unwrap().parse().unwrap();
    assert_eq!(defaults, same.parse::<toml::Table>().unwrap());
    let model = suggestion["repeated"].as_array().unwrap().iter().find(|repeated| repeated["key"] == "model").unwrap();
    assert_eq!((&model["repositories"], &model["differing"]), (&json!(4), &json!(["e"])));
    let alone = server.post(CHECK, json!({ "repositories": [repository("a", same)] })).await.ok();
    assert_eq!(alone["suggestion"], Value::Null);
}

#[tokio::test]
async fn paths_that_lead_elsewhere_are_refused() {
    let server = server().await;
    for path in
        ["../x", "/etc/passwd", ".codex/../../x", ".codex//x", ".codex/./x", "a\\..\\b", "C:x", "", "a\u{0}b", "a\nb"]
    {
        let body = json!({ "repositories": [{ "name": "app", "files": { path: "" } }] });
        let said = status(&server.post(CHECK, body).await);
        assert_eq!(said, "422 invalid_path repositories[0].files", "{path:?}");
    }
}

#[test]
fn files_that_mean_harm_end_with_an_error_and_soon() {
    let evaluator = Evaluator::new(PROVOST);
    let deep = |open: &str, close: &str| format!("x = {}1{}", open.repeat(50_000), close.repeat(50_000));
    let doubling = format!("x = \"aaaaaaaa\"\n{}", "x = x + x\n".repeat(60));
    let files = [
        "def f():\n    for i in range(1000000000):\n        pass\nf()".to_owned(),
        "[0 for i in range(1000000000)]".to_owned(),
        "def f(n):\n    for i in range(100):\n        f2(n)\ndef f2(n):\n    for i in range(1000000):\n        n + 1\nf(1)".to_owned(),
        "x = \"a\" * 1000000000".to_owned(),
        "x = [0] * 1000000000".to_owned(),
        "x = list(range(2000000000))".to_owned(),
        "x = 1 << 100000000000".to_owned(),
        doubling,
        deep("[", "]"),
        deep("(", ")") + "\nunknown()",
        deep("-", "") + "\nunknown()",
        format!("x = {}1\nunknown()", "not ".repeat(60_000)),
        "def f(): f()\nf()".to_owned(),
        "prefix_rule(pattern=[\"a\" * 100000000])".to_owned(),
        "[prefix_rule(pattern=[str(i)]) for i in range(100000)]".to_owned(),
        format!("{}\n", "#".repeat(1 << 20)),
        deep("{1: ", "}"),
        deep("f(", ")"),
        "def f():\n    x = \"a\"\n    for i in range(40):\n        x = x + x\n    return x\nf()".to_owned(),
        "def f():\n    x = []\n    for i in range(900000):\n        x.append(\"a\" * 1000 + str(i))\nf()".to_owned(),
        "load(\"/etc/passwd\", \"x\")".to_owned(),
    ];
    for text in files {
        let begun = Instant::now();
        let file = evaluator.evaluate(&text);
        let shown: String = text.chars().take(60).collect();
        assert!(!file.problems.is_empty(), "{shown}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{shown}: {:?}", begun.elapsed());
    }
    assert!(evaluator.evaluate("prefix_rule(pattern=[\"a\"])").problems.is_empty(), "and the next one is read");
}

#[test]
fn ten_thousand_rules_and_a_megabyte_are_read_and_no_more() {
    let evaluator = Evaluator::new(PROVOST);
    let rules = |count: usize| -> String {
        let rule = |n: usize| format!("prefix_rule(pattern=[\"tool{n}\", [\"a\", \"b\"]], match=[\"tool{n} a x\"])\n");
        (0..count).map(rule).collect()
    };
    let file = evaluator.evaluate(&rules(10_000));
    assert_eq!((file.rules.len(), &file.problems[..]), (10_000, &[][..]));
    let whole = rules(5_000);
    let padded = format!("{whole}{}", "#".repeat((1 << 20) - whole.len()));
    let file = evaluator.evaluate(&padded);
    assert_eq!((padded.len(), file.rules.len(), file.problems.len()), (1 << 20, 5_000, 0));
    let codes = |text: &str| evaluator.evaluate(text).problems.into_iter().map(|found| found.code).collect::<Vec<_>>();
    assert_eq!(codes(&rules(10_001)), ["invalid_rules"]);
    assert_eq!(codes(&format!("{padded}#")), ["too_large"]);
}

#[tokio::test]
async fn files_that_nest_deeply_harm_nobody() {
    let server = server().await;
    // The deepest that the parser of TOML lets through, over and over; and what it does not let through.
    let level = format!("{}a = ", "a.".repeat(79));
    let deepest = format!("{}1{}", format!("{{ {level}[").repeat(38), "] }".repeat(38));
    let toml: String = (0..20).map(|n| format!("k{n} = {deepest}\n")).collect();
    let beyond = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let dotted = format!("{}a = 1", "a.".repeat(100_000));
    let json = format!("{{\"hooks\": {{\"Stop\": {}{}}}}}", "[".repeat(100_000), "]".repeat(100_000));
    let skill = format!("---\nname: x\ndescription: {}\n", "[".repeat(100_000));
    let begun = Instant::now();
    for text in [&toml, &beyond, &dotted] {
        let files = json!({ ".codex/config.toml": text, ".codex/hooks.json": json, ".codex/skills/a/SKILL.md": skill });
        let twice = json!([{ "name": "a", "files": files }, { "name": "b", "files": files }]);
        let answer = server.post(CHECK, json!({ "repositories": twice })).await.ok();
        assert_eq!(answer["valid"], false);
        assert_eq!(answer["suggestion"], Value::Null, "nobody wants that as a default");
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

/// Runs the verb, far from any server: its exit code and output.
fn run(arguments: &[&str], folders: &[&Path]) -> (Option<i32>, String) {
    let mut command = Command::new(PROVOST);
    let done = command.args(["team-config", "check"]).args(folders).args(arguments).env_clear().output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap())
}

#[test]
fn a_repository_checks_itself_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    std::fs::create_dir_all(at(".codex/rules")).unwrap();
    std::fs::write(at(".codex/config.toml"), "sandbox_mode = \"workspace-write\"\n").unwrap();
    std::fs::write(at(".codex/rules/a.rules"), "prefix_rule(pattern=[\"a\"], match=[\"a b\"])\n").unwrap();
    let (code, said) = run(&[], &[folder.path()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("good (2 files, 1 rule, 0 skills)"), "{said}");

    let policy = folder.path().join("requirements.toml");
    std::fs::write(&policy, "allowed_sandbox_modes = [\"read-only\"]\n").unwrap();
    let (code, said) = run(&["--policy", policy.to_str().unwrap(), "--json"], &[folder.path()]);
    assert_eq!(code, Some(0), "{said}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["repositories"][0]["overridden"][0]["key"], "sandbox_mode");

    std::fs::write(at("secret.rules"), "prefix_rule(pattern=[\"secret\"])").unwrap();
    std::os::unix::fs::symlink(at("secret.rules"), at(".codex/rules/link.rules")).unwrap();
    std::fs::write(at(".codex/rules/bytes.rules"), b"# \xff").unwrap();
    std::fs::write(at(".codex/rules/nul.rules"), b"#\n\0").unwrap();
    std::os::unix::fs::symlink(folder.path(), at(".agents")).unwrap();
    let (code, said) = run(&["--json"], &[folder.path()]);
    assert_eq!(code, Some(1), "{said}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        problems(&report["repositories"][0]),
        [
            ".agents:1 symlink",
            ".codex/rules/bytes.rules:1 not_utf8",
            ".codex/rules/link.rules:1 symlink",
            ".codex/rules/nul.rules:2 not_text",
        ]
    );
    assert!(!said.contains("secret"), "{said}");
    assert_eq!(run(&[], &[&at("nowhere")]).0, Some(1));
    let (code, said) = run(&[], &[&at(".codex/rules")]);
    assert_eq!(code, Some(0), "a repository may have none: {said}");
    assert!(said.contains("no Team Config here"), "{said}");
}

#[test]
fn many_repositories_are_told_what_they_repeat_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let repository = |name: &str, config: &str| {
        let at = folder.path().join(name);
        std::fs::create_dir_all(at.join(".codex")).unwrap();
        std::fs::write(at.join(".codex/config.toml"), config).unwrap();
        at
    };
    let same = "model = \"gpt-5\"\nsandbox_mode = \"workspace-write\"\n";
    let app = repository("app", &format!("{same}model_reasoning_effort = \"high\"\n"));
    let (web, docs) = (repository("web", same), repository("docs", same));
    let (code, said) = run(&[], &[&app, &web, &docs]);
    assert_eq!(code, Some(0), "a suggestion is no error: {said}");
    assert!(said.contains("managed defaults of a policy"), "{said}");
    assert!(said.contains("model = \"gpt-5\" (3 of 3 repositories)"), "{said}");
    assert!(!said.contains("model_reasoning_effort"), "only one says so: {said}");
    let (_, defaults) = said.rsplit_once("\n\n").unwrap();
    assert_eq!(defaults.parse::<toml::Table>().unwrap(), same.parse().unwrap(), "ready to be pasted");

    // What the defaults say already, the repositories can drop.
    let defaults = folder.path().join("defaults.toml");
    std::fs::write(&defaults, "model = \"gpt-5\"\n").unwrap();
    let (_, said) = run(&["--defaults", defaults.to_str().unwrap(), "--json"], &[&app, &web, &docs]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["suggestion"]["defaults"], "sandbox_mode = \"workspace-write\"\n");
    let already = |n: usize| report["suggestion"]["repeated"][n]["is_default_already"].clone();
    assert_eq!((already(0), already(1)), (json!(true), json!(false)));

    // One that is wrong fails them all, and the others are still looked at.
    let wrong = repository("wrong", "sandbox_mode = 1\n");
    let (code, said) = run(&[], &[&wrong, &web]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("wrong/.codex/config.toml:1:") && said.contains("web: good"), "{said}");
}
