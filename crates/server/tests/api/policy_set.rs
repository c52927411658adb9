//! Policies as code: planned first, then all of it or nothing; over the API, and with the program itself.

use std::path::Path;

use http::{Method, StatusCode};
use provost_testkit::server::{Database, PASSWORD, Server};
use serde_json::{Value, json};
use tokio::process::Command;

use super::{BOTH, PATIENT, stage, status};

const SET: &str = "/api/v1/policy-set";
const CACHED: &str = "allowed_web_search_modes = [\"cached\"]\n";
const LIVE: &str = "allowed_web_search_modes = [\"live\"]\n";

fn set() -> Value {
    json!({
        "policies": [
            { "name": "Base", "contents": CACHED },
            { "name": "Ops", "contents": LIVE, "defaults": "model = \"gpt-5\"\n" },
        ],
        "rules": { "rules": [{ "group": "operators", "policy": "ops" }], "fallback": "Base" },
    })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

async fn scene(database: Database) -> Server {
    let server = Server::start_with(database, PATIENT).await;
    server.group("Operators", &[]).await;
    server
}

fn actions(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    steps.map(|step| format!("{} {}", step["action"].as_str().unwrap(), step["name"].as_str().unwrap_or(""))).collect()
}

#[tokio::test]
async fn a_set_is_planned_and_applied_whole() {
    for database in BOTH {
        let server = scene(database).await;
        let other = server.policy("Other", CACHED).await;
        let plan = server.put(SET, with(set(), "dry_run", json!(true))).await.ok();
        assert_eq!(actions(&plan), ["create_policy Base", "create_policy Ops", "update_rules "]);
        assert_eq!((&plan["applied"], &plan["unmanaged"]), (&json!(false), &json!(["Other"])));
        assert_eq!(server.get("/api/v1/policies").await.ok()["data"].as_array().unwrap().len(), 1, "planned only");

        let done = server.put(SET, with(set(), "plan_id", plan["plan_id"].clone())).await.ok();
        assert_eq!((&done["applied"], &done["plan_id"]), (&json!(true), &plan["plan_id"]));
        let lookup = server.get("/api/v1/policy-rules").await.ok();
        assert_eq!(lookup["rules"].as_array().unwrap().len(), 1);
        // The same again is nothing to do; the plan of before is not what there is to do any more.
        assert_eq!(actions(&server.put(SET, set()).await.ok()), [""; 0]);
        let stale = server.put(SET, with(set(), "plan_id", plan["plan_id"].clone())).await;
        assert_eq!(status(&stale), "409 plan_stale");

        // What somebody changes by hand shows as a difference, and goes back.
        let drifted = json!({ "name": "Other", "contents": LIVE });
        server.put(&format!("/api/v1/policies/{other}"), drifted).await.ok();
        let mut wanted = set();
        wanted["policies"].as_array_mut().unwrap().push(json!({ "name": "Other", "contents": CACHED }));
        let done = server.put(SET, wanted).await.ok();
        assert_eq!(actions(&done), ["update_policy Other"]);
        assert_eq!(done["steps"][0]["before"]["contents"], LIVE);

        // Pruning is asked for, and never takes what a rule names.
        let base = json!({ "policies": [{ "name": "Base", "contents": CACHED }], "prune": true });
        assert_eq!(status(&server.put(SET, base.clone()).await), "409 policy_in_use");
        let rules = json!({ "rules": [], "fallback": "Base" });
        let done = server.put(SET, with(base, "rules", rules)).await.ok();
        assert_eq!(actions(&done), ["update_rules ", "delete_policy Other", "delete_policy Ops"]);
        for (kind, count) in
            [("policy.created", 3), ("policy.updated", 2), ("policy.deleted", 2), ("policy_rules.updated", 2)]
        {
            assert_eq!(server.events(kind).await.len(), count, "{kind}");
        }
    }
}

#[tokio::test]
async fn one_mistake_and_nothing_is_done() {
    for database in BOTH {
        let server = scene(database).await;
        let stops = json!({ "name": "Stops", "contents": "allowed_sandbox_modes = [\"workspace-write\"]\n" });
        let twice = json!([{ "name": "A", "contents": "" }, { "name": "a", "contents": "" }]);
        let rule =
            |group: &str, policy: &str| json!({ "rules": [{ "group": group, "policy": policy }], "fallback": null });
        let group = json!({ "group": "Operators", "policy": "Base" });
        let cases = [
            (
                with(set(), "policies", json!([{ "name": "Base", "contents": CACHED }, stops])),
                "422 policy_invalid policies[1].contents",
            ),
            (with(set(), "policies", twice), "422 duplicate_name policies[1].name"),
            (with(set(), "policies", json!([{ "name": " ", "contents": "" }])), "422 empty policies[0].name"),
            (with(set(), "rules", rule("Nobody", "Base")), "422 unknown_group rules.rules[0].group"),
            (with(set(), "rules", rule("Operators", "Nothing")), "422 unknown_policy rules.rules[0].policy"),
            (
                with(set(), "rules", json!({ "rules": [group, group], "fallback": null })),
                "422 duplicate_group rules.rules[1].group",
            ),
            (with(set(), "rules", json!({ "rules": [], "fallback": "Nothing" })), "422 unknown_policy rules.fallback"),
            (with(set(), "plan_id", json!("0")), "409 plan_stale"),
            (with(set(), "prone", json!(true)), "422 invalid_field prone"),
        ];
        for (body, expected) in cases {
            assert_eq!(status(&server.put(SET, body.clone()).await), expected, "{body}");
        }
        assert_eq!(server.get(SET).await.ok(), json!({ "policies": [], "rules": { "rules": [], "fallback": null } }));
        assert!(server.events("policy.created").await.is_empty());
    }
}

/// Runs `provost` as an admin does, against this server.
async fn provost(server: &Server, folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs([("PROVOST_URL", server.url()), ("PROVOST_API_KEY", &server.api_key)])
        .env("PROVOST_CA_CERTIFICATE", server.ca_certificate())
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_folder_is_the_workspace_and_back() {
    let server = scene(Database::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    write("Base.toml", CACHED);
    write("Ops.toml", LIVE);
    write("Ops.defaults.toml", "model = \"gpt-5\"\n");
    write("rules.toml", "fallback = \"Base\"\n[[rules]]\ngroup = \"Operators\"\npolicy = \"Ops\"\n");
    write("README.md", "not a policy");
    let run = async |arguments: &[&str]| provost(&server, folder.path(), arguments).await;

    let (code, out, _) = run(&["policy", "diff", "."]).await;
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("+ policy Base") && out.contains("+ 1. \"Operators\" -> \"Ops\""), "{out}");
    // Nobody is there to answer: nothing is done without saying so.
    let (code, _, err) = run(&["policy", "apply", "."]).await;
    assert!(code == 1 && err.contains("--yes"), "{err}");
    let (code, out, err) = run(&["policy", "apply", ".", "--yes"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, _) = run(&["policy", "diff", "."]).await;
    assert!(code == 0 && out.contains("Nothing to do"), "{out}");

    // Drift, as a nightly job sees it.
    let policies = server.get("/api/v1/policies").await.ok();
    let base = policies["data"].as_array().unwrap().iter().find(|policy| policy["name"] == "Base").unwrap().clone();
    let path = format!("/api/v1/policies/{}", base["id"].as_str().unwrap());
    server.put(&path, json!({ "name": "Base", "contents": LIVE })).await.ok();
    let (code, out, _) = run(&["policy", "diff", "."]).await;
    assert_eq!(code, 2);
    assert!(
        out.contains("- allowed_web_search_modes = [\"live\"]")
            && out.contains("+ allowed_web_search_modes = [\"cached\"]"),
        "{out}"
    );

    // Out into another folder, and from there nothing is to be done.
    let (code, out, _) = run(&["policy", "export", "out"]).await;
    assert!(code == 0 && out.contains("4 files"), "{out}");
    assert_eq!(run(&["policy", "diff", "out"]).await.0, 0);

    // Mistakes say where they are.
    write("Base.toml", "allowed_sandbox_modes = [\"workspace-write\"]\n");
    let (code, _, err) = run(&["policy", "apply", ".", "--yes"]).await;
    assert!(code == 1 && err.contains("policies[0].contents") && err.contains("line 1"), "{err}");
    let (code, _, err) = run(&["policy", "diff", "nowhere"]).await;
    assert!(code == 1 && err.contains("nowhere"), "{err}");
}

#[tokio::test]
async fn the_program_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |envs: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        command.args(["exception", "list"]).env_clear().env("HOME", folder.path()).envs(envs.iter().copied());
        let output = command.output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(&[]).await.contains("codex login"));
    assert!(run(&[("PROVOST_API_KEY", "pk-x")]).await.contains("PROVOST_URL"));
    let plain = [("PROVOST_API_KEY", "pk-x"), ("PROVOST_URL", "http://provost.example")];
    assert!(run(&plain).await.contains("https://"));
    let away = [("PROVOST_API_KEY", "pk-x"), ("PROVOST_URL", "https://127.0.0.1:9")];
    assert!(run(&away).await.contains("cannot be reached"));
}

#[tokio::test]
async fn a_developer_asks_for_an_exception_at_the_terminal() {
    let server = scene(Database::Sqlite).await;
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    server.member("mia@acme.example").await;
    let token = server.access_token("mia@acme.example").await;
    let home = tempfile::tempdir().unwrap();
    let auth = json!({ "OPENAI_API_KEY": null, "personal_access_token": token });
    std::fs::write(home.path().join("auth.json"), auth.to_string()).unwrap();
    let run = async |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        command.args(arguments).env_clear().env("CODEX_HOME", home.path()).env("PROVOST_URL", server.url());
        command.env("PROVOST_CA_CERTIFICATE", server.ca_certificate());
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let (code, out) = run(&["exception", "request", "--reason", "a live incident", "--for", "4h"]).await;
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("pending") && out.contains("mia@acme.example") && out.contains("240 min"), "{out}");
    let (_, out) = run(&["exception", "list"]).await;
    assert!(out.contains("a live incident"), "{out}");
    let id = out.split_whitespace().next().unwrap().to_owned();
    let (code, out) = run(&["exception", "approve", &id]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(!out.contains(&token), "no secret in an error");
    let (code, out) = run(&["exception", "deny", &id]).await;
    assert!(code == Some(0) && out.contains("withdrawn"), "{out}");
    assert_eq!(server.get(SET).await.status, StatusCode::OK);
}

#[tokio::test]
async fn where_a_second_person_is_wanted_a_set_waits_for_them_whole() {
    for database in BOTH {
        let server = scene(database).await;
        let owner = stage::owner(&server).await;
        let olga = json!({ "email": "olga@acme.example", "password": PASSWORD, "builtin_role": "owner" });
        server.call(&owner, Method::POST, "/api/v1/members", Some(olga)).await.ok();
        let olga = server.sign_in("olga@acme.example").await;
        server.patch("/api/v1/settings", json!({ "policy_approval": true })).await.ok();

        let plan = server.put(SET, with(set(), "dry_run", json!(true))).await.ok();
        let asked = server.put(SET, with(set(), "note", json!("from git"))).await;
        assert_eq!((asked.status, asked.text("kind").as_str()), (StatusCode::ACCEPTED, "apply_policy_set"));
        assert_eq!(server.get("/api/v1/policies").await.ok()["data"], json!([]), "nothing is there yet");
        let path = |id: &str, act: &str| format!("/api/v1/policy-proposals/{id}/{act}");
        let id = asked.text("id");
        assert_eq!(asked.body["change"]["policy_set"]["policies"].as_array().unwrap().len(), 2);

        // What would stop clients is not even proposed.
        let stops = json!([{ "name": "Stops", "contents": "allowed_sandbox_modes = [\"workspace-write\"]\n" }]);
        let refused = server.put(SET, with(set(), "policies", stops)).await;
        assert_eq!(status(&refused), "422 policy_invalid policies[0].contents");

        // The key is its maker's, the first owner's: another one approves.
        let own = server.call(&owner, Method::POST, &path(&id, "approve"), None).await;
        assert_eq!(status(&own), "403 approver_is_requester");
        server.call(&olga, Method::POST, &path(&id, "approve"), None).await.ok();
        let policies = server.get("/api/v1/policies").await.ok();
        let notes: Vec<&Value> = policies["data"].as_array().unwrap().iter().map(|policy| &policy["note"]).collect();
        assert_eq!(notes, [&json!("from git"), &json!("from git")]);
        assert_eq!(server.get("/api/v1/policy-rules").await.ok()["rules"].as_array().unwrap().len(), 1);
        assert_eq!(actions(&server.put(SET, set()).await.ok()), [""; 0]);

        // One whose plan has changed meanwhile is stale.
        let mut later = set();
        later["policies"][0]["contents"] = json!(LIVE);
        let asked = server.put(SET, later.clone()).await.text("id");
        later["policies"][0]["contents"] = json!("allowed_web_search_modes = [\"disabled\"]\n");
        let other = server.put(SET, later).await.text("id");
        server.call(&olga, Method::POST, &path(&other, "approve"), None).await.ok();
        let stale = server.call(&olga, Method::POST, &path(&asked, "approve"), None).await;
        assert_eq!(status(&stale), "409 proposal_stale");
        assert_ne!(plan["plan_id"], Value::Null);
    }
}
