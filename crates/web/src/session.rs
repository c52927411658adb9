//! Members signed in to the pages: a cookie.

use axum::extract::FromRequestParts;
use http::header::COOKIE;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use provost_model::{MemberId, Proof, SessionId, Settings, TokenHash, Workspace};
use provost_store::tables::sessions::{self, Limits, SessionRow};

use crate::client::bearer;
use crate::{App, Caller, Error, Principal, Secret, hash_secret, origin};

/// Its use is noted this often.
const NOTE_USE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// The session's cookie: `__Host-` binds it to this host over TLS; a browser on the same machine
/// over plain HTTP gets the other name.
const NAME: &str = "provost-session";
const SECURE_PREFIX: &str = "__Host-";

/// A member's session, with what its writes must prove.
#[derive(Debug, Clone)]
pub struct Session {
    /// The member.
    pub caller: Caller,
    /// What the cookie's secret hashes to.
    pub hash: TokenHash,
    /// What a write must carry.
    pub csrf_token: String,
    /// Its id.
    pub id: SessionId,
    /// How its member proved who they are.
    pub proof: Proof,
    /// When it began: what it shows of its member is as old.
    pub began: Timestamp,
}

/// A session that was just begun.
pub struct SessionCookie {
    /// For `Set-Cookie`.
    pub header: HeaderValue,
    /// What writes must carry.
    pub csrf_token: String,
    /// The row to insert, and under which hash.
    pub row: (TokenHash, SessionRow),
}

impl SessionCookie {
    /// Begins a session of a member.
    pub fn new(parts: &Parts, workspace: &Workspace, member_id: MemberId, proof: Proof, now: Timestamp) -> Self {
        let secret = Secret::new("");
        let csrf_token = Secret::new("").text;
        let from = origin(parts);
        let lifetime = SignedDuration::from_hours(i64::from(workspace.settings.session_max_hours));
        let row = SessionRow {
            id: SessionId::new(now),
            workspace_id: workspace.id,
            member_id,
            csrf_token: csrf_token.clone(),
            proof,
            ip: from.ip.unwrap_or_default(),
            user_agent: from.user_agent.unwrap_or_default(),
            created_at: now,
            last_used_at: now,
            expires_at: now + lifetime,
        };
        let header = set_cookie(parts, NAME, &secret.text, lifetime.as_secs());
        Self { header, csrf_token, row: (secret.hash, row) }
    }

    /// Takes the cookie away.
    pub fn clear(parts: &Parts) -> HeaderValue {
        set_cookie(parts, NAME, "", 0)
    }
}

/// The name under which a browser keeps a cookie of ours: over TLS it binds the cookie to this host.
pub fn cookie_name(parts: &Parts, name: &str) -> String {
    let prefix = if is_tls(parts) { SECURE_PREFIX } else { "" };
    format!("{prefix}{name}")
}

/// A cookie of ours, of plain ASCII, that no script reads.
pub fn set_cookie(parts: &Parts, name: &str, value: &str, seconds: i64) -> HeaderValue {
    let secure = if is_tls(parts) { "; Secure" } else { "" };
    let name = cookie_name(parts, name);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::try_from(text).expect("a cookie of ours is plain ASCII")
}

/// What a browser sends of a cookie of ours.
pub fn cookie<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let name = cookie_name(parts, name);
    let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// Before when sessions of now must have begun, and have been used, to be over by themselves.
pub fn session_limits(settings: &Settings, now: Timestamp) -> Limits {
    let idle = SignedDuration::from_mins(i64::from(settings.session_idle_minutes));
    let longest = SignedDuration::from_hours(i64::from(settings.session_max_hours));
    Limits { began: now - longest, used: now - idle }
}

/// Whether a session has not ended by itself. The limits of now count, also for sessions that began
/// under others.
pub fn is_live(settings: &Settings, session: &SessionRow, now: Timestamp) -> bool {
    let limits = session_limits(settings, now);
    now < session.expires_at && session.created_at > limits.began && session.last_used_at > limits.used
}

/// Whether a request came over TLS, here or at a proxy that is believed.
pub fn is_tls(parts: &Parts) -> bool {
    parts.extensions.get() == Some(&Scheme::HTTPS)
}

impl Session {
    /// The session of a request, if its cookie is good. The member is who they are now.
    pub async fn resolve(app: &App, parts: &Parts) -> Result<Option<Self>, Error> {
        let Some(secret) = cookie(parts, NAME) else { return Ok(None) };
        let hash = hash_secret(secret);
        let now = app.store.clock().now();
        let Some(row) = sessions::get(&mut app.store.read().await?, &hash).await? else { return Ok(None) };
        let Some(workspace) = app.store.workspace(row.workspace_id) else { return Ok(None) };
        if !is_live(&workspace.settings, &row, now) {
            return Ok(None);
        }
        let Some(member) = workspace.members.get(&row.member_id).filter(|member| member.active).cloned() else {
            return Ok(None);
        };
        // Turning the requirement on ends what began without the provider, at once and on every node.
        if row.proof.connection_id.is_none() && !workspace.settings.may_sign_in_here(row.member_id) {
            return Ok(None);
        }
        // So does requiring a second factor, for what rests on a password alone.
        if !workspace.settings.is_enough(&row.proof) {
            return Ok(None);
        }
        if now.duration_since(row.last_used_at) > NOTE_USE_EVERY {
            let mut tx = app.store.write().await?;
            sessions::set_last_used(&mut tx, &hash, now).await?;
            tx.commit().await?;
        }
        let caller = Caller { workspace, principal: Principal::Member(member), origin: origin(parts) };
        Ok(Some(Self { caller, hash, csrf_token: row.csrf_token, id: row.id, proof: row.proof, began: row.created_at }))
    }

    /// The session of a request to the API, whose writes carry the CSRF token in their header.
    pub(crate) async fn of(app: &App, parts: &Parts) -> Result<Self, Error> {
        let session = Self::resolve(app, parts).await?;
        let session =
            session.ok_or_else(|| Error::unauthorized("sign in first: this is for a member's own session"))?;
        if !parts.method.is_safe() {
            session.check_csrf(parts.headers.get("x-csrf-token").and_then(|value| value.to_str().ok()))?;
        }
        Ok(session)
    }

    /// Whether this is the token that writes of this session must carry.
    pub fn check_csrf(&self, token: Option<&str>) -> Result<(), Error> {
        let given = token.unwrap_or_default().as_bytes();
        if aws_lc_rs::constant_time::verify_slices_are_equal(given, self.csrf_token.as_bytes()).is_ok() {
            return Ok(());
        }
        let message = "send the session's CSRF token in `x-csrf-token` (or reload the page)";
        Err(Error::new(StatusCode::FORBIDDEN, "csrf_token_missing", message))
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = Error;

    /// Takes the session of a request; a write must carry the CSRF token in its header.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        if bearer(parts).is_some() {
            // A bearer that is nobody's is told so; one that is good is still no member.
            Caller::resolve(app, parts).await?;
            let message = "this is for a member's own session: an API key cannot do it";
            return Err(Error::new(StatusCode::FORBIDDEN, "session_required", message));
        }
        Self::of(app, parts).await
    }
}
