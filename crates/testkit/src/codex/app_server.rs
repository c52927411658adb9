//! `codex app-server`: the JSON-RPC interface of the IDE extension and the desktop app, over stdio.

use std::collections::VecDeque;
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::{Device, Output, Running};

/// How long one answer or notification may take. A refused policy fetch alone takes 3.5 s (five tries).
const PATIENCE: Duration = Duration::from_secs(30);

impl Device {
    /// Starts an app server and introduces us to it.
    pub async fn app_server(&self) -> AppServer {
        let mut command = self.command();
        command.arg("app-server").stdin(Stdio::piped());
        let mut process = Running::start(command);
        let stdin = process.take_stdin().expect("stdin is piped");
        let mut server = AppServer { process, stdin, read: 0, waiting: VecDeque::new(), next_id: 0 };
        let client = json!({"name": "provost_testkit", "title": "Provost tests", "version": "0"});
        let hello = json!({"clientInfo": client, "capabilities": {"experimentalApi": true}});
        server.call("initialize", hello).await;
        server.send(&json!({"method": "initialized"})).await;
        server
    }
}

/// A running app server. Dropping it kills it.
pub struct AppServer {
    process: Running,
    stdin: ChildStdin,
    /// How many lines of its output have been looked at.
    read: usize,
    /// Messages that arrived while we waited for another.
    waiting: VecDeque<Value>,
    next_id: u64,
}

/// A browser sign-in that waits for its member.
pub struct BrowserLogin {
    /// Where the browser would be sent.
    pub auth_url: String,
    /// The id that the closing notification repeats.
    pub login_id: String,
    /// The redirect goes to port 1455, always: one login at a time on this machine, across test processes.
    _port: File,
}

impl AppServer {
    /// Calls a method and returns its result.
    ///
    /// # Panics
    /// When the server answers with an error, or not at all.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        match self.try_call(method, params).await {
            Ok(result) => result,
            Err(error) => panic!("{method}: {error}"),
        }
    }

    /// Calls a method; an error of the server is the `error` object of its answer.
    ///
    /// # Errors
    /// The `error` object of JSON-RPC: `code` and `message`.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({"id": id, "method": method, "params": params})).await;
        let is_answer = |message: &Value| message["id"] == id && message.get("method").is_none();
        let mut answer = self.receive(&format!("an answer to {method}"), is_answer).await;
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }

    /// Waits for the next notification (or request of the server) with this method and returns its parameters.
    ///
    /// # Panics
    /// When none comes.
    pub async fn notification(&mut self, method: &str) -> Value {
        let mut message = self.receive(method, |message| message["method"] == method).await;
        message["params"].take()
    }

    /// Starts a browser sign-in. Follow `auth_url` as a browser would, end with a `GET` of the loopback
    /// address it redirects to, then call [`login_completed`](Self::login_completed).
    /// 0.130.0 answers with an address of the vendor here.
    pub async fn start_browser_login(&mut self) -> BrowserLogin {
        let port = tokio::task::spawn_blocking(lock_login_port).await.expect("the lock is taken or panics itself");
        let mut started = self.call("account/login/start", json!({"type": "chatgpt"})).await;
        let mut text = |key: &str| started[key].take().as_str().expect("the start of a login names it").to_owned();
        BrowserLogin { auth_url: text("authUrl"), login_id: text("loginId"), _port: port }
    }

    /// Waits for the end of a sign-in: `{"loginId", "success", "error"}`.
    pub async fn login_completed(&mut self, login: BrowserLogin) -> Value {
        let is_ours = |message: &Value| {
            message["method"] == "account/login/completed" && message["params"]["loginId"] == login.login_id
        };
        self.receive("account/login/completed", is_ours).await["params"].take()
    }

    /// The policy this server runs under, as the client understood it (`null` when there is none).
    pub async fn config_requirements(&mut self) -> Value {
        self.call("configRequirements/read", json!({})).await["requirements"].take()
    }

    /// Closes its input and waits for its end.
    pub async fn stop(self) -> Output {
        drop(self.stdin);
        self.process.finish().await
    }

    async fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.stdin.write_all(line.as_bytes()).await.expect("the app server reads its input");
    }

    async fn receive(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.waiting.iter().position(&wanted) {
            return self.waiting.remove(index).expect("the index was just found");
        }
        let search = async {
            loop {
                let read = self.read;
                let next = |text: &str| {
                    text.split_inclusive('\n').nth(read).filter(|line| line.ends_with('\n')).map(str::to_owned)
                };
                let line = self.process.wait_for_stdout(what, next).await;
                self.read += 1;
                let message: Value = serde_json::from_str(&line).expect("the app server writes one JSON value a line");
                if wanted(&message) {
                    return message;
                }
                self.waiting.push_back(message);
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("the app server never sent {what}"))
    }
}

fn lock_login_port() -> File {
    let path = std::env::temp_dir().join("codex-login-port-1455.lock");
    let file = File::options().create(true).append(true).open(path).expect("a lock file in the temporary directory");
    file.lock().expect("the file system has locks");
    file
}
