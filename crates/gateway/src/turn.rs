//! What is recorded of a turn: facts, never what was said.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::request::Parts;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{ModelRoute, WorkspaceId};
use provost_web::{App, Client, TurnBegun, Via};
use serde_json::{Value, json};

use crate::headers;
use crate::sse::{Closing, ClosingKind};
use crate::tokens::Tokens;

/// A turn on its way. However it ends, one event says how: dropped before [`Turn::end`], its client
/// has gone away.
pub(crate) struct Turn {
    app: App,
    workspace_id: WorkspaceId,
    delivered: TurnBegun,
    actor: Actor,
    origin: Origin,
    target: Target,
    route: ModelRoute,
    asked_by: Value,
    started: Instant,
    first_event: Option<Duration>,
    upstream_request_id: Option<String>,
    /// What has been relayed of the answer, in bytes.
    pub(crate) bytes: u64,
    /// Pieces of text in what has been relayed.
    pub(crate) output_deltas: u64,
    ended: bool,
}

/// How a turn ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The upstream closed its answer.
    Closed(Closing),
    /// The upstream failed; a code says how.
    Failed(&'static str),
    /// The client did not wait for the end.
    Cancelled,
}

impl Turn {
    /// Begins a turn.
    pub(crate) fn begin(app: &App, parts: &Parts, client: &Client, route: ModelRoute) -> Self {
        app.metrics.open_streams.inc();
        let headers = &parts.headers;
        let via = match client.via {
            Via::Grant(id) => json!({ "kind": "client_session", "id": id }),
            Via::AccessToken(id) => json!({ "kind": "access_token", "id": id }),
        };
        let asked_by = json!({
            "via": via,
            "client": headers::short(headers, "originator"),
            "client_version": headers::codex_version(headers),
            "session_id": headers::session_id(headers),
            "thread_id": headers::short(headers, "thread-id"),
            "turn_id": headers::turn_id(headers),
        });
        Self {
            app: app.clone(),
            workspace_id: client.workspace.id,
            delivered: app.deliveries.begin_turn(&app.store, client),
            actor: client.actor(),
            origin: client.origin.clone(),
            target: Target::new("upstream", route.upstream.id, &*route.upstream.name),
            route,
            asked_by,
            started: Instant::now(),
            first_event: None,
            upstream_request_id: None,
            bytes: 0,
            output_deltas: 0,
            ended: false,
        }
    }

    /// Notes what the upstream calls the request.
    pub(crate) fn answered(&mut self, headers: &HeaderMap) {
        self.upstream_request_id = headers::short(headers, "x-request-id");
    }

    /// Notes that so many bytes of the answer passed by.
    pub(crate) fn relayed(&mut self, bytes: usize) {
        if self.first_event.is_none() {
            self.first_event = Some(self.started.elapsed());
        }
        self.bytes += bytes as u64;
    }

    /// Records the turn.
    pub(crate) fn end(&mut self, end: End) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (kind, status, error, tokens) = match end {
            End::Closed(Closing { kind: ClosingKind::Completed, tokens }) => {
                (EventType::TurnCompleted, "completed", None, tokens)
            }
            End::Closed(Closing { kind: ClosingKind::Incomplete, tokens }) => {
                (EventType::TurnCompleted, "incomplete", None, tokens)
            }
            End::Closed(Closing { kind: ClosingKind::Failed(code), tokens }) => {
                let code = code.unwrap_or_else(|| "upstream_gave_up".to_owned());
                (EventType::TurnFailed, "failed", Some(code), tokens)
            }
            End::Failed(code) => (EventType::TurnFailed, "failed", Some(code.to_owned()), None),
            End::Cancelled => (EventType::TurnCompleted, "cancelled", None, None),
        };
        self.app.metrics.open_streams.dec();
        self.app.metrics.count_turn(if status == "incomplete" { "completed" } else { status });
        self.app.deliveries.end_turn(&self.app.store, self.delivered, kind == EventType::TurnCompleted);
        let mut details = self.details(tokens);
        details["status"] = status.into();
        details["error"] = error.into();
        let (actor, origin, target) = (self.actor.clone(), self.origin.clone(), self.target.clone());
        self.app.store.record(self.workspace_id, kind, actor, origin, Some(target), details);
    }

    fn details(&self, tokens: Option<Tokens>) -> Value {
        let model = self.route.model();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let mut details = json!({
            "model": model.slug,
            "upstream_model": model.upstream_model.as_ref().unwrap_or(&model.slug),
            "upstream_request_id": self.upstream_request_id,
            "input_tokens": tokens.map(|tokens| tokens.input),
            "cached_input_tokens": tokens.map(|tokens| tokens.cached_input),
            "output_tokens": tokens.map(|tokens| tokens.output),
            "reasoning_tokens": tokens.map(|tokens| tokens.reasoning),
            "credits": tokens.and_then(|tokens| tokens.credits(model)),
            "output_deltas": self.output_deltas,
            "stream_bytes": self.bytes,
            "duration_ms": millis(self.started.elapsed()),
            "time_to_first_event_ms": self.first_event.map(millis),
        });
        if let (Value::Object(details), Value::Object(asked_by)) = (&mut details, &self.asked_by) {
            details.extend(asked_by.clone());
        }
        details
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end(End::Cancelled);
    }
}
