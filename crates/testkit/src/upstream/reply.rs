//! One scripted answer to one turn.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;

use super::events::{self, Turn, Usage};
use super::recorded::Ticket;

/// What the upstream does with one turn. Made by one of the constructors, refined by the methods:
/// `Reply::text("hello").cut_after(3)` breaks the connection after three events.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    content: Content,
    usage: Usage,
    interval: Duration,
    end: End,
}

#[derive(Debug, Clone)]
enum Content {
    Text { pieces: Vec<String> },
    ToolCall { name: String, arguments: String },
    Failed { code: String, message: String },
    Raw { content_type: &'static str, body: Bytes },
    Silence,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// The stream ends as it should.
    Whole,
    /// The connection breaks after this many events.
    Cut(usize),
    /// Nothing more comes after this many events, but the connection stays open.
    Hang(usize),
}

impl Reply {
    /// A whole answer of one assistant message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::sse(Content::Text { pieces: vec![text.to_owned()] })
    }

    /// An answer that comes in `pieces` deltas ("piece 0 ", "piece 1 ", …), `interval` apart.
    #[must_use]
    pub fn slow(pieces: usize, interval: Duration) -> Self {
        let pieces = (0..pieces).map(|piece| format!("piece {piece} ")).collect();
        Self { interval, ..Self::sse(Content::Text { pieces }) }
    }

    /// The model asks for a tool. Codex 0.130 and 0.169 both offer `exec_command` with a `cmd` string
    /// argument when the model is listed with `shell_type` `shell_command` (seen in the `tools` of their requests).
    #[must_use]
    pub fn tool_call(name: &str, arguments: Value) -> Self {
        Self::sse(Content::ToolCall { name: name.to_owned(), arguments: arguments.to_string() })
    }

    /// The model asks Codex to run a shell command; short for a `tool_call` of `exec_command`.
    #[must_use]
    pub fn shell(command: &str) -> Self {
        Self::tool_call("exec_command", serde_json::json!({ "cmd": command }))
    }

    /// A stream that ends with `response.failed`, as when a provider's own policy stops a turn.
    #[must_use]
    pub fn failed(code: &str, message: &str) -> Self {
        Self::sse(Content::Failed { code: code.to_owned(), message: message.to_owned() })
    }

    /// A plain JSON answer, for errors such as 429 or 500.
    #[must_use]
    pub fn status(status: u16, body: Value) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a test names a status that exists"),
            ..Self::sse(Content::Raw { content_type: "application/json", body: body.to_string().into() })
        }
    }

    /// Takes the request and never answers, not even with a status.
    #[must_use]
    pub fn hang() -> Self {
        Self::sse(Content::Silence)
    }

    /// Status 200 and an event stream of things that are no events: broken UTF-8, broken JSON, an
    /// event without a type, a line without an end.
    #[must_use]
    pub fn garbage() -> Self {
        let body = Bytes::from_static(
            b"event: response.created\ndata: {\"type\":\n\n\xff\xfe\x00\x01\n\ndata: 42\n\ndata: {}\n\n: comment\ndata: no end",
        );
        Self::sse(Content::Raw { content_type: "text/event-stream", body })
    }

    /// Status 200 and an HTML page, as a captive portal or a misconfigured proxy would send.
    #[must_use]
    pub fn html() -> Self {
        let body = Bytes::from_static(b"<!doctype html><title>Welcome</title><p>Please accept the terms.");
        Self::sse(Content::Raw { content_type: "text/html", body })
    }

    fn sse(content: Content) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            content,
            usage: Usage::default(),
            interval: Duration::ZERO,
            end: End::Whole,
        }
    }

    /// The token counts of the closing event.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Adds a response header, e.g. `retry-after` or the provider's request id.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_static(value)));
        self
    }

    /// Breaks the connection after `events` events, without the end of the body.
    #[must_use]
    pub fn cut_after(mut self, events: usize) -> Self {
        self.end = End::Cut(events);
        self
    }

    /// Sends `events` events, then nothing more, and keeps the connection open.
    #[must_use]
    pub fn hang_after(mut self, events: usize) -> Self {
        self.end = End::Hang(events);
        self
    }

    /// Waits this long before every event.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Plays the reply. The ticket travels with the body and is closed by its last chunk.
    pub(super) async fn send(self, model: &str, ticket: Ticket) -> Response {
        let turn = Turn { model, number: ticket.number() };
        let (content_type, chunks) = match &self.content {
            Content::Text { pieces } => ("text/event-stream", encode(events::text(turn, pieces, self.usage))),
            Content::ToolCall { name, arguments } => {
                ("text/event-stream", encode(events::tool_call(turn, name, arguments, self.usage)))
            }
            Content::Failed { code, message } => ("text/event-stream", encode(events::failed(turn, code, message))),
            Content::Raw { content_type, body } => (*content_type, vec![body.clone()]),
            // The server drops this future, and the ticket with it, when the client hangs up.
            Content::Silence => return std::future::pending().await,
        };
        let mut response = Response::new(body(chunks, self.interval, self.end, ticket));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}

fn encode(events: Vec<Value>) -> Vec<Bytes> {
    events
        .into_iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()).into())
        .collect()
}

fn body(chunks: Vec<Bytes>, interval: Duration, end: End, ticket: Ticket) -> Body {
    let chunks = chunks.into_iter().enumerate();
    Body::from_stream(stream::unfold((chunks, Some(ticket)), move |(mut chunks, mut ticket)| async move {
        let (sent, chunk) = match chunks.next() {
            Some((sent, chunk)) => (sent, Some(chunk)),
            None => (usize::MAX, None),
        };
        match end {
            End::Cut(limit) if sent >= limit => {
                // Time for the server to flush what came before: the client must see it, then the break.
                tokio::time::sleep(Duration::from_millis(20)).await;
                ticket.take()?.finish();
                return Some((Err(io::Error::other("cut by the script")), (chunks, None)));
            }
            End::Hang(limit) if sent >= limit => std::future::pending().await,
            _ => {}
        }
        let Some(chunk) = chunk else {
            ticket.take()?.finish();
            return None;
        };
        // A zero sleep still yields to the timer once, which would cap fast streams at one event per tick.
        if !interval.is_zero() {
            tokio::time::sleep(interval).await;
        }
        Some((Ok(chunk), (chunks, ticket)))
    }))
}
