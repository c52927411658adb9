//! What is recorded of sign-ins that fail: the first at once, its like together, so that who guesses
//! passwords by the thousand does not bury the trail.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use http::request::Parts;
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{Email, SignInMethod, WorkspaceId};
use provost_web::{App, origin};
use serde_json::json;

/// Equal failures within so long are one event with a count.
const WINDOW: Duration = Duration::from_secs(60);
/// So many kinds are counted apart; what comes beyond is counted together, by workspace.
const MOST_WINDOWS: usize = 10_000;

/// How often each was repeated.
static RECENT: LazyLock<Mutex<HashMap<Key, u64>>> = LazyLock::new(Mutex::default);

/// What makes two failures equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    workspace_id: WorkspaceId,
    email: Option<String>,
    ip: Option<String>,
    method: SignInMethod,
    reason: &'static str,
}

/// A sign-in that failed.
pub(crate) struct Failure<'a> {
    /// For which account.
    pub(crate) email: &'a Email,
    /// How it was tried.
    pub(crate) method: SignInMethod,
    /// Why it failed.
    pub(crate) reason: &'static str,
}

/// Records a failure.
pub(crate) fn record(app: &App, parts: &Parts, workspace_id: WorkspaceId, failure: Failure<'_>) {
    let from = origin(parts);
    let Failure { email, method, reason } = failure;
    let mut key = Key { workspace_id, email: Some(email.to_string()), ip: from.ip.clone(), method, reason };
    let mut recent = RECENT.lock().unwrap_or_else(PoisonError::into_inner);
    if recent.len() >= MOST_WINDOWS && !recent.contains_key(&key) {
        key = Key { email: None, ip: None, ..key };
    }
    if let Some(repeats) = recent.get_mut(&key) {
        *repeats += 1;
        return;
    }
    recent.insert(key.clone(), 0);
    drop(recent);
    write(app, &key, from, 1);
    tokio::spawn(close(app.clone(), key));
}

async fn close(app: App, key: Key) {
    tokio::time::sleep(WINDOW).await;
    let repeats = RECENT.lock().unwrap_or_else(PoisonError::into_inner).remove(&key).unwrap_or(0);
    if repeats > 0 {
        let from = Origin { ip: key.ip.clone(), ..Origin::default() };
        write(&app, &key, from, repeats);
    }
}

fn write(app: &App, key: &Key, from: Origin, count: u64) {
    let mut details = json!({ "method": key.method, "reason": key.reason });
    if count > 1 || from.request_id.is_none() {
        details["count"] = json!(count);
    }
    let actor = Actor::anonymous(key.email.clone());
    app.store.record(key.workspace_id, EventType::SignInFailed, actor, from, None, details);
}
