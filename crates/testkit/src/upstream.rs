//! A stand-in for a hosted model: an HTTP server on a loopback port that speaks the OpenAI
//! Responses API over SSE, answers by script, and remembers what it was asked.
//!
//! ```ignore
//! let upstream = Upstream::start().await;
//! upstream.push(Reply::tool_call("exec_command", json!({"cmd": "rm -rf notes"})));
//! upstream.push(Reply::text("I could not remove it."));
//! // … drive a client through Provost, then look at what arrived:
//! assert_eq!(upstream.requests()[0].body["store"], false);
//! ```
//!
//! Replies are taken from a queue, first in first out; when it is empty every request gets the default reply.

mod events;
mod recorded;
mod reply;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use events::Usage;
pub use recorded::{Outcome, Recorded};
pub use reply::Reply;

/// How long the `wait_…` methods wait before they fail the test.
const PATIENCE: Duration = Duration::from_secs(10);

/// The running stand-in. It stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    state: Shared,
    server: JoinHandle<()>,
}

/// What the handler and the test share: the script, and the log as a watched value.
#[derive(Clone)]
struct Shared {
    script: Arc<Mutex<Script>>,
    log: watch::Sender<Vec<Recorded>>,
}

struct Script {
    queue: VecDeque<Reply>,
    default: Reply,
    models: Vec<String>,
}

impl Upstream {
    /// Starts on `127.0.0.1` and a free port. Until told otherwise it answers every turn with the
    /// text "hello from the upstream" and lists one model, `gpt-test`.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port for the scripted upstream");
        let address = listener.local_addr().expect("a bound listener has an address");
        // Without TCP_NODELAY a client would see events in clumps and timing tests would lie.
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let state = Shared {
            script: Arc::new(Mutex::new(Script {
                queue: VecDeque::new(),
                default: Reply::text("hello from the upstream"),
                models: vec!["gpt-test".to_owned()],
            })),
            log: watch::Sender::new(Vec::new()),
        };
        let router = Router::new().fallback(answer).with_state(state.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the scripted upstream accepts connections");
        });
        Self { address, state, server }
    }

    /// The base URL an OpenAI-compatible client is configured with, e.g. `http://127.0.0.1:40123/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Appends a reply for the next turn that finds the earlier ones used up.
    pub fn push(&self, reply: Reply) {
        self.state.script().queue.push_back(reply);
    }

    /// What every turn gets when the queue is empty.
    pub fn set_default(&self, reply: Reply) {
        self.state.script().default = reply;
    }

    /// The names that `GET /v1/models` lists.
    pub fn set_models(&self, models: &[&str]) {
        self.state.script().models = models.iter().map(|&model| model.to_owned()).collect();
    }

    /// Every request so far, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.log.borrow().clone()
    }

    /// The turns (`POST …/responses`) so far, in order of arrival.
    #[must_use]
    pub fn turns(&self) -> Vec<Recorded> {
        self.requests().into_iter().filter(Recorded::is_turn).collect()
    }

    /// Waits until `count` turns have arrived (not: been answered).
    ///
    /// # Panics
    /// When they have not after ten seconds.
    pub async fn wait_for_turns(&self, count: usize) -> Vec<Recorded> {
        self.wait_until(&format!("{count} turns"), |log| {
            log.iter().filter(|request| request.is_turn()).count() >= count
        })
        .await;
        self.turns()
    }

    /// Waits until a client has gone away before the end of its answer.
    ///
    /// # Panics
    /// When none has after ten seconds.
    pub async fn wait_for_client_gone(&self) {
        self.wait_until("a client that left early", |log| {
            log.iter().any(|request| request.outcome == Outcome::ClientGone)
        })
        .await;
    }

    async fn wait_until(&self, what: &str, done: impl Fn(&[Recorded]) -> bool) {
        let mut log = self.state.log.subscribe();
        let arrived = tokio::time::timeout(PATIENCE, log.wait_for(|log| done(log))).await.is_ok();
        assert!(arrived, "the upstream waited {PATIENCE:?} for {what}; it saw {:#?}", self.requests());
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One handler for every path: providers put the API below different prefixes (`/v1`, `/openai/v1`, none).
async fn answer(State(state): State<Shared>, request: Request) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let (recorded, model) = match Recorded::read(request).await {
        Ok(recorded) => {
            let model = recorded.body["model"].as_str().unwrap_or("gpt-test").to_owned();
            (recorded, model)
        }
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let ticket = recorded::Ticket::open(&state.log, recorded);

    if method == Method::POST && path.ends_with("/responses") {
        let reply = {
            let mut script = state.script();
            script.queue.pop_front().unwrap_or_else(|| script.default.clone())
        };
        return reply.send(&model, ticket).await;
    }
    let response = if method == Method::GET && path.ends_with("/models") {
        axum::Json(events::model_list(&state.script().models)).into_response()
    } else {
        (StatusCode::NOT_FOUND, axum::Json(json!({"error": {"message": "Unknown request URL"}}))).into_response()
    };
    ticket.finish();
    response
}
