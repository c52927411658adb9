//! `Idempotency-Key`: a POST that is repeated under the same key gets the first one's answer.

use aws_lc_rs::digest::{Context, SHA256};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use provost_store::tables::idempotency_keys::{self, Kept, Slot, seal_place};
use tracing::Instrument;

use crate::{App, Caller, Error, Result};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const MAX_KEY_CHARS: usize = 200;

/// The layer. Goes around the admin API, inside of [`crate::door`].
pub async fn idempotency(State(app): State<App>, request: Request, next: Next) -> Response {
    let key = request.headers().get(IDEMPOTENCY_KEY).cloned();
    match key.filter(|_| request.method() == Method::POST) {
        None => next.run(request).await,
        Some(key) => run_once(app, key, request, next).await.unwrap_or_else(IntoResponse::into_response),
    }
}

async fn run_once(app: App, key: HeaderValue, request: Request, next: Next) -> Result<Response> {
    let key = key.to_str().ok().filter(|key| (1..=MAX_KEY_CHARS).contains(&key.len()));
    let key = key.ok_or_else(|| {
        Error::bad_request("invalid_idempotency_key", "`Idempotency-Key` is 1 to 200 visible ASCII characters")
    })?;
    let (mut parts, body) = request.into_parts();
    let caller = match Caller::resolve(&app, &mut parts).await {
        Ok(caller) => caller,
        // A sign-in has no caller yet; whoever is nobody is told so by the handler.
        Err(_) => return Ok(next.run(Request::from_parts(parts, body)).await),
    };
    let body = to_bytes(body, app.limits.body_bytes).await.map_err(|_| {
        Error::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than the limit")
    })?;
    let slot = Slot { workspace_id: caller.workspace.id, caller: caller.id(), key: key.to_owned() };
    let fingerprint = fingerprint(&parts, &body);
    let request = Request::from_parts(parts, Body::from(body));
    // A task of its own: when the client leaves, the request still runs to its end, so that the same
    // request under the same key finds its answer rather than a slot that is taken for ever.
    let run = tokio::spawn(claim_and_run(app, slot, fingerprint, request, next).in_current_span());
    run.await.expect("what may panic runs in a task of its own")
}

async fn claim_and_run(app: App, slot: Slot, fingerprint: Vec<u8>, request: Request, next: Next) -> Result<Response> {
    let mut tx = app.store.write().await?;
    let kept = idempotency_keys::claim(&mut tx, &slot, &fingerprint, app.store.clock().now()).await?;
    tx.commit().await?;
    if let Some(kept) = kept {
        return replay(&app, &slot, kept, &fingerprint).await;
    }
    match tokio::spawn(next.run(request).in_current_span()).await {
        Ok(response) => keep(&app, &slot, response).await,
        Err(panic) => {
            tracing::error!(error = %panic, "a handler panicked");
            release(&app, &slot).await?;
            let message = "something went wrong here; the logs have the reason under the request's id";
            Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message))
        }
    }
}

fn fingerprint(parts: &http::request::Parts, body: &Bytes) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(parts.uri.path().as_bytes());
    context.update(&[0]);
    context.update(body);
    context.finish().as_ref().to_vec()
}

async fn replay(app: &App, slot: &Slot, kept: Kept, fingerprint: &[u8]) -> Result<Response> {
    if kept.fingerprint != fingerprint {
        let message = "this `Idempotency-Key` was used for another request: use a new one";
        return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", message));
    }
    let Some((status, sealed)) = kept.answer else {
        let message = "the first request with this `Idempotency-Key` is still at work: try again in a moment";
        return Err(Error::conflict("request_in_progress", message));
    };
    let body = app.store.unseal(&seal_place(slot), &sealed).await?;
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = (status.unwrap_or(StatusCode::OK), body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// Keeps a success. Anything else is given back, so that the caller can mend it and try again.
async fn keep(app: &App, slot: &Slot, response: Response) -> Result<Response> {
    if !response.status().is_success() {
        release(app, slot).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let sealed = app.store.sealer().seal(&seal_place(slot), &body);
    let mut tx = app.store.write().await?;
    idempotency_keys::keep(&mut tx, slot, parts.status.as_u16().into(), sealed).await?;
    tx.commit().await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

async fn release(app: &App, slot: &Slot) -> Result<()> {
    let mut tx = app.store.write().await?;
    idempotency_keys::release(&mut tx, slot).await?;
    tx.commit().await?;
    Ok(())
}
