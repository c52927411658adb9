//! Versions of policies: who wrote them and why, what they mean, and the way back.

use futures_util::future::join_all;
use http::header::{ETAG, IF_MATCH};
use http::{Method, StatusCode};
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, stage, status};

const CAREFUL: &str = "allowed_approval_policies = [\"on-request\"]\n";
const OPEN: &str = "allowed_approval_policies = [\"on-request\", \"never\"]\n";

async fn publish(server: &Server, path: &str, contents: &str, note: &str) -> Value {
    server.put(path, json!({ "name": "p", "contents": contents, "note": note })).await.ok()
}

async fn with_tag(server: &Server, who: &As, method: Method, path: &str, tag: &str, body: Value) -> Answer {
    let mut request = server.request(method, path).header(IF_MATCH, tag).header("content-type", "application/json");
    request = match who {
        As::Key(key) => request.bearer_auth(key),
        As::Session { cookie, csrf_token, .. } => request.header("cookie", cookie).header("x-csrf-token", csrf_token),
        As::Nobody => request,
    };
    server.send(request.body(body.to_string())).await
}

#[tokio::test]
async fn a_version_says_who_wrote_it_and_why() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let owner = stage::owner(&server).await;
        let As::Session { member_id, .. } = &owner else { unreachable!("a session") };
        let body = json!({ "name": "p", "contents": CAREFUL, "note": "  die Prüfung 🦀 wants it " });
        let made = server.call(&owner, Method::POST, "/api/v1/policies", Some(body)).await;
        assert_eq!(made.body["note"], "die Prüfung 🦀 wants it");
        assert_eq!(made.body["created_by"], json!(member_id));
        assert_eq!(made.body["author"]["email"], "owner@acme.example");
        assert_eq!((&made.body["restores"], &made.body["approved_by"]), (&Value::Null, &Value::Null));
        let path = format!("/api/v1/policies/{}", made.text("id"));
        let second = publish(&server, &path, OPEN, "").await;
        assert_eq!((&second["version"], &second["note"]), (&json!(2), &json!("")));
        assert_eq!(second["author"]["email"], Value::Null, "a key has no address");
        assert!(second["author"]["name"].is_string());
        // What was written stays as it was written; a new name of its author is no change of it.
        let tag = server.get(&path).await.headers[ETAG].clone();
        server.patch(&format!("/api/v1/members/{member_id}"), json!({ "name": "Olga" })).await.ok();
        let versions = server.get(&format!("{path}/versions")).await.ok();
        assert_eq!(versions["data"][1]["author"]["name"], "Olga");
        assert_eq!(versions["data"][1]["note"], "die Prüfung 🦀 wants it");
        assert_eq!(server.get(&path).await.headers[ETAG], tag);
        // A note alone is no version.
        assert_eq!(publish(&server, &path, OPEN, "again").await["version"], 2);
        for (note, expected) in [
            (json!("🦀".repeat(1_000)), "200"),
            (json!("🦀".repeat(1_001)), "422 too_long note"),
            (json!("two\nlines"), "422 control_character note"),
            (json!("\u{0}"), "422 control_character note"),
            (json!(7), "422 invalid_field note"),
            (Value::Null, "200"),
        ] {
            let body = json!({ "name": "p", "contents": CAREFUL, "note": note });
            assert_eq!(status(&server.put(&path, body).await), expected);
        }
    }
}

#[tokio::test]
async fn a_diff_says_what_a_version_means() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.policy("p", CAREFUL).await;
        let path = format!("/api/v1/policies/{id}");
        let first = server.get(&format!("{path}/diff")).await.ok();
        assert_eq!((&first["from"], &first["to"]), (&json!(0), &json!(1)), "the first is new as a whole");
        assert_eq!(first["changes"][0]["effect"], "tightened");
        publish(&server, &path, OPEN, "").await;
        let diff = server.get(&format!("{path}/diff")).await.ok();
        assert_eq!((&diff["from"], &diff["to"], &diff["left_off"]), (&json!(1), &json!(2), &json!(0)));
        let expected = json!([{
            "key": "allowed_approval_policies", "change": "added", "effect": "loosened", "before": null,
            "after": "never", "summary": "\"never\" may be chosen",
        }]);
        assert_eq!(diff["changes"], expected);
        assert!(diff["text"].as_str().unwrap().contains("+allowed_approval_policies = [\"on-request\", \"never\"]"));
        let back = server.get(&format!("{path}/diff?from=2&to=1")).await.ok();
        assert_eq!(
            (&back["changes"][0]["change"], &back["changes"][0]["effect"]),
            (&json!("removed"), &json!("tightened"))
        );
        let same = server.get(&format!("{path}/diff?from=2&to=2")).await.ok();
        assert_eq!((&same["changes"], &same["text"]), (&json!([]), &json!("")));
        for (query, expected) in [
            ("from=3", "404 not_found"),
            ("to=9223372036854775807", "404 not_found"),
            ("to=-9223372036854775808", "404 not_found"),
            ("from=x", "422 invalid_query from"),
            ("form=1", "422 invalid_query form"),
        ] {
            assert_eq!(status(&server.get(&format!("{path}/diff?{query}")).await), expected, "{query}");
        }
        // A draft, which clients would refuse, is compared too; nothing is stored.
        let draft =
            "allowed_sandbox_modes = []\n[otel.exporter.otlp-http]\nendpoint = \"x\"\nheaders = { a = \"hush\" }\n";
        let diff = server.post(&format!("{path}/diff"), json!({ "contents": draft, "from": 1 })).await.ok();
        assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &Value::Null));
        assert_eq!(diff["changes"].as_array().unwrap().len(), 4, "{diff}");
        assert!(!diff.to_string().contains("hush"), "{diff}");
        let answer = server.post(&format!("{path}/diff"), json!({ "contents": "a = = b" })).await;
        assert_eq!(status(&answer), "422 not_toml contents");
        let answer = server.post(&format!("{path}/diff"), json!({ "contents": "", "defaults": "[" })).await;
        assert_eq!(status(&answer), "422 not_toml defaults");
        assert_eq!(server.get(&path).await.ok()["version"], 2);
    }
}

#[tokio::test]
async fn one_step_puts_an_earlier_version_back() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let body = json!({ "name": "p", "contents": CAREFUL, "defaults": "model = \"m\"\n" });
        let made = server.post("/api/v1/policies", body).await;
        let path = format!("/api/v1/policies/{}", made.text("id"));
        let back = format!("{path}/rollback");
        assert_eq!(status(&server.post(&back, json!({})).await), "409 no_earlier_version");
        publish(&server, &path, OPEN, "").await;
        let third = server.post(&back, json!({ "note": "it went wrong" })).await;
        assert!(third.headers.contains_key(ETAG));
        let third = third.ok();
        assert_eq!(
            (&third["version"], &third["restores"], &third["note"]),
            (&json!(3), &json!(1), &json!("it went wrong"))
        );
        assert_eq!((&third["contents"], &third["defaults"]), (&made.body["contents"], &made.body["defaults"]));
        // Nothing is lost by it: the same way leads forth.
        assert_eq!(server.post(&back, json!({})).await.ok()["contents"], OPEN);
        for (body, expected) in [
            (json!({ "to_version": 4 }), "409 nothing_to_roll_back to_version"),
            (json!({ "to_version": 5 }), "422 unknown_version to_version"),
            (json!({ "to_version": 0 }), "422 unknown_version to_version"),
            (json!({ "to_version": -1 }), "422 unknown_version to_version"),
            (json!({ "to_version": "1" }), "422 invalid_field to_version"),
            (json!({ "version": 1 }), "422 invalid_field version"),
            (json!({ "to_version": 1, "note": "x".repeat(1_001) }), "422 too_long note"),
        ] {
            assert_eq!(status(&server.post(&back, body).await), expected);
        }
        let tag = made.headers[ETAG].to_str().unwrap();
        let stale = with_tag(&server, &server.admin(), Method::POST, &back, tag, json!({ "to_version": 1 })).await;
        assert_eq!(status(&stale), "412 changed_meanwhile");
        assert_eq!(server.get(&path).await.ok()["version"], 4, "nothing was written");
        let events = server.events("policy.updated").await;
        assert_eq!(events[1]["details"], json!({ "version": 3, "changed": ["contents", "defaults"], "restores": 1 }));
    }
}

#[tokio::test]
async fn of_two_admins_who_save_at_once_one_wins_and_the_other_is_told() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let owner = stage::owner(&server).await;
        let email = "anna@acme.example";
        let body = json!({ "email": email, "password": PASSWORD, "builtin_role": "owner" });
        server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
        let anna = server.sign_in(email).await;
        let path = format!("/api/v1/policies/{}", server.policy("p", CAREFUL).await);
        let tag = server.get(&path).await.headers[ETAG].to_str().unwrap().to_owned();
        let save = |who, note: &str| {
            let body = json!({ "name": "p", "contents": format!("{OPEN}# {note}\n"), "note": note });
            let (server, path, tag) = (&server, &path, &tag);
            async move { with_tag(server, who, Method::PUT, path, tag, body).await }
        };
        let answers = join_all([save(&owner, "the owner's"), save(&anna, "anna's")]).await;
        let (mut won, mut lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == StatusCode::OK);
        let (won, lost) = (won.pop().expect("one wins"), lost.pop().expect("one does not"));
        assert_eq!(status(&lost), "412 changed_meanwhile");
        let details = &lost.body["error"]["details"];
        assert_eq!((&details["version"], &details["your_version"]), (&json!(2), &json!(1)));
        let since = details["since"].as_array().unwrap();
        assert_eq!(since.len(), 1);
        for told in ["version", "created_by", "author", "created_at", "note"] {
            assert_eq!(since[0][told], won.body[told], "{told}");
        }
        assert_eq!(server.get(&path).await.body["contents"], won.body["contents"]);
        // Whoever names no version that there was is told the newest.
        let answer =
            with_tag(&server, &anna, Method::PUT, &path, "\"x\"", json!({ "name": "p", "contents": "" })).await;
        assert_eq!(answer.body["error"]["details"]["your_version"], Value::Null);
        assert_eq!(answer.body["error"]["details"]["since"][0]["version"], 2);
    }
}

#[tokio::test]
async fn what_clients_of_today_refuse_is_not_put_back() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let path = format!("/api/v1/policies/{}", server.policy("p", CAREFUL).await);
        publish(&server, &path, OPEN, "").await;
        // The linter of then let pass what that of today refuses.
        let mut tx = server.node.app.store.write().await.expect("the database is there");
        let sql = "UPDATE policy_versions SET contents = 'allowed_sandbox_modes = []' WHERE version = 1";
        tx.execute(sql, []).await.expect("it takes it");
        tx.commit().await.expect("it takes it");
        let answer = server.post(&format!("{path}/rollback"), json!({})).await;
        assert_eq!(status(&answer), "422 policy_invalid contents");
        assert_eq!(server.get(&path).await.ok()["version"], 2);
    }
}

#[tokio::test]
async fn from_the_command_line() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let path = format!("/api/v1/policies/{}", server.policy("p", CAREFUL).await);
    publish(&server, &path, OPEN, "").await;
    let run = async |args: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_provost"));
        command.args(["policy", "rollback"]).args(args);
        command.env("PROVOST_URL", server.http_url()).env("PROVOST_API_KEY", &server.api_key);
        let output = command.output().await.expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (done, said, _) = run(&["p", "--to", "1", "--note", "it went wrong"]).await;
    assert!(done);
    assert_eq!(said, "p: version 3 says again what version 1 said\n");
    let now = server.get(&path).await.ok();
    assert_eq!((&now["contents"], &now["note"]), (&json!(CAREFUL), &json!("it went wrong")));
    let (done, _, complaint) = run(&["p", "--to", "9"]).await;
    assert!(!done && complaint.contains("to_version: the policy has no version 9"), "{complaint}");
    let (done, _, complaint) = run(&["q"]).await;
    assert!(!done && complaint.contains("there is no policy `q`; there are: p"), "{complaint}");
    server.patch("/api/v1/settings", json!({ "policy_approval": true })).await.ok();
    let (done, said, _) = run(&[path.rsplit('/').next().unwrap(), "--to", "2"]).await;
    assert!(done && said.contains("waits for a second person's approval, as prop_"), "{said}");
}
