//! `/api/v1/encryption-keys` and `provost keys`: keys change while everybody works, and nobody notices.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use provost_testkit::server::{Answer, As, Server};
use provost_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tokio::process::Command;

use super::telemetry::telemetry_token;
use super::{BOTH, PATIENT, status};

const KEYS: &str = "/api/v1/encryption-keys";
const ROTATE: &str = "/api/v1/encryption-keys/rotate";

/// Runs `provost keys` as the operator does, beside the running server.
pub(super) async fn keys(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.arg("keys").args(arguments).env_clear().env("PROVOST_DATA", server.data());
    if let Some(postgres) = &server.postgres {
        command.env("PROVOST_DATABASE_URL", postgres.url());
    }
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// As it does, and succeeds; what it prints.
#[track_caller]
fn done((code, out, err): (i32, String, String)) -> String {
    assert_eq!(code, 0, "{out}{err}");
    out
}

async fn listed(server: &Server) -> Vec<Value> {
    let text = done(keys(server, &["list", "--json"]).await);
    serde_json::from_str(&text).unwrap()
}

fn current(keys: &[Value]) -> &Value {
    keys.iter().find(|key| key["state"] == "seals").expect("one seals")
}

#[tokio::test]
async fn an_owner_sees_the_keys_and_makes_a_new_one() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let before = server.get(KEYS).await.ok();
        let states: Vec<&str> =
            before["data"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["marks", "seals"]);
        let made = server.post(ROTATE, json!({})).await;
        assert_eq!((made.status, made.text("state")), (StatusCode::CREATED, "seals".to_owned()));
        let after = server.get(KEYS).await.ok();
        let rows: Vec<(&str, &str)> = after["data"].as_array().unwrap()[1..]
            .iter()
            .map(|key| (key["id"].as_str().unwrap(), key["state"].as_str().unwrap()))
            .collect();
        assert_eq!(rows, [(before["data"][1]["id"].as_str().unwrap(), "opens"), (&made.text("id"), "seals")]);
        let events = server.events("encryption_key.rotated").await;
        assert_eq!((events.len(), &events[0]["target"]["id"]), (1, &made.body["id"]));
        assert_eq!(events[0]["actor"]["kind"], "api_key");
        // Who may not do everything has no business with everybody's keys.
        server
            .post(
                "/api/v1/members",
                json!({ "email": "adm@acme.example", "builtin_role": "admin",
            "password": provost_testkit::server::PASSWORD }),
            )
            .await
            .ok();
        let admin = server.sign_in("adm@acme.example").await;
        for (method, path) in [(Method::GET, KEYS), (Method::POST, ROTATE)] {
            let answer = server.call(&admin, method, path, None).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
        }
        // There is an end to them.
        let mut last = StatusCode::CREATED;
        for _ in 0..100 {
            let answer = server.post(ROTATE, json!({})).await;
            last = answer.status;
            if !last.is_success() {
                assert_eq!(status(&answer), "409 not_now");
                break;
            }
        }
        assert_eq!(last, StatusCode::CONFLICT);
    }
}

/// The same for both nodes.
async fn post(http: &reqwest::Client, url: &str, key: &str, idempotency_key: &str, body: &Value) -> (u16, Value) {
    let request = http.post(format!("{url}/api/v1/groups")).bearer_auth(key).header("idempotency-key", idempotency_key);
    let answer = request.json(body).send().await.expect("the server answers");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn everything_changes_under_two_nodes_at_work_and_no_request_fails() {
    for database in BOTH {
        let (server, upstream) = (Server::start_with(database, PATIENT).await, Upstream::start().await);
        let id = server.upstream(&upstream.url(), &["gpt-test"]).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true, "telemetry": true })).await.ok();
        server
            .put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": server.policy("Any", "").await }))
            .await
            .ok();
        server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        let telemetry = telemetry_token(&server, &token).await;
        let node = server.second_node().await;
        let second = format!("http://{}", node.http_address.expect("it listens"));
        let urls = [server.http_url(), second];
        let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let http = reqwest::Client::new();

        let turns = async {
            let body = json!({ "model": "gpt-test", "stream": true, "input": "hi" });
            while !over.load(Ordering::Relaxed) {
                for url in &urls {
                    let request = http.post(format!("{url}/backend-api/codex/responses")).bearer_auth(&token);
                    let answer = request.header("version", "0.169.0").json(&body).send().await.expect("it answers");
                    assert_eq!(answer.status(), StatusCode::OK);
                    answer.bytes().await.expect("the answer has an end");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let changes = async {
            for n in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                // A new key for the upstream; and an answer that is kept at one node and asked for at the other.
                let body = json!({ "api_key": format!("sk-upstream-{n}") });
                server.patch(&format!("/api/v1/upstreams/{id}"), body).await.ok();
                let (key, body) = (format!("k{n}"), json!({ "name": format!("Group {n}") }));
                let first = post(&http, &urls[n % 2], &server.api_key, &key, &body).await;
                let again = post(&http, &urls[(n + 1) % 2], &server.api_key, &key, &body).await;
                assert_eq!((first.0, &first), (201, &again));
                count.fetch_add(3, Ordering::Relaxed);
            }
        };
        let operator = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let before = listed(&server).await;
            let rotated = done(keys(&server, &["rotate"]).await);
            tokio::time::sleep(Duration::from_millis(1500)).await;
            let moved = done(keys(&server, &["reseal"]).await);
            assert!(!moved.starts_with("0 values") && !moved.contains("do not open"), "{moved}");
            let new_file = server.data().parent().unwrap().join("new.key");
            let rewrapped = done(keys(&server, &["rewrap", "--new-master-key-file", new_file.to_str().unwrap()]).await);
            assert!(rewrapped.contains("keys.master_key_file"), "{rewrapped}");
            tokio::time::sleep(Duration::from_millis(1000)).await;
            over.store(true, Ordering::Relaxed);
            (before, rotated, new_file)
        };
        let ((), (), (before, rotated, new_file)) = tokio::join!(turns, changes, operator);
        assert!(count.load(Ordering::Relaxed) > 30, "there was work: {count:?}");

        // The operator's own verbs want the new master key now, and say so.
        let (code, _, err) = keys(&server, &["list"]).await;
        assert!(code == 1 && err.contains("the data keys are wrapped by the master key"), "{err}");
        assert!(err.contains("PROVOST_MASTER_KEY"), "the way out: {err}");
        std::fs::copy(&new_file, server.data().join("master.key")).unwrap();
        let after = listed(&server).await;
        let (old, new) = (current(&before), current(&after));
        assert!(rotated.contains(new["id"].as_str().unwrap()), "{rotated}");
        assert_ne!(old["id"], new["id"]);
        assert_ne!(old["master_key"], new["master_key"]);
        assert!(after.iter().all(|key| key["master_key"] == new["master_key"]));
        let left = |keys: &[Value]| keys.iter().find(|key| key["id"] == old["id"]).unwrap()["values"].clone();
        assert!(left(&before).as_i64() > Some(0));
        done(keys(&server, &["reseal"]).await);
        assert_eq!(left(&listed(&server).await), 0);
        let (code, _, err) = keys(&server, &["retire", old["id"].as_str().unwrap()]).await;
        assert!(code == 1 && err.contains("wait a minute"), "{err}");
        for kind in ["rotated", "resealed", "rewrapped"] {
            let events = server.events(&format!("encryption_key.{kind}")).await;
            assert!(!events.is_empty() && events[0]["actor"]["kind"] == "system", "{kind}: {events:?}");
        }
        let ledger = server.node.app.store.read().await;
        let verified = provost_store::ledger::verify(&mut ledger.unwrap(), server.workspace_id.parse().unwrap()).await;
        assert!(verified.unwrap().is_ok());

        node.stop().await;
        let server = server.restart(async |_, _| {}).await.unwrap();
        let body = json!({ "model": "gpt-test", "stream": true, "input": "hi" });
        let request = server.request(Method::POST, "/backend-api/codex/responses").bearer_auth(&token);
        let answer = server.send(request.header("version", "0.169.0").json(&body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let sent = upstream.turns().last().unwrap().header("authorization").unwrap().to_owned();
        assert!(sent.starts_with("Bearer sk-upstream-"), "the upstream's own key, as it is now");
        // What was marked under the first master key is good under the next.
        let report = json!({ "resourceLogs": [] });
        let request = server.request(Method::POST, "/otlp/v1/logs").bearer_auth(&telemetry);
        let answer: Answer = server.send(request.json(&report)).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        assert_eq!(server.call(&As::Nobody, Method::GET, "/readyz", None).await.ok()["status"], "ok");
    }
}

#[tokio::test]
async fn the_verbs_make_no_database_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for verb in ["list", "rotate", "reseal", "rewrap"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        let output = command.args(["keys", verb, "--data"]).arg(&data).env_clear().output().await.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && err.contains("there is no database"), "{verb}: {err}");
    }
    assert!(!Path::new(&data).exists());
}
