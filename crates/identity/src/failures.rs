//! What is recorded of sign-ins that fail: the first at once, its like together, so that who guesses
//! passwords by the thousand does not bury the trail.

use std::sync::LazyLock;

use http::request::Parts;
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{ConnectionId, Email, SignInMethod, WorkspaceId};
use provost_web::{App, First, Repeats, address, network, origin};
use serde_json::json;

/// So many kinds are counted apart; what comes beyond is counted together, by workspace.
const MOST_KINDS: usize = 10_000;

static RECENT: LazyLock<Repeats<Key>> = LazyLock::new(|| Repeats::with_room(MOST_KINDS));

/// What makes two failures equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    workspace_id: WorkspaceId,
    email: Option<String>,
    connection: Option<ConnectionId>,
    /// From where: one customer has very many addresses of IPv6.
    network: Option<String>,
    method: SignInMethod,
    reason: &'static str,
}

/// A sign-in that failed.
pub(crate) struct Failure<'a> {
    /// For which account, where that was said.
    pub(crate) email: Option<&'a Email>,
    /// Through which connection to an identity provider.
    pub(crate) connection: Option<ConnectionId>,
    /// How it was tried.
    pub(crate) method: SignInMethod,
    /// Why it failed.
    pub(crate) reason: &'static str,
}

impl<'a> Failure<'a> {
    /// Of an account, here.
    pub(crate) fn of(email: &'a Email, method: SignInMethod, reason: &'static str) -> Self {
        Self { email: Some(email), connection: None, method, reason }
    }
}

/// Records a failure.
pub(crate) fn record(app: &App, parts: &Parts, workspace_id: WorkspaceId, failure: Failure<'_>) {
    let from = origin(parts);
    let Failure { email, connection, method, reason } = failure;
    let (email, network) = (email.map(Email::to_string), Some(network(address(parts))));
    let key = Key { workspace_id, email, connection, network, method, reason };
    let Some(first) = RECENT.note(key, |key| Key { email: None, network: None, ..key }) else { return };
    let ip = from.ip.clone().filter(|_| first.key.network.is_some());
    write(app, &first.key, from, 1);
    tokio::spawn(close(app.clone(), first, ip));
}

async fn close(app: App, first: First<Key>, ip: Option<String>) {
    let repeats = first.repeats().await;
    if repeats > 0 {
        let from = Origin { ip, ..Origin::default() };
        write(&app, &first.key, from, repeats);
    }
}

fn write(app: &App, key: &Key, from: Origin, count: u64) {
    let mut details = json!({ "method": key.method, "reason": key.reason });
    if let Some(connection) = key.connection {
        details["connection_id"] = json!(connection);
    }
    if count > 1 || from.request_id.is_none() {
        details["count"] = json!(count);
    }
    let actor = Actor::anonymous(key.email.clone());
    app.store.record(key.workspace_id, EventType::SignInFailed, actor, from, None, details);
}
