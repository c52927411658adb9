//! Asks the real client what it says of a policy, over loopback.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A signed-in enterprise member: the unsigned token of `record.py`'s `auth_json`, which ends in 2100.
const TOKEN: &str = concat!(
    "eyJhbGciOiAibm9uZSIsICJ0eXAiOiAiSldUIn0.",
    "eyJleHAiOiA0MTAyNDQ0ODAwLCAiZW1haWwiOiAiZGV2QGV4YW1wbGUudGVzdCIsICJodHRwczovL2FwaS5vcGVuYWkuY29t",
    "L2F1dGgiOiB7ImNoYXRncHRfYWNjb3VudF9pZCI6ICJhY2NvdW50LTEiLCAiY2hhdGdwdF9wbGFuX3R5cGUiOiAiZW50ZXJw",
    "cmlzZSIsICJjaGF0Z3B0X3VzZXJfaWQiOiAidXNlci0xIiwgInVzZXJfaWQiOiAidXNlci0xIn19",
    ".c2ln"
);

/// A client that starts anew for each policy.
pub(super) struct Client {
    program: PathBuf,
    port: u16,
    bundles: Arc<Mutex<HashMap<usize, String>>>,
    next: AtomicUsize,
    root: PathBuf,
}

impl Client {
    /// Serves policies to clients of this program.
    pub(super) fn new(program: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let bundles = Arc::new(Mutex::new(HashMap::new()));
        let served = Arc::clone(&bundles);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || answer(stream, &served));
            }
        });
        let root = std::env::temp_dir().join(format!("conformance-{}", std::process::id()));
        Self { program, port, bundles, next: AtomicUsize::new(0), root }
    }

    /// What the client says: nothing if it starts, else why it does not.
    pub(super) fn refusal(&self, layers: &[String]) -> Option<String> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let managed: Vec<_> = layers
            .iter()
            .enumerate()
            .map(|(at, text)| serde_json::json!({ "id": format!("id{at}"), "name": format!("name{at}"), "contents": text }))
            .collect();
        let bundle = serde_json::json!({ "requirements_toml": { "enterprise_managed": managed } }).to_string();
        self.bundles.lock().expect("no one panics with it").insert(index, bundle);
        let home = self.root.join(index.to_string());
        let codex = home.join(".codex");
        // Not below the home directory: what a policy says of one must not reach the other.
        let work = self.root.join("work");
        fs::create_dir_all(&work).expect("the temporary directory can be written");
        fs::create_dir_all(&codex).expect("the temporary directory can be written");
        let tokens = serde_json::json!({
            "id_token": TOKEN, "access_token": TOKEN, "refresh_token": "unused", "account_id": "account-1",
        });
        let auth = serde_json::json!({
            "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": tokens, "last_refresh": "2099-01-01T00:00:00Z",
        });
        let config = format!(
            "chatgpt_base_url = \"http://127.0.0.1:{}/{index}/backend-api\"\ncli_auth_credentials_store = \"file\"\n",
            self.port
        );
        fs::write(codex.join("auth.json"), auth.to_string()).expect("the directory was just made");
        fs::write(codex.join("config.toml"), config).expect("the directory was just made");
        let mut command = Command::new(&self.program);
        command.args(["app-server", "--print-startup-config"]).current_dir(&work).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_lowercase();
            if text.starts_with("codex") || text.starts_with("openai") || text.ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        let output = command.env("CODEX_HOME", &codex).env("HOME", &home).output().expect("the client can be run");
        self.bundles.lock().expect("no one panics with it").remove(&index);
        fs::remove_dir_all(&home).expect("nobody else has it");
        let said = serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_else(|_| {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            serde_json::json!({ "error": { "message": stderr } })
        });
        let error = said.get("error").filter(|error| !error.is_null())?;
        let detail = error.pointer("/data/detail").or_else(|| error.get("message"));
        Some(detail.and_then(serde_json::Value::as_str).unwrap_or("it does not say why").to_owned())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // What is left of it is no reason to fail.
        drop(fs::remove_dir_all(&self.root));
    }
}

/// One request on one connection: `/<index>/backend-api/wham/config/bundle`, or not found.
fn answer(mut stream: TcpStream, bundles: &Mutex<HashMap<usize, String>>) {
    let mut lines =
        BufReader::new(stream.try_clone().expect("the system has handles left")).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let index = path.split('/').nth(1).and_then(|index| index.parse().ok());
    let bundle = index.filter(|_| path.ends_with("/config/bundle"));
    let bundle = bundle.and_then(|index: usize| bundles.lock().expect("no one panics with it").get(&index).cloned());
    let (status, body) = bundle.map_or(("404 Not Found", "{}".to_owned()), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
    // A client that went away does not want it any more.
    drop(stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes()));
}
