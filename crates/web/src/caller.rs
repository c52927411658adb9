use std::sync::Arc;

use http::request::Parts;
use jiff::Timestamp;
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{ApiKey, ApiKeyStatus, Member, Permission, PermissionSet, Workspace};
use provost_store::tables::{api_keys, members};
use provost_store::{Change, Tx};
use serde_json::{Value, json};

use crate::client::bearer;
use crate::last_use::Credential;
use crate::origin::address;
use crate::secret::is_mistyped;
use crate::{App, Error, Result, Session, hash_secret, origin};

/// Who calls the admin API.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The workspace of the credential, as it is at this moment.
    pub workspace: Arc<Workspace>,
    /// Who.
    pub principal: Principal,
    /// From where.
    pub origin: Origin,
}

/// The kinds of callers.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A member with a session.
    Member(Arc<Member>),
    /// An API key.
    ApiKey(Arc<ApiKey>),
}

impl Caller {
    /// What the caller may do.
    pub fn permissions(&self) -> PermissionSet {
        match &self.principal {
            Principal::Member(member) => self.workspace.permissions(member),
            Principal::ApiKey(key) => key.permissions(),
        }
    }

    /// Whether the caller may.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions().contains(permission)
    }

    /// Refuses, and records, a caller who may not.
    pub fn require(&self, app: &App, permission: Permission) -> Result<()> {
        if self.may(permission) {
            return Ok(());
        }
        self.record_refusal(app, json!({ "permission": permission }));
        Err(Error::forbidden(permission))
    }

    /// Refuses, and records, a caller who hands out power over others that they do not hold.
    pub fn may_grant(&self, app: &App, granted: PermissionSet) -> Result<()> {
        let beyond = granted.without(self.permissions()).iter().find(|permission| permission.is_administrative());
        let Some(permission) = beyond else { return Ok(()) };
        let message = format!("you cannot grant `{permission}`, which you do not hold: ask an owner of the workspace");
        let error = Error::new(http::StatusCode::FORBIDDEN, "cannot_grant_more_than_you_hold", message);
        let details = json!({ "permission": permission });
        self.record_refusal(app, details.clone());
        Err(error.with_details(details))
    }

    /// Records that something was refused to the caller.
    pub fn record_refusal(&self, app: &App, details: Value) {
        let (actor, origin) = (self.actor(), self.origin.clone());
        app.store.record(self.workspace.id, EventType::RequestRefused, actor, origin, None, details);
    }

    /// Who that is, for events.
    pub fn actor(&self) -> Actor {
        match &self.principal {
            Principal::Member(member) => Actor::member(member.id, &member.email),
            Principal::ApiKey(key) => Actor::api_key(key.id),
        }
    }

    /// The id of the member or key.
    pub fn id(&self) -> String {
        match &self.principal {
            Principal::Member(member) => member.id.to_string(),
            Principal::ApiKey(key) => key.id.to_string(),
        }
    }

    /// The members who stand behind the caller, by id: themselves, or who has seen the secret of the key
    /// (or of the keys that it was made with). Where a second person is wanted, it is none of them.
    pub async fn people(&self, tx: &mut Tx) -> Result<Vec<String>> {
        match &self.principal {
            Principal::Member(member) => Ok(vec![member.id.to_string()]),
            Principal::ApiKey(key) => {
                let row = api_keys::get(tx, self.workspace.id, key.id).await?;
                Ok(row.map(|row| row.known_by).unwrap_or_default())
            }
        }
    }

    /// Refuses, and records, a second person who is the first: `known_by` are the members who stand behind
    /// what is to be approved, `asked_for` says what that is. Who calls with a key stands for all who know it.
    pub async fn require_second_person(
        &self,
        app: &App,
        tx: &mut Tx,
        known_by: &[String],
        asked_for: &str,
        subject: Value,
    ) -> Result<()> {
        let people = self.people(tx).await?;
        let is_first = |person: &String| known_by.contains(person);
        if !known_by.is_empty() && !people.is_empty() && !people.iter().any(is_first) {
            return Ok(());
        }
        let mut details = json!({ "reason": "approver_is_requester" });
        if let (Some(details), Value::Object(subject)) = (details.as_object_mut(), subject) {
            details.extend(subject);
        }
        self.record_refusal(app, details);
        let message = format!("whoever asked for {asked_for} cannot approve it: ask another member");
        Err(Error::new(http::StatusCode::FORBIDDEN, "approver_is_requester", message))
    }

    /// Begins a change of the caller's workspace. A member who was shut out while the change waited for
    /// its turn makes none: what it left behind would be there when they are let in again. Nor does an
    /// API key that ended meanwhile.
    pub async fn change(&self, app: &App) -> Result<Change> {
        let mut change = app.store.change(self.workspace.id, self.actor(), self.origin.clone()).await?;
        match &self.principal {
            Principal::Member(member) => {
                if !members::is_active(&mut change, self.workspace.id, member.id).await? {
                    return Err(Error::unauthorized("your account was suspended"));
                }
            }
            Principal::ApiKey(key) => {
                if !still_works(&mut change, key).await? {
                    return Err(Error::unauthorized(NO_KEY));
                }
            }
        }
        Ok(change)
    }

    /// Who calls: an API key, or a member's session.
    pub async fn resolve(app: &App, parts: &mut Parts) -> Result<Self> {
        // Resolved once for a request, however many layers ask.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let caller = match bearer(parts) {
            Some(token) => by_api_key(app, parts, token)?,
            None => Session::of(app, parts).await?.caller,
        };
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// What the bearer of a key hears that does not work.
const NO_KEY: &str = "the API key is not known, expired, revoked, or waits for approval";

/// Whether the key of a request still works, as a change finds it that holds the workspace's lock.
pub async fn still_works(change: &mut Change, key: &ApiKey) -> provost_store::Result<bool> {
    let (ws, now) = (change.workspace_id(), change.at());
    let has_ended = |end: Option<Timestamp>| end.is_some_and(|at| at <= now);
    // The secret that the request carried may be a former one, which ends before the key does.
    if has_ended(key.expires_at) {
        return Ok(false);
    }
    let row = api_keys::get(change, ws, key.id).await?;
    Ok(row.is_some_and(|row| {
        row.revoked_at.is_none() && row.status == ApiKeyStatus::Active && !has_ended(row.expires_at)
    }))
}

fn by_api_key(app: &App, parts: &Parts, token: &str) -> Result<Caller> {
    let nobody = || Error::unauthorized(NO_KEY);
    if is_mistyped(token) {
        return Err(Error::unauthorized("the API key is mistyped: its checksum is wrong"));
    }
    let hash = hash_secret(token);
    let now = app.store.clock().now();
    let world = app.store.world();
    let found = world.workspaces.values().find_map(|workspace| Some((workspace, workspace.api_keys.get(&hash)?)));
    let (workspace, key) = found.ok_or_else(nobody)?;
    if key.status != ApiKeyStatus::Active || key.expires_at.is_some_and(|at| at <= now) {
        return Err(nobody());
    }
    let (workspace, principal) = (workspace.clone(), Principal::ApiKey(key.clone()));
    let caller = Caller { workspace, principal, origin: origin(parts) };
    if !key.allowed_ips.allow(address(parts)) {
        caller.record_refusal(app, json!({ "reason": "address_not_allowed", "path": parts.uri.path() }));
        return Err(Error::address_not_allowed(caller.origin.ip.as_deref()));
    }
    app.last_use.note(&app.store, caller.workspace.id, Credential::ApiKey(key.id));
    Ok(caller)
}
