//! Provost starts without its database, and goes on from the last good snapshot.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{As, Database, Server};
use provost_testkit::upstream::Upstream;
use serde_json::{Value, json};

use super::issuer::{bundle_status, sign_in_client};
use super::tenants::second_workspace;
use super::{BOTH, PATIENT, client, status};

const STRICT: &str = "allowed_approval_policies = [\"on-request\"]\n";

fn last_good(server: &Server) -> PathBuf {
    server.data().join("last-good.sealed")
}

/// Waits until what is so far is in the last good snapshot, which is written by itself.
async fn kept(server: &Server) {
    // By the file system's own clock.
    let (mark, file) = (server.data().join("mark"), last_good(server));
    std::fs::write(&mark, "").unwrap();
    let now = std::fs::metadata(&mark).unwrap().modified().unwrap();
    let written = || std::fs::metadata(&file).and_then(|file| file.modified()).is_ok_and(|at| at > now);
    let waited = async {
        while !written() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), waited).await.expect("the last good snapshot is written soon");
}

fn database_file(data: &Path) -> PathBuf {
    data.join("provost.db")
}

/// Takes the file of the database and all that belongs to it somewhere else, or back.
fn move_database(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["provost.db", "provost.db-wal", "provost.db-shm"] {
        if from.join(name).exists() {
            std::fs::rename(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Takes the database away, crashes the node and starts it again.
async fn lose_database(server: Server) -> Result<Server, String> {
    if let Some(postgres) = &server.postgres {
        // The node finds out before it stops, so that what it does at its end is lost as well.
        postgres.shut().await;
    }
    let backup = server.data().join("backup");
    server
        .restart(async |data, postgres| {
            if postgres.is_none() {
                move_database(data, &backup);
            }
        })
        .await
}

async fn ready(server: &Server) -> Value {
    server.call(&As::Nobody, Method::GET, "/readyz", None).await.ok()
}

async fn turn(server: &Server, token: &str) -> StatusCode {
    let body = json!({ "model": "gpt-test", "stream": true, "input": "hi" });
    let request = server.request(Method::POST, "/backend-api/codex/responses").bearer_auth(token);
    server.send(request.header("version", "0.169.0").json(&body)).await.status
}

#[tokio::test]
async fn a_start_without_the_database_delivers_policies_and_answers_models_as_before() {
    for database in BOTH {
        let (server, upstream) = (Server::start_with(database, PATIENT).await, Upstream::start().await);
        server.upstream(&upstream.url(), &["gpt-test"]).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let mia = server.member("mia@acme.example").await;
        server.member("max@acme.example").await;
        let gone = server.member("gone@acme.example").await;
        let ops = server.group("Ops", &[&mia]).await;
        let token = server.access_token("mia@acme.example").await;
        let revoked = server.access_token("max@acme.example").await;
        let left = server.access_token("gone@acme.example").await;
        let signed_in = sign_in_client(&server, &server.sign_in("max@acme.example").await).await;
        let (strict, lax) = (server.policy("Strict", STRICT).await, server.policy("Lax", "").await);
        let rules = json!({ "rules": [{ "group_id": ops, "policy_id": strict }], "fallback_policy_id": lax });
        server.put("/api/v1/policy-rules", rules).await.ok();
        let enrolment = json!({ "name": "CI", "group_id": ops });
        let enrolment = server.post("/api/v1/device-enrolments", enrolment).await.text("base_url");
        let enrolment = format!("{}/codex/config/bundle", &enrolment[enrolment.find("/device/").unwrap()..]);
        let tokens = server.get("/api/v1/access-tokens").await.ok();
        let of_max = tokens["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|token| token["created_by"] != *mia && token["created_by"] != *gone);
        server.delete(&format!("/api/v1/access-tokens/{}", of_max.unwrap()["id"].as_str().unwrap())).await.ok();
        server.patch(&format!("/api/v1/members/{gone}"), json!({ "active": false })).await.ok();
        kept(&server).await;

        let server = lose_database(server).await.unwrap();
        let said = ready(&server).await;
        assert_eq!((&said["status"], &said["database"]), (&json!("degraded"), &json!("unavailable")));
        let reason = if database == Database::Sqlite { "missing" } else { "cannot be reached" };
        assert!(said["reason"].as_str().unwrap().contains(reason), "{said}");
        assert!(said["since"].is_string() && said["snapshot_as_of"].is_string(), "{said}");

        let policy = async |answer: provost_testkit::server::Answer| {
            answer.ok()["requirements_toml"]["enterprise_managed"][0]["name"].clone()
        };
        assert_eq!(policy(client(&server, &token, "/codex/config/bundle").await).await, "Strict");
        assert_eq!(policy(client(&server, &signed_in.access, "/codex/config/bundle").await).await, "Lax");
        assert_eq!(policy(server.call(&As::Nobody, Method::GET, &enrolment, None).await).await, "Strict");
        assert_eq!(client(&server, &signed_in.access, "/backend-api/wham/accounts/check").await.status, StatusCode::OK);
        for token in [&token, &signed_in.access] {
            assert_eq!(turn(&server, token).await, StatusCode::OK);
        }
        assert_eq!(upstream.turns().last().unwrap().header("authorization"), Some("Bearer sk-upstream"));
        assert!(server.get("/.well-known/jwks.json").await.ok()["keys"][0]["kid"].is_string());
        // Nobody can renew a token now, so that those that lived when the database went live on.
        server.advance(SignedDuration::from_hours(3));
        assert_eq!(bundle_status(&server, &signed_in.access).await, StatusCode::OK);
        // What had ended stays ended.
        for ended in [&revoked, &left, &"at-unknown".to_owned()] {
            assert_eq!(bundle_status(&server, ended).await, StatusCode::UNAUTHORIZED);
            assert_eq!(turn(&server, ended).await, StatusCode::UNAUTHORIZED);
        }
        // What wants the database hears so, and nothing is written anywhere.
        let answer = server.post("/api/v1/groups", json!({ "name": "Lost" })).await;
        assert_eq!(status(&answer), "503 database_unavailable");
        for path in ["/api/v1/members", "/api/v1/events", "/api/v1/policies"] {
            assert_eq!(status(&server.get(path).await), "503 database_unavailable", "{path}");
        }
        assert_eq!(server.call(&As::Nobody, Method::GET, "/healthz", None).await.status, StatusCode::OK);
        assert!(!database_file(&server.data()).exists(), "no empty database is made over one that is lost");

        // The database is back.
        let server = match &server.postgres {
            Some(postgres) => {
                postgres.reopen().await;
                server
            }
            None => {
                let backup = server.data().join("backup");
                server.restart(async |data, _| move_database(&backup, data)).await.unwrap()
            }
        };
        let healed = async {
            while ready(&server).await["status"] != "ok" {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(15), healed).await.expect("it goes over to the database");
        assert_eq!(
            bundle_status(&server, &signed_in.access).await,
            StatusCode::UNAUTHORIZED,
            "it can be renewed again"
        );
        assert_eq!(server.get("/api/v1/groups").await.ok()["data"].as_array().unwrap().len(), 1);
        server.post("/api/v1/groups", json!({ "name": "Again" })).await.ok();
        let again = sign_in_client(&server, &server.sign_in("max@acme.example").await).await;
        assert_eq!(bundle_status(&server, &again.access).await, StatusCode::OK);
        if database == Database::Postgres {
            let fetched = server.events("policy.fetched").await;
            assert!(
                fetched.iter().any(|event| event["actor"]["kind"] == "device"),
                "what happened meanwhile is on record"
            );
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_is_not_ours_or_too_old_is_not_started_with() {
    for database in BOTH {
        for (case, expected) in [
            ("altered", "altered, or sealed under another master key"),
            ("cut", "altered, or sealed under another master key"),
            ("empty", "altered, or sealed under another master key"),
            ("another key", "altered, or sealed under another master key"),
            ("too old", "more than 7 days ago"),
        ] {
            let server = Server::start_with(database, PATIENT).await;
            kept(&server).await;
            if let Some(postgres) = &server.postgres {
                postgres.shut().await;
            }
            let clock = server.clock.clone();
            let started = server.restart(async |data, _| {
                move_database(data, &data.join("backup"));
                let file = data.join("last-good.sealed");
                let mut sealed = std::fs::read(&file).unwrap();
                match case {
                    "altered" => {
                        let middle = sealed.len() / 2;
                        sealed[middle] ^= 1;
                    }
                    "cut" => sealed.truncate(sealed.len() - 1),
                    "empty" => sealed.clear(),
                    "another key" => std::fs::remove_file(data.join("master.key")).unwrap(),
                    _ => clock.advance(SignedDuration::from_hours(24 * 8)),
                }
                std::fs::write(&file, sealed).unwrap();
            });
            let error = started.await.err().unwrap_or_else(|| panic!("{database:?} {case}: it starts"));
            assert!(error.contains(expected), "{database:?} {case}: {error}");
            assert!(error.contains("Restore a backup") && error.contains("delete that file"), "the way out: {error}");
        }
    }
}

#[tokio::test]
async fn a_database_that_is_there_and_not_readable_or_empty_is_a_lost_one() {
    type Harm = fn(&Path);
    let harms: [(&str, &str, Harm); 3] = [
        ("garbage", "cannot be read", |file| std::fs::write(file, [7; 8192]).unwrap()),
        ("empty", "missing", |file| std::fs::write(file, []).unwrap()),
        ("damaged", "cannot be read", |file| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[4096..].fill(0xff);
            std::fs::write(file, bytes).unwrap();
        }),
    ];
    for (case, reason, harm) in harms {
        let server = Server::start_with(Database::Sqlite, PATIENT).await;
        kept(&server).await;
        let server = server.restart(async |data, _| harm(&database_file(data))).await.unwrap();
        let said = ready(&server).await;
        assert!(said["reason"].as_str().unwrap_or_default().contains(reason), "{case}: {said}");
        assert_eq!(status(&server.get("/api/v1/members").await), "503 database_unavailable", "{case}");
        // Who wants to start anew says so.
        let anew = server.restart(async |data, _| {
            std::fs::remove_file(data.join("last-good.sealed")).unwrap();
            std::fs::remove_file(database_file(data)).unwrap();
        });
        let anew = anew.await.unwrap();
        assert_eq!(ready(&anew).await["status"], "ok", "{case}");
        assert!(anew.node.app.store.world().workspaces.is_empty());
    }
    let server = Server::start_with(Database::Postgres, PATIENT).await;
    kept(&server).await;
    let server = server.restart(async |_, postgres| postgres.unwrap().empty().await).await.unwrap();
    let said = ready(&server).await;
    assert!(said["reason"].as_str().unwrap_or_default().contains("no workspace any more"), "{said}");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(ready(&server).await["status"], "degraded", "an empty database is not gone over to");
}

#[tokio::test]
async fn each_workspace_keeps_to_itself_without_the_database() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let (_, other) = second_workspace(&server).await;
    let mut addresses = Vec::new();
    for (who, name) in [(server.admin(), "Ours"), (other, "Theirs")] {
        let post = async |path: &str, body: Value| {
            server.call(&who, Method::POST, &format!("/api/v1/{path}"), Some(body)).await.ok()
        };
        let policy = post("policies", json!({ "name": name, "contents": STRICT })).await;
        let group = post("groups", json!({ "name": "CI" })).await;
        let rules = json!({ "rules": [], "fallback_policy_id": policy["id"] });
        server.call(&who, Method::PUT, "/api/v1/policy-rules", Some(rules)).await.ok();
        let made = post("device-enrolments", json!({ "name": "CI", "group_id": group["id"] })).await;
        let base_url = made["base_url"].as_str().unwrap().to_owned();
        addresses.push((name, format!("{}/codex/config/bundle", &base_url[base_url.find("/device/").unwrap()..])));
    }
    kept(&server).await;
    let server = lose_database(server).await.unwrap();
    for (name, address) in addresses {
        let bundle = server.call(&As::Nobody, Method::GET, &address, None).await.ok();
        assert_eq!(bundle["requirements_toml"]["enterprise_managed"][0]["name"], name);
    }
}
