//! What the upstream remembers of a request, and how its answer ended.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use serde_json::Value;
use tokio::sync::watch;

/// The largest request body the upstream reads, in bytes: far above any turn of a test.
const BODY_LIMIT: usize = 64 << 20;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// Path and query, as sent.
    pub path: String,
    /// The headers, as sent: a test looks here for what must (the upstream's key) and must not (the
    /// member's token) have been passed on.
    pub headers: HeaderMap,
    /// The body, decompressed and parsed; `Null` when there was none or it was not JSON.
    pub body: Value,
    /// How the answer ended so far.
    pub outcome: Outcome,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is still being sent.
    Answering,
    /// The script was played to its end (which may have been to cut the connection).
    Finished,
    /// The client closed the connection first.
    ClientGone,
}

impl Recorded {
    /// Whether this asked for a model turn, rather than for the list of models.
    #[must_use]
    pub fn is_turn(&self) -> bool {
        self.method == Method::POST && self.path.split('?').next().is_some_and(|path| path.ends_with("/responses"))
    }

    /// What the client reports back of the last tool the model asked for: the command's output and exit
    /// code, or why it was rejected. `None` when the turn reports none.
    #[must_use]
    pub fn tool_output(&self) -> Option<&str> {
        let items = self.body["input"].as_array()?;
        items.iter().rev().find(|item| item["type"] == "function_call_output")?["output"].as_str()
    }

    /// A header as text; `None` when it is missing or not ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Reads all of a request; the error is for the client.
    pub(super) async fn read(request: Request) -> Result<Self, &'static str> {
        let (parts, body) = request.into_parts();
        let Ok(mut body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
            return Err("the body could not be read");
        };
        if parts.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "zstd") {
            match zstd::stream::decode_all(&*body) {
                Ok(plain) => body = plain.into(),
                Err(_) => return Err("the body is not zstd"),
            }
        }
        Ok(Self {
            method: parts.method,
            path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            outcome: Outcome::Answering,
        })
    }
}

/// The open entry of one request in the log. Dropped without `finish`, it says that the client went
/// away: the server drops an answer it can no longer deliver.
pub(super) struct Ticket {
    log: watch::Sender<Vec<Recorded>>,
    index: usize,
    finished: bool,
}

impl Ticket {
    pub(super) fn open(log: &watch::Sender<Vec<Recorded>>, recorded: Recorded) -> Self {
        let mut index = 0;
        log.send_modify(|log| {
            index = log.len();
            log.push(recorded);
        });
        Self { log: log.clone(), index, finished: false }
    }

    /// The place of the request in the log, from 0.
    pub(super) fn number(&self) -> usize {
        self.index
    }

    pub(super) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let outcome = if self.finished { Outcome::Finished } else { Outcome::ClientGone };
        self.log.send_modify(|log| log[self.index].outcome = outcome);
    }
}
