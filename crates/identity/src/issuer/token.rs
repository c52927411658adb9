//! `POST /oauth/token`: codes and refresh tokens are exchanged for tokens.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use jiff::SignedDuration;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{GrantId, Member, Permission, Workspace};
use provost_store::tables::authorization_codes::{self, CodeRow};
use provost_store::tables::grants::{self, GrantRow};
use provost_store::{Change, Touched};
use provost_web::{App, NOT_ALLOWED, hash_secret, origin};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

use super::error::OAuthError;
use super::method;
use super::request::Parameters;
use super::tokens::{GRANT_LIFETIME, Tokens, issue};

/// How long a replaced refresh token still works: several CLIs that share one home renew at once,
/// and an answer can be lost on its way (`client-contract.md` §1.5).
const REUSE_TOLERATED: SignedDuration = SignedDuration::from_secs(60);

#[derive(Deserialize)]
pub(crate) struct Request {
    grant_type: Option<String>,
    client_id: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
}

pub(crate) async fn exchange(
    State(app): State<App>,
    parts: Parts,
    Parameters(request): Parameters<Request>,
) -> Result<Response, OAuthError> {
    let from = origin(&parts);
    let tokens = match request.grant_type.as_deref() {
        Some("authorization_code") => exchange_code(&app, from, &request).await?,
        Some("refresh_token") => refresh(&app, from, &request).await?,
        // Among them the exchange for an API key, which clients try and do without.
        _ => {
            let description = "grant_type is authorization_code or refresh_token";
            return Err(OAuthError::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", description));
        }
    };
    Ok(([(CACHE_CONTROL, "no-store")], axum::Json(tokens)).into_response())
}

async fn exchange_code(app: &App, from: Origin, request: &Request) -> Result<Tokens, OAuthError> {
    let missing = |what: &str| OAuthError::invalid_request(format!("{what} is missing"));
    let secret = request.code.as_deref().ok_or_else(|| missing("code"))?;
    let verifier = request.code_verifier.as_deref().ok_or_else(|| missing("code_verifier"))?;
    let client_id = request.client_id.as_deref().ok_or_else(|| missing("client_id"))?;
    let redirect_uri = request.redirect_uri.as_deref().ok_or_else(|| missing("redirect_uri"))?;
    let hash = hash_secret(secret);
    let code = authorization_codes::get(&mut app.store.read().await?, &hash).await?;
    let code = code.ok_or_else(|| OAuthError::invalid_grant("the code is not known: sign in again"))?;
    if let Some(grant_id) = code.grant_id {
        end_replayed(app, from, &code, grant_id).await?;
        return Err(OAuthError::invalid_grant("the code was used before: sign in again"));
    }
    let is_redirect = if code.method == method::BROWSER {
        redirect_uri == code.redirect_uri
    } else {
        redirect_uri.ends_with("/deviceauth/callback")
    };
    if client_id != code.client_id || !is_redirect {
        return Err(OAuthError::invalid_grant("the code was made for another client_id or redirect_uri"));
    }
    let challenge = URL_SAFE_NO_PAD.encode(hash_secret(verifier));
    if aws_lc_rs::constant_time::verify_slices_are_equal(challenge.as_bytes(), code.code_challenge.as_bytes()).is_err()
    {
        return Err(OAuthError::invalid_grant("the code_verifier does not fit the code (PKCE)"));
    }
    let (workspace, member) = admit(app, &from, &code)?;
    let actor = Actor::member(member.id, &member.email);
    let mut change = app.store.change(workspace.id, actor, from.clone()).await?;
    let now = change.at();
    // Asked only now that nobody can end it at the same time: who was shut out must not get a session,
    // and a member who may not is told that, and not of the code.
    if authorization_codes::get(&mut change, &hash).await?.is_none_or(|code| code.expires_at <= now) {
        return Err(OAuthError::invalid_grant("the code is too old: sign in again"));
    }
    let grant = GrantRow {
        id: GrantId::new(now),
        workspace_id: workspace.id,
        member_id: member.id,
        client_id: code.client_id,
        method: code.method,
        created_at: now,
        expires_at: now + GRANT_LIFETIME,
        revoked_at: None,
    };
    grants::insert(&mut change, &grant).await?;
    if !authorization_codes::consume(&mut change, &hash, grant.id).await? {
        return Err(OAuthError::invalid_grant("the code was used before: sign in again"));
    }
    note_use(&mut change, &grant, &from).await?;
    let tokens = issue(app, &mut change, &grant, &workspace, &member).await?;
    let details = json!({ "method": grant.method, "client_id": grant.client_id });
    change.record(EventType::ClientSignedIn, target(&grant), details);
    change.commit().await?;
    Ok(tokens)
}

/// Whether the member behind a code may be signed in. This is where a refused developer reads why.
fn admit(app: &App, from: &Origin, code: &CodeRow) -> Result<(Arc<Workspace>, Arc<Member>), OAuthError> {
    let workspace = app.store.workspace(code.workspace_id).ok_or_else(|| OAuthError::access_denied(NOT_ALLOWED))?;
    let member = workspace.members.get(&code.member_id).cloned();
    let member = member.ok_or_else(|| OAuthError::access_denied(NOT_ALLOWED))?;
    let needs_device_code = code.method != method::BROWSER;
    let refusal = if code.method == method::DEVICE_CODE_DENIED {
        Some(("denied", "The sign-in was denied in the browser."))
    } else if !member.active {
        Some(("suspended", NOT_ALLOWED))
    } else if needs_device_code && !workspace.may(&member, Permission::CodexLocalDeviceCode) {
        Some(("codex.local.device_code", NOT_ALLOWED))
    } else {
        None
    };
    let Some((reason, text)) = refusal else { return Ok((workspace, member)) };
    let actor = Actor::member(member.id, &member.email);
    let details = json!({ "reason": reason, "method": code.method, "client_id": code.client_id });
    app.store.record(workspace.id, EventType::ClientRefused, actor, from.clone(), None, details);
    Err(OAuthError::access_denied(text))
}

/// A code that comes twice was stolen by one of the two: what the first got ends (RFC 6749 §4.1.2).
async fn end_replayed(app: &App, from: Origin, code: &CodeRow, grant: GrantId) -> Result<(), OAuthError> {
    let mut change = app.store.change(code.workspace_id, Actor::anonymous(None), from).await?;
    let now = change.at();
    if grants::revoke(&mut change, code.workspace_id, grant, now).await? {
        change.touch(Touched::Grant(grant));
        let details = json!({ "reason": "code_replayed", "client_id": code.client_id });
        change.record(EventType::ClientSignedOut, Target::new("client_session", grant, ""), details);
        change.commit().await?;
    }
    Ok(())
}

async fn refresh(app: &App, from: Origin, request: &Request) -> Result<Tokens, OAuthError> {
    let token = request.refresh_token.as_deref();
    let token = token.ok_or_else(|| OAuthError::invalid_request("refresh_token is missing"))?;
    let hash = hash_secret(token);
    let invalidated = || OAuthError::refresh("refresh_token_invalidated", "the session has ended: sign in again");
    let row = grants::get_refresh_token(&mut app.store.read().await?, &hash).await?.ok_or_else(invalidated)?;
    let grant = row.grant;
    let workspace = app.store.workspace(grant.workspace_id).ok_or_else(invalidated)?;
    let member = workspace.members.get(&grant.member_id).cloned().ok_or_else(invalidated)?;
    let actor = Actor::member(member.id, &member.email);
    if grant.revoked_at.is_some() || !member.active {
        let reason = if member.active { "session_ended" } else { "suspended" };
        let details = json!({ "reason": reason, "client_id": grant.client_id });
        app.store.record(workspace.id, EventType::ClientRefused, actor, from, target(&grant).into(), details);
        return Err(invalidated());
    }
    if request.client_id.as_deref().is_some_and(|client_id| client_id != grant.client_id) {
        return Err(OAuthError::invalid_grant("the refresh_token was made for another client_id"));
    }
    let mut change = app.store.change(workspace.id, actor, from.clone()).await?;
    let now = change.at();
    // Asked again now that nobody can end it at the same time.
    let is_ended = grants::get(&mut change, workspace.id, grant.id).await?.is_none_or(|row| row.revoked_at.is_some());
    if is_ended {
        return Err(invalidated());
    }
    if grant.expires_at <= now {
        return Err(OAuthError::refresh("refresh_token_expired", "the session is too old: sign in again"));
    }
    if row.replaced_at.is_some_and(|at| now.duration_since(at) > REUSE_TOLERATED) {
        grants::revoke(&mut change, workspace.id, grant.id, now).await?;
        change.touch(Touched::Grant(grant.id));
        let kind = EventType::TokenReuseDetected;
        change.record(kind, target(&grant), json!({ "client_id": grant.client_id }));
        change.commit().await?;
        app.metrics.count_alert(kind.as_str());
        tracing::warn!(
            workspace = %workspace.id, member = %member.id, client_session = %grant.id,
            "a refresh token was used again long after it was replaced: its client session is ended"
        );
        let message = "the refresh token was used before; the session was ended: sign in again";
        return Err(OAuthError::refresh("refresh_token_reused", message));
    }
    grants::replace_refresh_token(&mut change, &hash, now).await?;
    note_use(&mut change, &grant, &from).await?;
    let tokens = issue(app, &mut change, &grant, &workspace, &member).await?;
    change.record(EventType::TokenRefreshed, target(&grant), json!({ "client_id": grant.client_id }));
    change.commit().await?;
    Ok(tokens)
}

/// Notes from where a client was signed in or renewed, for the list of sessions.
async fn note_use(change: &mut Change, grant: &GrantRow, from: &Origin) -> provost_store::Result<()> {
    let now = change.at();
    let (ip, user_agent) = (from.ip.as_deref().unwrap_or_default(), from.user_agent.as_deref().unwrap_or_default());
    grants::note_use(change, grant.id, ip, user_agent, now).await
}

fn target(grant: &GrantRow) -> Target {
    Target::new("client_session", grant.id, grant.client_id.as_str())
}
