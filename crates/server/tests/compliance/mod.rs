//! A consumer of the hosted product's Compliance API, pointed here: it has every event once, although events pour in and
//! the server is killed again and again.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const PROVOST: &str = env!("CARGO_BIN_EXE_provost");
const CONSUMER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compliance/consumer.py");
/// How often the server is killed.
const KILLS: usize = 4;

/// The program itself, on its own data.
struct Program {
    process: Child,
    base: String,
    http: Client,
}

impl Program {
    async fn start(dir: &Path, port: u16) -> Self {
        let listen = format!("127.0.0.1:{port}");
        let process = Command::new(PROVOST)
            .args(["serve", "--data", "data", "--listen", &listen, "--http-listen", "none", "--config", "provost.toml"])
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let pem = async {
            loop {
                if let Ok(pem) = std::fs::read(dir.join("data/tls/ca.pem")) {
                    break pem;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let pem = timeout(Duration::from_secs(30), pem).await.expect("the server makes its certificate");
        let ca = reqwest::Certificate::from_pem(&pem).unwrap();
        let http = Client::builder().add_root_certificate(ca).timeout(Duration::from_secs(20)).build().unwrap();
        let base = format!("https://{listen}");
        let up = async {
            while http.get(format!("{base}/healthz")).send().await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(60), up).await.expect("the server comes up");
        Self { process, base, http }
    }

    async fn get(&self, key: &str, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.base)).bearer_auth(key).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Makes groups until the server is killed; the names of those that it acknowledged.
    async fn pour(&self, key: &str, round: usize, count: usize) -> Vec<String> {
        let mut made = Vec::new();
        for n in 0..count {
            let name = format!("group {round}.{n}");
            let url = format!("{}/api/v1/groups", self.base);
            let request = self.http.post(url).bearer_auth(key).json(&json!({ "name": name }));
            match request.send().await {
                Ok(answer) if answer.status().is_success() => made.push(name),
                _ => break,
            }
        }
        made
    }
}

/// Every event of the ledger so far: its id, and the group that it is about.
async fn ledger(program: &Program, key: &str) -> Vec<(String, String)> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = program.get(key, &format!("/api/v1/events?limit=1000&after={after}")).await;
        let events = page["data"].as_array().unwrap().clone();
        let Some(last) = events.last() else { return all };
        after = last["seq"].as_i64().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.extend(events.iter().map(|event| (text(&event["id"]), text(&event["target"]["name"]))));
    }
}

#[tokio::test]
async fn a_consumer_of_the_hosted_product_has_every_event_once_whatever_becomes_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("provost.toml"), "[limits]\nlog_file_seconds = 1\n").unwrap();
    let init = Command::new(PROVOST)
        .args(["init", "--data", "data", "--workspace", "Acme", "--owner", "owner@acme.example", "--json"])
        .current_dir(dir.path())
        .output()
        .await
        .unwrap();
    let init: Value = serde_json::from_slice(&init.stdout).unwrap();
    let (key, ws) = (init["api_key"].as_str().unwrap(), init["workspace_id"].as_str().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut program = Program::start(dir.path(), port).await;
    let stop = dir.path().join("stop");
    let consumer = Command::new("python3")
        .args([CONSUMER, "--base", &program.base, "--workspace", ws, "--key", key])
        .arg("--ca-file")
        .arg(dir.path().join("data/tls/ca.pem"))
        .arg("--stop-file")
        .arg(&stop)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();

    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let (made, ()) = tokio::join!(program.pour(key, round, 10_000), async {
            // At no particular moment of writing or cutting.
            sleep(Duration::from_millis(900 + 370 * round as u64)).await;
            // `kill -9`.
            let id = program.process.id().unwrap();
            let killed = std::process::Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
            assert!(killed.success());
        });
        assert!(!made.is_empty(), "round {round}");
        acknowledged.extend(made);
        // So long that the consumer meets nobody.
        sleep(Duration::from_millis(1_200)).await;
        program = Program::start(dir.path(), port).await;
    }
    acknowledged.extend(program.pour(key, KILLS, 50).await);
    let events = ledger(&program, key).await;
    let named: BTreeSet<&str> = events.iter().map(|(_, name)| name.as_str()).collect();
    assert!(acknowledged.iter().all(|name| named.contains(name.as_str())), "what was acknowledged is in the ledger");

    // Two cuts later all of that is in files.
    sleep(Duration::from_millis(2_500)).await;
    std::fs::write(&stop, "").unwrap();
    let output = timeout(Duration::from_secs(60), consumer.wait_with_output()).await.expect("it ends").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let has = report["events"].as_object().unwrap();
    let missing: Vec<_> = events.iter().filter(|(id, _)| !has.contains_key(id)).collect();
    assert!(missing.is_empty(), "{} of {} events are in no file: {missing:?}", missing.len(), events.len());
    assert_eq!(report["repeats"], 0, "no event is in two files");
    assert!(report["restarts"].as_u64() > Some(0), "the consumer met a server that was away");
    assert!(report["files"].as_u64() > Some(KILLS as u64), "{}", report["files"]);
}
