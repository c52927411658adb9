//! Who may read, and delete.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Path};
use http::StatusCode;
use http::request::Parts;
use provost_model::event::EventType;
use provost_model::{Permission, WorkspaceId};
use provost_web::{App, Caller, RateLimit, Repeats};
use serde_json::{Value, json};

use super::refusal::Refusal;

/// As the hosted product has it: a minute, for each workspace, method and route. Here by each node.
const PER_MINUTE: u32 = 100;
/// How many readers are told apart in a minute.
const MOST_READERS: usize = 1_000;

/// What is known of all readers.
pub(super) struct Readers {
    limit: RateLimit,
    reads: Repeats<(WorkspaceId, String, &'static str)>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { limit: RateLimit::per_minute(PER_MINUTE), reads: Repeats::with_room(MOST_READERS) }
    }
}

/// Somebody who may read the compliance data of the workspace in the address.
pub(super) struct Reader {
    caller: Caller,
    readers: Arc<Readers>,
}

/// Somebody who may delete it.
pub(super) struct Deleter;

impl Reader {
    pub(super) fn workspace_id(&self) -> WorkspaceId {
        self.caller.workspace.id
    }

    /// Records what was read: at once, and what is read again within a minute with a count at its end.
    pub(super) fn record(&self, app: &App, what: &'static str, mut details: Value) {
        let key = (self.caller.workspace.id, self.caller.id(), what);
        let Some(first) = self.readers.reads.note(key, |(ws, _, what)| (ws, String::new(), what)) else { return };
        let (app, ws) = (app.clone(), self.caller.workspace.id);
        let (actor, origin) = (self.caller.actor(), self.caller.origin.clone());
        details["what"] = what.into();
        app.store.record(ws, EventType::AuditRead, actor.clone(), origin.clone(), None, details);
        tokio::spawn(async move {
            let repeats = first.repeats().await;
            if repeats > 0 {
                let said = json!({ "what": what, "repeats": repeats });
                app.store.record(ws, EventType::AuditRead, actor, origin, None, said);
            }
        });
    }
}

impl FromRequestParts<App> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let (caller, readers) = enter(parts, app, Permission::ComplianceRead).await?;
        Ok(Self { caller, readers })
    }
}

impl FromRequestParts<App> for Deleter {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        enter(parts, app, Permission::ComplianceDelete).await.map(|_| Self)
    }
}

async fn enter(parts: &mut Parts, app: &App, needed: Permission) -> Result<(Caller, Arc<Readers>), Refusal> {
    let caller = Caller::resolve(app, parts).await?;
    if !caller.may(needed) {
        let details = json!({ "permission": needed, "method": parts.method.as_str(), "path": parts.uri.path() });
        caller.record_refusal(app, details);
        return Err(Refusal::new(StatusCode::FORBIDDEN, "API key not authorized for enterprise logs"));
    }
    let Path(path) = Path::<Vec<(String, String)>>::from_request_parts(parts, app)
        .await
        .map_err(|_| Refusal::not_found("Workspace"))?;
    let named = path.first().map(|(_, id)| id.as_str());
    // Another workspace is as little there as none.
    if named != Some(caller.workspace.id.to_string().as_str()) {
        return Err(Refusal::not_found("Workspace"));
    }
    let readers = parts.extensions.get::<Arc<Readers>>().cloned().expect("the routes have it as a layer");
    let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let key = format!("{} {} {route}", caller.workspace.id, parts.method);
    readers.limit.try_once(&key, app.store.clock().now()).map_err(Refusal::too_many)?;
    Ok((caller, readers))
}
