//! `POST …/responses`: a turn.

use std::pin::pin;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CACHE_CONTROL, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use provost_model::Upstream;
use provost_web::{App, Client, Error, RunningGuard, media_type, read_body};

use crate::dispatch::{self, bad_gateway};
use crate::headers::{self, Dialect, pick};
use crate::refusal::Stop;
use crate::relay::{Reader, Relay};
use crate::request::Asked;
use crate::turn::{End, Turn};
use crate::{admission, refusal};

/// How much of an upstream's complaint is passed on.
const MAX_COMPLAINT_BYTES: usize = 64 * 1024;

/// A turn: who, may, do, record.
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Stop> {
    let (parts, body) = request.into_parts();
    let client = admission::member(&app, &parts).await?;
    let body = read_body(&parts.headers, body, app.limits.model_body_bytes).await;
    let body = body.map_err(|error| unusable(&app, &parts, &client, error))?;
    let asked = Asked::read(&body).map_err(|error| unusable(&app, &parts, &client, error))?;
    let route = admission::route(&app, &parts, &client, &asked.model)?;

    let upstream = route.upstream.clone();
    let model = route.model();
    let body_for_upstream = asked.for_upstream(model.upstream_model.as_ref().unwrap_or(&model.slug));
    let streams = asked.streams;
    let mut turn = Turn::begin(&app, &parts, &client, route);
    let mut running = app.running.enter(&app.store, &client);
    // A turn may take an hour, and needs neither the body nor this moment's snapshot for it.
    drop((body, client));
    let answer = tokio::select! {
        biased;
        reason = running.ended() => {
            turn.end(End::Failed(reason.as_str()));
            return Err(refusal::ended(reason, Dialect::of(&parts)));
        }
        answer = dispatch::send(&app, &upstream, &parts.headers, body_for_upstream) => answer,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(failed(&parts, &mut turn, error)),
    };
    turn.answered(answer.headers());
    if !answer.status().is_success() {
        return complaint(&app, &parts, turn, &upstream, answer).await;
    }
    relay(&app, &parts, turn, running, &upstream, streams, answer)
}

/// A body that cannot be used is recorded as well.
fn unusable(app: &App, parts: &Parts, client: &Client, error: Error) -> Stop {
    admission::record(app, parts, client, error.code(), None);
    error.into()
}

/// Ends a turn that its upstream did not answer.
fn failed(parts: &Parts, turn: &mut Turn, error: Error) -> Stop {
    turn.end(End::Failed(error.code()));
    let is_lasting = matches!(
        error.code(),
        "upstream_unauthorized" | "upstream_misconfigured" | "upstream_not_an_answer" | "upstream_timeout"
    );
    if is_lasting && headers::codex_version(&parts.headers).is_some() {
        return Stop::Lasting(error, Dialect::of(parts));
    }
    error.into()
}

/// Relays an answer as it comes.
fn relay(
    app: &App,
    parts: &Parts,
    mut turn: Turn,
    running: RunningGuard,
    upstream: &Upstream,
    streams: bool,
    answer: http::Response<reqwest::Body>,
) -> Result<Response, Stop> {
    let (head, body) = answer.into_parts();
    let reader = match media_type(&head.headers).as_str() {
        "text/event-stream" => Reader::Events(Box::default()),
        "application/json" if !streams => Reader::Whole(Vec::new()),
        // A sign-in page of some proxy, a directory listing, …
        _ => {
            return Err(failed(
                parts,
                &mut turn,
                bad_gateway("upstream_not_an_answer", upstream, "sent no model's answer"),
            ));
        }
    };
    let relay = Relay::new(body, reader, turn, app.limits.upstream_idle(), running, Dialect::of(parts));
    let mut response = Response::new(Body::new(relay));
    *response.headers_mut() = pick(&head.headers, is_relayed);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Asks a proxy in front of us not to collect events (nginx).
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// What a client may learn from an upstream's head: nothing about our account there but its limits.
fn is_relayed(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "content-type" | "retry-after" | "retry-after-ms" | "openai-processing-ms")
        || name.starts_with("x-ratelimit-")
        || name.starts_with("x-codex-")
}

/// Passes on what an upstream has against the request; what it has against us stays here.
async fn complaint(
    app: &App,
    parts: &Parts,
    mut turn: Turn,
    upstream: &Upstream,
    answer: http::Response<reqwest::Body>,
) -> Result<Response, Stop> {
    let (head, body) = answer.into_parts();
    let error = match head.status {
        // Passed on, the client would renew its own sign-in, or take it for its own refusal.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            bad_gateway("upstream_unauthorized", upstream, "refuses the key that it was given here")
        }
        status if status.is_client_error() => {
            turn.end(End::Failed(if status == StatusCode::TOO_MANY_REQUESTS {
                "upstream_rate_limited"
            } else {
                "upstream_refused"
            }));
            let complaint = tokio::time::timeout(app.limits.upstream_idle(), beginning(body)).await;
            let mut response = (status, complaint.unwrap_or_default()).into_response();
            *response.headers_mut() = pick(&head.headers, is_relayed);
            return Ok(response);
        }
        status if status.is_server_error() => {
            let what = format!("failed with status {}", status.as_u16());
            bad_gateway("upstream_failed", upstream, &what)
        }
        _ => bad_gateway("upstream_not_an_answer", upstream, "sent no model's answer"),
    };
    Err(failed(parts, &mut turn, error))
}

/// The beginning of a complaint; as much as came, if it breaks off.
async fn beginning(body: reqwest::Body) -> Vec<u8> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while bytes.len() < MAX_COMPLAINT_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| &data[..]));
    }
    bytes.truncate(MAX_COMPLAINT_BYTES);
    bytes
}

/// `GET …/responses`: the client tries a WebSocket first. 426 makes it fall back to `POST` at once
/// and silently (client-contract.md §3.4); anything else would cost it retries or the turn.
pub(crate) async fn upgrade(headers: HeaderMap) -> Response {
    if headers.contains_key(UPGRADE) {
        return (StatusCode::UPGRADE_REQUIRED, "no WebSocket here: send the turn with POST").into_response();
    }
    let message = "send a turn with POST";
    let error = Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    ([(ALLOW, "POST")], error).into_response()
}
