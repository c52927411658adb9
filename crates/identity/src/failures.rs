//! What is recorded of sign-ins that fail: the first at once, its like together, so that who guesses
//! passwords by the thousand does not bury the trail.

use std::sync::LazyLock;

use http::request::Parts;
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{Email, SignInMethod, WorkspaceId};
use provost_web::{App, First, Repeats, origin};
use serde_json::json;

/// So many kinds are counted apart; what comes beyond is counted together, by workspace.
const MOST_KINDS: usize = 10_000;

static RECENT: LazyLock<Repeats<Key>> = LazyLock::new(|| Repeats::with_room(MOST_KINDS));

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
    let key = Key { workspace_id, email: Some(email.to_string()), ip: from.ip.clone(), method, reason };
    let Some(first) = RECENT.note(key, |key| Key { email: None, ip: None, ..key }) else { return };
    write(app, &first.key, from, 1);
    tokio::spawn(close(app.clone(), first));
}

async fn close(app: App, first: First<Key>) {
    let repeats = first.repeats().await;
    if repeats > 0 {
        let from = Origin { ip: first.key.ip.clone(), ..Origin::default() };
        write(&app, &first.key, from, repeats);
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
