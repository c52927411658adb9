//! `provost policy simulate`.

use std::fs;
use std::path::Path;

use provost_testkit::server::Server;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{BOTH, STRICTER, house};

async fn run(server: &Server, file: &Path, arguments: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.args(["policy", "simulate"]).arg(file).args(arguments).env("PROVOST_URL", server.url());
    command.env("PROVOST_API_KEY", &server.api_key).env("PROVOST_CA_CERTIFICATE", server.ca_certificate());
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_command_line_simulates_a_file() {
    let house = house(BOTH[0]).await;
    let server = &house.server;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("strict.toml");
    fs::write(&file, STRICTER).unwrap();
    let (done, text, error) = run(server, &file, &["--policy", "Strict", "--days", "7"]).await;
    assert!(done, "{error}");
    assert!(text.contains("Of the last 7 days") && text.contains("prompt -> forbidden: 1\n"), "{text}");
    assert!(text.contains("mia@acme.example: Strict version 1 (rule 2) -> Strict version 2 (rule 2)"), "{text}");
    assert!(text.contains("prompt -> forbidden: git push\n      rule `git push` -> rule `git`\n"), "{text}");
    let (done, text, error) = run(server, &file, &["--policy", "Strict", "--json"]).await;
    assert!(done, "{error}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["summary"]["days"], 30);
    fs::write(&file, "allowed_sandbox_modes = 1").unwrap();
    let (done, _, error) = run(server, &file, &["--policy", "Strict"]).await;
    assert!(!done && error.contains("policies[0].contents: clients would refuse"), "{error}");
}

#[tokio::test]
async fn the_command_line_takes_any_change_and_says_what_becomes_of_each() {
    let house = house(BOTH[0]).await;
    let directory = tempfile::tempdir().unwrap();
    let change = directory.path().join("change.json");
    let ask = async |body: &Value| {
        fs::write(&change, body.to_string()).unwrap();
        run(&house.server, Path::new("--change"), &[change.to_str().unwrap()]).await
    };
    let (done, text, error) = ask(&json!({ "settings": { "codex_local": false } })).await;
    assert!(done, "{error}");
    assert!(text.contains("mia@acme.example: Strict version 1 (rule 2) -> may not use Codex\n"), "{text}");
    assert!(text.contains("      loses codex.local.use"), "{text}");
    let (done, text, _) = ask(&json!({ "rules": [], "fallback": null })).await;
    assert!(done && text.contains("zoe@acme.example: Loose version 1 (fallback) -> no policy\n"), "{text}");
    for wrong in [json!([]), json!({ "rule": [] }), json!({})] {
        assert!(!ask(&wrong).await.0, "{wrong}");
    }
}

#[tokio::test]
async fn the_command_line_writes_all_of_it_or_nothing() {
    use std::os::unix::fs::PermissionsExt;

    let house = house(BOTH[0]).await;
    let server = &house.server;
    let directory = tempfile::tempdir().unwrap();
    let (file, out) = (directory.path().join("strict.toml"), directory.path().join("out.jsonl"));
    fs::write(&file, STRICTER).unwrap();
    let simulate = async |arguments: &[&str]| run(server, &file, &[&["--policy", "Strict"], arguments].concat()).await;
    let path = out.to_str().unwrap();
    let (done, said, error) = simulate(&["--output", path]).await;
    assert!(done && said.contains(path), "{error}");
    let written = fs::read_to_string(&out).unwrap();
    let (done, printed, error) = simulate(&["--output", "jsonl"]).await;
    assert!(done, "{error}");
    let lists =
        |text: &str| text.lines().filter(|line| !line.contains("\"summary\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lists(&written), lists(&printed));
    let kinds: Vec<_> =
        written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
    assert_eq!(kinds, ["member", "session", "command", "command", "command", "summary"], "{written}");
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600, "the words of others' commands");
    let (done, csv, error) = simulate(&["--output", "csv", "--list", "sessions"]).await;
    assert!(done, "{error}");
    assert!(csv.starts_with("thread_id,member_id,") && csv.lines().count() == 2, "{csv}");
    assert!(!simulate(&["--output", "out.txt"]).await.0);

    // What cannot be had whole leaves what was there.
    let mut tx = server.node.app.store.write().await.unwrap();
    tx.execute("UPDATE agent_commands SET call_id = 'moved' WHERE call_id = 'call_1'", []).await.unwrap();
    tx.commit().await.unwrap();
    let (done, _, error) = simulate(&["--output", path]).await;
    assert!(!done && error.contains("broke off"), "{error}");
    assert_eq!(fs::read_to_string(&out).unwrap(), written);
    let left: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
