//! `.rules` files: Provost reads them as the client does, which `codex execpolicy check` says.

use std::path::Path;

use provost_model::command::{Outcome, RuleSet};
use provost_policy::team_config::rules::Evaluator;
use provost_testkit::codex::{Codex, Device, Version};
use serde_json::Value;

/// A file, and a command that it is asked about.
const FILES: &[(&str, &str)] = &[
    ("", "a"),
    ("# nothing but a remark", "a"),
    (r#"prefix_rule(pattern=["git", ["push", "fetch"]], decision="prompt", justification="why")"#, "git push x"),
    (r#"prefix_rule(["a"], "forbidden", ["a"], ["b"], "why", True)"#, "a"),
    (r#"prefix_rule(pattern=["a"])"#, "b"),
    ("prefix_rule(pattern=[\"a\"])\nprefix_rule(pattern=[\"a\", \"b\"], decision=\"forbidden\")", "a b"),
    ("prefix_rule(pattern=[\"a\"])\nprefix_rule(pattern=[\"a\"], decision=\"prompt\")", "a b"),
    ("[prefix_rule(pattern=[\"a\", str(i)], decision=\"prompt\") for i in range(3)]", "a 2"),
    ("def rule(name):\n    prefix_rule(pattern=[name])\nfor n in [\"a\", \"b\"]:\n    rule(n)", "b"),
    ("x = \"a\"\nprefix_rule(pattern=[f\"{x}b\"])", "ab"),
    ("x = 1\nx = 2", "a"),
    ("def f(x: str) -> str: return x\nprefix_rule(pattern=[f(\"a\")])", "a"),
    ("def f(x: str) -> str: return x\nf(1)", "a"),
    (r#"prefix_rule(pattern=[])"#, "a"),
    (r#"prefix_rule(pattern="a")"#, "a"),
    (r#"prefix_rule(pattern=("a",))"#, "a"),
    (r#"prefix_rule(pattern=["a", []])"#, "a"),
    (r#"prefix_rule(pattern=["a", 1])"#, "a"),
    (r#"prefix_rule(pattern=[[["a"]]])"#, "a"),
    (r#"prefix_rule(pattern=[["b", ""]])"#, "b"),
    (r#"prefix_rule(pattern=["a"], decision="deny")"#, "a"),
    (r#"prefix_rule(pattern=["a"], decision="prompt-user")"#, "a"),
    (r#"prefix_rule(pattern=["a"], decision=None)"#, "a"),
    (r#"prefix_rule(pattern=["a"], justification=" ")"#, "a"),
    (r#"prefix_rule(pattern=["a"], justification=None)"#, "a"),
    (r#"prefix_rule(pattern=["a"], sauce=1)"#, "a"),
    (r#"prefix_rule(pattern=["a"], match=["a b", ["a", "c d"]], not_match=["b"])"#, "a"),
    (r#"prefix_rule(pattern=["a"], match=["b"])"#, "a"),
    (r#"prefix_rule(pattern=["a"], not_match=["a b"])"#, "a"),
    (r#"prefix_rule(pattern=["a"], match=None)"#, "a"),
    (r#"prefix_rule(pattern=["a"], match="a")"#, "a"),
    (r#"prefix_rule(pattern=["a"], match=[""])"#, "a"),
    (r#"prefix_rule(pattern=["a"], match=[[]])"#, "a"),
    (r#"prefix_rule(pattern=["a"], match=[1])"#, "a"),
    (r#"prefix_rule(pattern=["a"], match=["a 'b"])"#, "a"),
    ("prefix_rule(pattern=[\"b\"], match=[\"a\"])\nprefix_rule(pattern=[\"a\"])", "a"),
    ("prefix_rule(pattern=[\"b\"], not_match=[\"a\"])\nprefix_rule(pattern=[\"a\"])", "a"),
    (r#"prefix_rule(pattern=["ls"], match=["/bin/ls", "./ls", "bin/ls"])"#, "ls"),
    ("prefix_rule(pattern=[\"ls\"], match=[\"/bin/ls\"])\nhost_executable(name=\"ls\", paths=[\"/usr/bin/ls\"])", "ls"),
    ("prefix_rule(pattern=[\"ls\"], match=[\"/bin/ls\"])\nhost_executable(name=\"ls\", paths=[\"/bin/ls\"])", "ls"),
    (r#"prefix_rule(pattern=["ls"], match=["bash -lc ls"])"#, "ls"),
    (r#"host_executable(name="git", paths=["git"])"#, "a"),
    (r#"host_executable(name="a/b", paths=[])"#, "a"),
    (r#"host_executable(name="", paths=[])"#, "a"),
    (r#"host_executable(name="git", paths=["/bin/other"])"#, "a"),
    (r#"host_executable(name="git", paths=[1])"#, "a"),
    (r#"host_executable(name="git")"#, "a"),
    (r#"network_rule(host="a.b", protocol="https", decision="deny", justification="why")"#, "a"),
    (r#"network_rule(host="a.b", protocol="https", decision="forbidden")"#, "a"),
    (r#"network_rule(host="a.b:80", protocol="http", decision="prompt")"#, "a"),
    (r#"network_rule(host="[::1]", protocol="https_connect", decision="allow")"#, "a"),
    (r#"network_rule(host="*", protocol="https", decision="allow")"#, "a"),
    (r#"network_rule(host="a.*.b", protocol="https", decision="allow")"#, "a"),
    (r#"network_rule(host="http://a", protocol="https", decision="allow")"#, "a"),
    (r#"network_rule(host="a b", protocol="https", decision="allow")"#, "a"),
    (r#"network_rule(host="", protocol="https", decision="allow")"#, "a"),
    (r#"network_rule(host="a", protocol="ftp", decision="allow")"#, "a"),
    (r#"network_rule(host="a", protocol="HTTPS", decision="allow")"#, "a"),
    (r#"network_rule(host="a", protocol="https", decision="zz")"#, "a"),
    (r#"network_rule(host="a", protocol="https")"#, "a"),
    (r#"load("other.rules", "x")"#, "a"),
    ("nothing()", "a"),
    ("print(1)", "a"),
    ("struct(a=1)", "a"),
    ("json.encode(1)", "a"),
    ("while True: pass", "a"),
    ("def f(): f()\nf()", "a"),
    ("fail(\"no\")", "a"),
    ("prefix_rule(pattern=[\"a\"]", "a"),
    ("\tprefix_rule(pattern=[\"a\"])", "a"),
];

#[tokio::test]
async fn files_are_read_and_decide_as_with_the_client() {
    let device = Device::new(&Codex::new(Version::V0_169), "http://127.0.0.1:9", Path::new("/nowhere.pem"));
    let evaluator = Evaluator::new(env!("CARGO_BIN_EXE_provost"));
    let folder = tempfile::tempdir().unwrap();
    let mut differ = Vec::new();
    for (index, (text, command)) in FILES.iter().enumerate() {
        let path = folder.path().join(format!("{index}.rules"));
        std::fs::write(&path, text).unwrap();
        let argv: Vec<&str> = command.split(' ').collect();
        let mut arguments = vec!["execpolicy", "check", "--rules", path.to_str().unwrap(), "--"];
        arguments.extend(&argv);
        let theirs = device.run(&arguments).await;
        let decision = serde_json::from_str::<Value>(&theirs.stdout).unwrap_or_default()["decision"].clone();
        let theirs = if theirs.success() { decision.as_str().unwrap_or("no match") } else { "refused" };
        let file = evaluator.evaluate(text);
        let ours = match RuleSet::new(file.prefix_rules(0)).outcome(&argv) {
            _ if !file.problems.is_empty() => "refused",
            Outcome::Allow => "allow",
            Outcome::NoMatch => "no match",
            Outcome::Prompt => "prompt",
            Outcome::Forbidden => "forbidden",
        };
        if ours != theirs {
            differ.push(format!("{text}: Codex {theirs}, Provost {ours} {:?}", file.problems));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}
