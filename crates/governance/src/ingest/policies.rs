use std::sync::Arc;

use jiff::Timestamp;
use provost_model::drift::{CLIENT_CACHE, Permits, Sent, Version};
use provost_model::{ClientVersion, PolicyId, WorkspaceId};
use provost_store::tables::policies;
use provost_store::tables::policy_deliveries::{self, DeliveryRow};
use provost_store::{Result, Tx};
use provost_web::{App, Client};
use quick_cache::sync::Cache;

/// Of how many versions of policies it is remembered what they permit.
const REMEMBERED: usize = 1_000;
/// How far back it is looked what a device was sent.
const EARLIER: usize = 8;

/// What versions of policies permit. A version never changes, so each is read once. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Policies(Arc<Cache<(WorkspaceId, PolicyId, u32), Option<Permits>>>);

impl Default for Policies {
    fn default() -> Self {
        Self(Arc::new(Cache::new(REMEMBERED)))
    }
}

impl Policies {
    /// What a version permits; none where it is gone or cannot be read.
    pub(super) async fn permits(&self, tx: &mut Tx, ws: WorkspaceId, version: Version) -> Result<Option<Permits>> {
        let Some((id, version)) = version else { return Ok(Some(Permits::all())) };
        if let Some(known) = self.0.get(&(ws, id, version)) {
            return Ok(known);
        }
        let row = policies::get_version(tx, ws, id, version.into()).await?;
        let Some(row) = row else { return Ok(None) };
        let permits = Permits::of(&row.contents);
        self.0.insert((ws, id, version), permits.clone());
        Ok(permits)
    }

    /// What a client was sent, latest first.
    pub(super) async fn sent(&self, tx: &mut Tx, app: &App, client: &Client, now: Timestamp) -> Result<Vec<Sent>> {
        let (ws, device) = (client.workspace.id, provost_web::Device::from(client.via));
        let mut rows = policy_deliveries::of_device(tx, ws, &device.to_string()).await?;
        rows.retain(|row| row.fetches > 0);
        let just_now = app.deliveries.sent_to(client);
        if rows.is_empty() && just_now.is_none() {
            // The client's cache outlives its sign-in, where the member signs in again.
            rows = policy_deliveries::of_member(tx, ws, client.member.id, now - CLIENT_CACHE).await?;
            rows.retain(|row| row.fetches > 0);
        }
        let mut found = merged(&rows);
        if let Some((version, at)) = just_now {
            match found.iter_mut().find(|(known, ..)| *known == version) {
                Some((_, _, last_at)) => *last_at = at.max(*last_at),
                None => found.push((version, at, at)),
            }
        }
        found.sort_by_key(|(_, _, last_at)| std::cmp::Reverse(*last_at));
        found.truncate(EARLIER);
        let mut sent = Vec::new();
        for (version, first_at, last_at) in found {
            sent.push(Sent { version, permits: self.permits(tx, ws, version).await?, first_at, last_at });
        }
        Ok(sent)
    }
}

/// Each version once, whichever client fetched it: with when it was first and last sent.
pub(crate) fn merged(rows: &[DeliveryRow]) -> Vec<(Version, Timestamp, Timestamp)> {
    let mut found: Vec<(Version, Timestamp, Timestamp)> = Vec::new();
    for row in rows {
        match found.iter_mut().find(|(version, ..)| *version == row.policy) {
            Some((_, first_at, last_at)) => {
                *first_at = row.first_at.min(*first_at);
                *last_at = row.last_at.max(*last_at);
            }
            None => found.push((row.policy, row.first_at, row.last_at)),
        }
    }
    found
}

/// What a client would be sent now.
pub(super) fn current(client: &Client, version: Option<ClientVersion>, now: Timestamp) -> Version {
    client.workspace.sent(&client.member, version, now).map(|policy| (policy.id, policy.version))
}
