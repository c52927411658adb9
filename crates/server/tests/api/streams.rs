//! Open streams end with what their caller may, on every node.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use provost_server::node::Node;
use provost_testkit::server::{As, Database, Server};
use provost_testkit::upstream::{Reply, Upstream};
use serde_json::{Value, json};

use super::deprovisions::settled;
use super::{BOTH, PATIENT};

/// How long a stream may go on after its caller has lost it.
const SOON: Duration = Duration::from_secs(1);
const REFUSED: &str = "403 - Unauthorized. Contact your ChatGPT administrator for access.";

/// A stream that has begun and whose upstream then says nothing more.
struct Stream {
    answer: reqwest::Response,
    read: String,
}

impl Stream {
    async fn open(url: &str, token: &str) -> Self {
        let body = json!({ "model": "gpt-test", "stream": true, "input": "hi" });
        let request = reqwest::Client::new().post(format!("{url}/backend-api/codex/responses")).bearer_auth(token);
        let mut answer = request.header("version", "0.169.0").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let first = answer.chunk().await.unwrap().unwrap();
        Self { answer, read: String::from_utf8_lossy(&first).into_owned() }
    }

    /// Reads to the end: the last event.
    async fn last_event(mut self) -> Value {
        let rest = async {
            while let Some(chunk) = self.answer.chunk().await.expect("the stream ends, and does not break off") {
                self.read.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        tokio::time::timeout(SOON, rest).await.expect("it is cut within a second");
        let last = self.read.trim_end().rsplit("data: ").next().unwrap();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
    }

    /// Whether it is still open.
    async fn is_open(&mut self) -> bool {
        loop {
            match tokio::time::timeout(Duration::from_millis(100), self.answer.chunk()).await {
                Err(_) => return true,
                Ok(Ok(Some(_))) => {}
                Ok(_) => return false,
            }
        }
    }
}

struct Scene {
    server: Server,
    upstream: Upstream,
    mia: String,
    token: String,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let (server, upstream) = (Server::start_with(database, PATIENT).await, Upstream::start().await);
        upstream.set_default(Reply::text("never").hang_after(3));
        server.upstream(&upstream.url(), &["gpt-test"]).await;
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let mia = server.member("mia@acme.example").await;
        let token = server.access_token("mia@acme.example").await;
        Self { server, upstream, mia, token }
    }

    async fn stream(&self, token: &str) -> Stream {
        Stream::open(&self.server.http_url(), token).await
    }

    async fn failures(&self) -> Vec<Value> {
        let failed = self.server.events("turn.failed").await;
        failed.iter().map(|event| event["details"]["error"].clone()).collect()
    }
}

#[tokio::test]
async fn a_leaver_s_streams_end_and_other_people_s_go_on() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        scene.server.member("max@acme.example").await;
        let maxs = scene.server.access_token("max@acme.example").await;
        let (one, two, mut other) =
            (scene.stream(&scene.token).await, scene.stream(&scene.token).await, scene.stream(&maxs).await);
        let path = format!("/api/v1/members/{}", scene.mia);
        let suspended = scene.server.patch(&path, json!({ "active": false })).await;
        for stream in [one, two] {
            let event = stream.last_event().await;
            assert_eq!(event["type"], "response.failed");
            // What Codex shows as it is, without a second try.
            assert_eq!(event["response"]["error"], json!({ "code": "invalid_prompt", "message": REFUSED }));
        }
        // The model stops too.
        scene.upstream.wait_for_client_gone().await;
        assert!(other.is_open().await);
        let receipt = settled(&scene.server, &suspended).await;
        assert_eq!(receipt["nodes"][0]["streams_ended"], 2, "{receipt}");
        assert_eq!(scene.failures().await, ["deprovisioned", "deprovisioned"]);
        assert_eq!(scene.server.node.app.running.count(), 1);
        drop(other);
    }
}

#[tokio::test]
async fn a_turn_that_waits_for_its_first_word_is_refused() {
    let scene = Scene::open(BOTH[0]).await;
    scene.upstream.set_default(Reply::hang());
    let body = json!({ "model": "gpt-test", "stream": true, "input": "hi" });
    let request = scene.server.request(Method::POST, "/backend-api/codex/responses").bearer_auth(&scene.token);
    let turn = scene.server.send(request.header("version", "0.169.0").json(&body));
    let suspend = async {
        scene.upstream.wait_for_turns(1).await;
        scene.server.patch(&format!("/api/v1/members/{}", scene.mia), json!({ "active": false })).await.ok();
    };
    let (answer, ()) = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(turn, suspend) })
        .await
        .expect("it does not wait for the upstream");
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.body["error"]["message"], REFUSED);
    assert_eq!(scene.failures().await, ["deprovisioned"]);
}

#[tokio::test]
async fn a_revoked_token_and_a_lost_permission_cut_what_ran_on_them() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let other_token = scene.server.access_token("mia@acme.example").await;
        let (revoked, mut other) = (scene.stream(&scene.token).await, scene.stream(&other_token).await);
        let id = scene.server.get("/api/v1/access-tokens").await.ok()["data"][0]["id"].as_str().unwrap().to_owned();
        scene.server.delete(&format!("/api/v1/access-tokens/{id}")).await;
        let error = revoked.last_event().await["response"]["error"].clone();
        assert_eq!(error["message"], "This sign-in was ended: sign in again (`codex login`).");
        assert!(other.is_open().await, "it runs on another token");
        // The toggle that let everybody use Codex.
        scene.server.patch("/api/v1/settings", json!({ "codex_local": false })).await.ok();
        assert_eq!(other.last_event().await["response"]["error"]["message"], REFUSED);
        assert_eq!(scene.failures().await, ["credential_revoked", "not_permitted"]);
    }
}

#[tokio::test]
async fn leaving_the_last_granting_group_cuts_the_streams() {
    let scene = Scene::open(BOTH[0]).await;
    scene.server.patch("/api/v1/settings", json!({ "codex_local": false })).await.ok();
    let role = json!({ "name": "Codex", "permissions": ["codex.local.use"] });
    let role = scene.server.post("/api/v1/roles", role).await.text("id");
    let group = scene.server.group("Eng", &[&scene.mia]).await;
    scene.server.put(&format!("/api/v1/roles/{role}/groups/{group}"), Value::Null).await.ok();
    let stream = scene.stream(&scene.token).await;
    let left = scene.server.delete(&format!("/api/v1/groups/{group}/members/{}", scene.mia)).await;
    assert_eq!(stream.last_event().await["response"]["error"]["message"], REFUSED);
    assert_eq!(settled(&scene.server, &left).await["nodes"][0]["streams_ended"], 1);
}

fn http_url(node: &Node) -> String {
    format!("http://{}", node.http_address.unwrap())
}

#[tokio::test]
async fn every_node_lets_go_within_a_second_and_signs_the_receipt() {
    let scene = Scene::open(Database::Postgres).await;
    let second = scene.server.second_node().await;
    let (here, there) = (scene.stream(&scene.token).await, Stream::open(&http_url(&second), &scene.token).await);
    let asked = Instant::now();
    let path = format!("/api/v1/members/{}", scene.mia);
    let suspended = scene.server.patch(&path, json!({ "active": false })).await;
    assert_eq!(there.last_event().await["type"], "response.failed");
    assert_eq!(here.last_event().await["type"], "response.failed");
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    let receipt = settled(&scene.server, &suspended).await;
    let nodes = receipt["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 2, "{receipt}");
    for node in nodes {
        assert_eq!(node["streams_ended"], 1, "{receipt}");
        assert!((0..1_000).contains(&node["after_ms"].as_i64().unwrap()), "{receipt}");
    }
    // A node that has stopped is waited for no more.
    second.stop().await;
    let max = scene.server.member("max@acme.example").await;
    let deleted = scene.server.delete(&format!("/api/v1/members/{max}")).await;
    assert_eq!(settled(&scene.server, &deleted).await["nodes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_receipt_is_not_complete_before_a_node_that_runs_has_signed() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        // A node that is there and has not read the change: as one that has lost the database.
        let store = &scene.server.node.app.store;
        let now = store.clock().now();
        let mut tx = store.write().await.unwrap();
        let silent = provost_model::NodeId::new(now);
        provost_store::tables::nodes::note(&mut tx, silent, now, now).await.unwrap();
        tx.commit().await.unwrap();
        let path = format!("/api/v1/members/{}", scene.mia);
        let suspended = scene.server.patch(&path, json!({ "active": false })).await;
        let id = suspended.headers["x-provost-deprovision"].to_str().unwrap().to_owned();
        let receipt = async || scene.server.get(&format!("/api/v1/deprovisions/{id}")).await.ok();
        let signed = async {
            while !receipt().await["nodes"].as_array().unwrap().iter().any(|node| node["after_ms"].is_i64()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(SOON, signed).await.expect("this node signs");
        let found = receipt().await;
        assert_eq!(found["complete"], false, "{found}");
        let waiting = found["nodes"].as_array().unwrap().iter().find(|node| node["node"] == silent.to_string());
        assert_eq!(waiting.unwrap()["applied_at"], Value::Null);
        // Not heard of for two minutes, it is taken for gone.
        scene.server.advance(jiff::SignedDuration::from_mins(3));
        let body = As::Nobody;
        let gone = async {
            while receipt().await["complete"] != true {
                scene.server.call(&body, Method::GET, "/healthz", None).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the next beat forgets it");
    }
}
