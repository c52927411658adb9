use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use provost_model::{AccessTokenId, ApiKeyId, DeviceEnrolmentId, WorkspaceId};
use provost_store::Store;
use provost_store::tables::{access_tokens, api_keys, device_enrolments};

/// Use is noted this often: `last_used_at` is right to the minute.
const EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    /// An access token.
    AccessToken(AccessTokenId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A device enrolment.
    DeviceEnrolment(DeviceEnrolmentId),
}

/// Notes when tokens and keys were last used, without making anybody wait for it.
#[derive(Debug, Default)]
pub struct LastUse {
    noted: Mutex<HashMap<Credential, Timestamp>>,
}

impl LastUse {
    /// Notes a use. At most once a minute for each credential does this write anything.
    pub(crate) fn note(&self, store: &Store, workspace_id: WorkspaceId, credential: Credential) {
        let now = store.clock().now();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&credential).is_some_and(|at| now.duration_since(*at) < EVERY) {
            return;
        }
        noted.insert(credential, now);
        drop(noted);
        let store = store.clone();
        tokio::spawn(async move {
            let written = write(&store, workspace_id, credential, now).await;
            if let Err(error) = written {
                tracing::debug!(%error, "the last use of a credential was not noted");
            }
        });
    }
}

async fn write(store: &Store, ws: WorkspaceId, credential: Credential, at: Timestamp) -> provost_store::Result<()> {
    let mut tx = store.write().await?;
    match credential {
        Credential::AccessToken(id) => access_tokens::set_last_used(&mut tx, ws, id, at).await?,
        Credential::ApiKey(id) => api_keys::set_last_used(&mut tx, ws, id, at).await?,
        Credential::DeviceEnrolment(id) => device_enrolments::set_last_used(&mut tx, ws, id, at).await?,
    }
    tx.commit().await
}
