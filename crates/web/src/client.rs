use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{AccessTokenId, ClientVersion, GrantId, Member, Permission, TokenHash, Workspace};
use serde_json::json;

use crate::last_use::Credential;
use crate::origin::address;
use crate::secret::is_mistyped;
use crate::{App, Error, hash_secret, origin};

/// A member who calls through a Codex client: a signed-in one, or one with an access token.
#[derive(Debug, Clone)]
pub struct Client {
    /// The workspace, as it is at this moment.
    pub workspace: Arc<Workspace>,
    /// The member.
    pub member: Arc<Member>,
    /// By which credential.
    pub via: Via,
    /// From where.
    pub origin: Origin,
    /// What the secret of a personal access token hashes to.
    pub(crate) token: Option<TokenHash>,
}

/// By which credential a client calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Signed in.
    Grant(GrantId),
    /// An access token.
    AccessToken(AccessTokenId),
}

/// What the guide says to a member who may not (inventory, Appendix B). Developers read exactly this,
/// at sign-in and at the model call.
pub const NOT_ALLOWED: &str = "403 - Unauthorized. Contact your ChatGPT administrator for access.";

/// Why a bearer is nobody.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// There is no bearer token, or not one of ours, or it expired or was revoked.
    Unknown,
    /// It is one of ours, of a member who is suspended.
    Suspended(Client),
    /// It is one of ours, and does not work from the address that it comes from.
    Address(Client),
}

impl Client {
    /// Whether the member may.
    pub fn may(&self, permission: Permission) -> bool {
        self.workspace.may(&self.member, permission)
    }

    /// 401: the client renews its tokens, or asks its member to sign in.
    pub fn nobody() -> Error {
        Error::unauthorized("sign in: the token is missing, expired or revoked (`codex login` gets a new one)")
    }

    /// What a bearer that is nobody hears.
    fn refused(refusal: &Refusal) -> Error {
        match refusal {
            Refusal::Address(client) => Error::address_not_allowed(client.origin.ip.as_deref()),
            Refusal::Unknown | Refusal::Suspended(_) => Self::nobody(),
        }
    }

    /// Which version of the Codex client it is; none if it does not say.
    pub fn version(&self) -> Option<ClientVersion> {
        self.origin.user_agent.as_deref().and_then(ClientVersion::of_user_agent)
    }

    /// Who that is, for events.
    pub fn actor(&self) -> Actor {
        Actor::member(self.member.id, &self.member.email)
    }

    /// Who calls. Reads the snapshot and no database.
    pub async fn resolve(app: &App, parts: &Parts) -> Result<Self, Refusal> {
        let token = bearer(parts).ok_or(Refusal::Unknown)?;
        let is_own = token.starts_with("at-");
        if is_own && is_mistyped(token) {
            return Err(Refusal::Unknown);
        }
        let hash = is_own.then(|| hash_secret(token));
        let found = match &hash {
            Some(hash) => by_access_token(app, hash, address(parts)),
            None => by_grant(app, token).await,
        };
        let Found { workspace, member, via, is_live, is_at_home } = found.ok_or(Refusal::Unknown)?;
        let is_active = member.active;
        let client = Self { workspace, member, via, origin: origin(parts), token: hash };
        match (is_active, is_live) {
            (true, true) if !is_at_home => Err(client.away_from_home(app, parts)),
            (true, true) => Ok(client),
            (false, _) => Err(Refusal::Suspended(client)),
            (true, false) => Err(Refusal::Unknown),
        }
    }

    /// Records that a token came from where it does not work.
    fn away_from_home(self, app: &App, parts: &Parts) -> Refusal {
        let details = json!({ "reason": "address_not_allowed", "path": parts.uri.path() });
        let (actor, origin) = (self.actor(), self.origin.clone());
        let target = match self.via {
            Via::AccessToken(id) => Some(Target::new("access_token", id, "")),
            Via::Grant(_) => None,
        };
        app.store.record(self.workspace.id, EventType::RequestRefused, actor, origin, target, details);
        Refusal::Address(self)
    }
}

/// Whose a bearer is.
struct Found {
    workspace: Arc<Workspace>,
    member: Arc<Member>,
    via: Via,
    /// Whether it has neither expired nor been revoked.
    is_live: bool,
    /// Whether it works from where it came.
    is_at_home: bool,
}

/// There are few workspaces, so each is asked.
fn by_access_token(app: &App, hash: &TokenHash, from: Option<IpAddr>) -> Option<Found> {
    let now = app.store.clock().now();
    app.store.world().workspaces.values().find_map(|workspace| {
        let token = workspace.access_tokens.get(hash)?;
        let member = workspace.members.get(&token.member_id)?;
        let is_live = token.expires_at.is_none_or(|at| at > now);
        app.last_use.note(&app.store, workspace.id, Credential::AccessToken(token.id));
        let (workspace, member, via) = (workspace.clone(), member.clone(), Via::AccessToken(token.id));
        Some(Found { workspace, member, via, is_live, is_at_home: token.allowed_ips.allow(from) })
    })
}

async fn by_grant(app: &App, token: &str) -> Option<Found> {
    let claims = app.keys.check_access_token(token).await?;
    let workspace = app.store.workspace(claims.workspace_id)?;
    let member = workspace.members.get(&claims.member_id)?.clone();
    let is_live = !workspace.revoked_grants.contains_key(&claims.grant_id);
    // A client session is good wherever its laptop goes.
    Some(Found { workspace, member, via: Via::Grant(claims.grant_id), is_live, is_at_home: true })
}

/// The bearer token of a request.
pub(crate) fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl FromRequestParts<App> for Client {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Self::resolve(app, parts).await.map_err(|refusal| Self::refused(&refusal))
    }
}
