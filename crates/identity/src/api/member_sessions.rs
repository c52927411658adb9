//! `/api/v1/sessions`, `/api/v1/members/{id}/sign-out`: what members are signed in with, in the
//! console and with their clients.

use std::str::FromStr;

use axum::extract::State;
use http::StatusCode;
use http::request::Parts;
use jiff::Timestamp;
use provost_model::event::{EventType, Target};
use provost_model::{GrantId, InvalidId, MemberId, Permission, SessionId};
use provost_store::tables::sessions::{self, AnySession};
use provost_store::tables::{authorization_codes, device_logins, grants, links, members, pending_sign_ins};
use provost_store::{Change, Touched};
use provost_web::{
    AnyMember, App, Caller, Error, ErrorBody, List, ListQuery, PathId, Permit, Principal, Query, Result, Session,
    session_limits,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

/// A session of the console, or of a client.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionBody {
    id: String,
    /// `console` or `client`.
    kind: String,
    member_id: MemberId,
    /// How it began: of the console e.g. `password` or `oidc`, of a client `browser` or `device_code`.
    method: String,
    /// The second factor that was shown here.
    second_factor: Option<String>,
    /// The identity provider that said who it is.
    connection_id: Option<String>,
    /// Of a client, its OAuth `client_id`.
    client_id: Option<String>,
    ip: String,
    user_agent: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Of the console, to the minute; of a client, when it last renewed its tokens.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// When it ends however much it is used.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Whether it is the one that asks.
    current: bool,
}

/// Whose sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionsQuery {
    /// One's own if absent; others' for who may read members.
    member_id: Option<String>,
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What a member is signed in with: clients, then the console, each by age.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "Sessions", params(SessionsQuery),
    responses((status = 200, body = List<SessionBody>), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    Query(query): Query<SessionsQuery>,
    parts: Parts,
) -> Result<List<SessionBody>> {
    check_key(&app, &permit, Permission::MembersRead)?;
    let page = ListQuery { limit: query.limit, cursor: query.cursor };
    let member = match (query.member_id, own_id(&permit)) {
        (None, Some(own)) => own,
        (None, None) => {
            let message = "say whose: an API key has no session of its own";
            return Err(Error::invalid("member_id", "required", message));
        }
        (Some(id), own) => {
            let id = id.parse().map_err(|_| Error::not_found("member"))?;
            if own != Some(id) {
                permit.require(&app, Permission::MembersRead)?;
            }
            id
        }
    };
    let workspace = &permit.workspace;
    if !workspace.members.contains_key(&member) {
        return Err(Error::not_found("member"));
    }
    let current = match &permit.principal {
        Principal::Member(_) => Session::resolve(&app, &parts).await?.map(|session| session.id.to_string()),
        Principal::ApiKey(_) => None,
    };
    let now = app.store.clock().now();
    let limits = session_limits(&workspace.settings, now);
    let mut tx = app.store.read().await?;
    let rows = sessions::list_any(&mut tx, workspace.id, member, limits, now, &page.page()?).await?;
    let body = |row: AnySession| SessionBody {
        current: current.as_ref() == Some(&row.id),
        id: row.id,
        kind: row.kind,
        member_id: row.member_id,
        method: row.method,
        second_factor: row.second_factor,
        connection_id: row.connection_id,
        client_id: row.client_id,
        ip: row.ip,
        user_agent: row.user_agent,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
    };
    List::new(rows.into_iter().map(body).collect(), &page, |session| session.id.clone())
}

/// The id of a session of either kind.
pub(crate) enum AnyId {
    /// Of the console.
    Console(SessionId),
    /// Of a client.
    Client(GrantId),
}

impl FromStr for AnyId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map(Self::Console).or_else(|_| text.parse().map(Self::Client))
    }
}

/// End a session: one's own; others' for who may change their member.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "Sessions", params(("id" = String, Path)),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn delete(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    PathId(id): PathId<AnyId>,
) -> Result<StatusCode> {
    check_key(&app, &permit, Permission::MembersWrite)?;
    end(&app, &permit, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session of the caller, or of a member whom they may change.
pub(crate) async fn end(app: &App, caller: &Caller, id: AnyId) -> Result<()> {
    let mut change = caller.change(app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let gone = || Error::not_found("session");
    match id {
        AnyId::Console(id) => {
            let row = sessions::get_by_id(&mut change, ws, id).await?.ok_or_else(gone)?;
            may_end(app, caller, &mut change, row.member_id, "session").await?;
            sessions::delete_by_id(&mut change, ws, id).await?;
            let target = Target::new("session", id, row.user_agent);
            change.record(EventType::SessionRevoked, target, json!({ "member_id": row.member_id }));
        }
        AnyId::Client(id) => {
            let row = grants::get(&mut change, ws, id).await?.ok_or_else(gone)?;
            may_end(app, caller, &mut change, row.member_id, "session").await?;
            if !grants::revoke(&mut change, ws, id, now).await? {
                return Err(gone());
            }
            change.touch(Touched::Grant(id));
            let details = json!({ "reason": "revoked", "member_id": row.member_id });
            change.record(EventType::ClientSignedOut, Target::new("client_session", id, row.client_id), details);
        }
    }
    Ok(change.commit().await?)
}

/// How much was ended.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedOut {
    /// Sessions of the console.
    sessions: usize,
    /// Client sessions.
    client_sessions: usize,
}

/// Sign a member out everywhere: oneself, or another for who may change them. Access tokens go on.
#[utoipa::path(post, path = "/api/v1/members/{id}/sign-out", tag = "Sessions", params(("id" = MemberId, Path)),
    responses((status = 200, body = SignedOut), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn sign_out(
    permit: Permit<AnyMember>,
    State(app): State<App>,
    PathId(id): PathId<MemberId>,
) -> Result<axum::Json<SignedOut>> {
    check_key(&app, &permit, Permission::MembersWrite)?;
    end_everywhere(&app, &permit, id).await.map(axum::Json)
}

/// Ends every session of the caller, or of a member whom they may change.
pub(crate) async fn end_everywhere(app: &App, caller: &Caller, id: MemberId) -> Result<SignedOut> {
    let mut change = caller.change(app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let email = may_end(app, caller, &mut change, id, "member").await?;
    let sessions = sessions::end_all(&mut change, ws, id).await?.len();
    let ended = grants::end_all(&mut change, ws, id, now).await?;
    for grant in &ended {
        change.touch(Touched::Grant(grant.id));
    }
    // Whatever is about to become a session.
    links::delete_all(&mut change, ws, id, now).await?;
    pending_sign_ins::delete_all(&mut change, ws, id).await?;
    device_logins::delete_all(&mut change, ws, id, now).await?;
    authorization_codes::expire_all(&mut change, ws, id, now).await?;
    let client_sessions = ended.iter().filter(|grant| grant.expires_at > now).count();
    let details = json!({ "everywhere": true, "sessions": sessions, "client_sessions": client_sessions });
    change.record(EventType::SessionRevoked, Target::new("member", id, email), details);
    change.commit().await?;
    Ok(SignedOut { sessions, client_sessions })
}

/// An API key has nothing of its own here: it needs the permission whoever it asks about.
fn check_key(app: &App, caller: &Caller, permission: Permission) -> Result<()> {
    match &caller.principal {
        Principal::Member(_) => Ok(()),
        Principal::ApiKey(_) => caller.require(app, permission),
    }
}

/// Who calls, if it is a member.
fn own_id(caller: &Caller) -> Option<MemberId> {
    match &caller.principal {
        Principal::Member(member) => Some(member.id),
        Principal::ApiKey(_) => None,
    }
}

/// Whether the caller may end what is this member's: their own, or of somebody who holds no more
/// power over others than they. Who may not see it learns nothing. The member's address.
async fn may_end(app: &App, caller: &Caller, change: &mut Change, member: MemberId, what: &str) -> Result<String> {
    let ws = change.workspace_id();
    if own_id(caller) != Some(member) && !caller.may(Permission::MembersWrite) {
        return Err(Error::not_found(what));
    }
    let row = members::get(change, ws, member).await?.ok_or_else(|| Error::not_found(what))?;
    if own_id(caller) != Some(member) {
        let held = caller.workspace.members.get(&member).map(|member| caller.workspace.permissions(member));
        caller.may_grant(app, held.unwrap_or_default().union(row.builtin_role.granted()))?;
    }
    Ok(row.email.to_string())
}
