//! What a member leaves behind that is the workspace's, and not theirs: API keys, and workload identities.
//! Part of [`crate::deprovision`].

use provost_model::event::{EventType, Target};
use provost_model::{ApiKeyStatus, LeaverApiKeys, MemberId};
use provost_store::tables::access_tokens;
use provost_store::tables::api_keys::{self, ApiKeyRow};
use provost_store::tables::workload_identities::{self, WorkloadIdentityRow};
use provost_store::{Change, Touched};
use provost_web::Result;
use serde_json::json;

/// Why something ends with somebody, for the events.
const MAKER_LEFT: &str = "maker_left";

/// What ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Keys that waited for a second person.
    pub(crate) requests: Vec<ApiKeyRow>,
    /// Keys that worked.
    pub(crate) keys: Vec<ApiKeyRow>,
    /// Workload identities, which are disabled.
    pub(crate) identities: Vec<WorkloadIdentityRow>,
}

/// Ends what must not go on without a member. What they asked for is withdrawn; a workload that acts as
/// them stops if they are no active member any more; what they made ends if the workspace wants that.
pub(crate) async fn end(change: &mut Change, member: MemberId, rule: LeaverApiKeys, is_out: bool) -> Result<Ended> {
    let (ws, now) = (change.workspace_id(), change.at());
    let mut ended = Ended::default();
    for key in api_keys::made_by(change, ws, member, now).await? {
        match key.status {
            ApiKeyStatus::PendingApproval => ended.requests.push(key),
            ApiKeyStatus::Active if rule == LeaverApiKeys::Revoke => ended.keys.push(key),
            ApiKeyStatus::Active => {}
        }
    }
    if rule == LeaverApiKeys::Revoke {
        // Asked before the keys go, by which it is known whose they are.
        ended.identities = workload_identities::made_by(change, ws, member, now).await?;
    }
    for key in ended.requests.iter().chain(&ended.keys) {
        revoke_api_key(change, key, MAKER_LEFT).await?;
    }
    for identity in &ended.identities {
        disable(change, identity, MAKER_LEFT).await?;
    }
    if is_out {
        for identity in workload_identities::acting_as(change, ws, member).await? {
            disable(change, &identity, "member_left").await?;
            ended.identities.push(identity);
        }
    }
    Ok(ended)
}

/// Revokes an API key, or withdraws one that waits, and says why.
pub(crate) async fn revoke_api_key(change: &mut Change, key: &ApiKeyRow, reason: &str) -> Result<()> {
    let (ws, now) = (change.workspace_id(), change.at());
    api_keys::revoke(change, ws, key.id, now).await?;
    change.touch(Touched::ApiKey(key.id));
    let kind = match key.status {
        ApiKeyStatus::Active => EventType::ApiKeyRevoked,
        ApiKeyStatus::PendingApproval => EventType::ApiKeyDenied,
    };
    let target = Target::new("api_key", key.id, key.name.as_str());
    change.record(kind, target, json!({ "last4": key.last4, "reason": reason }));
    Ok(())
}

/// Disables a workload identity, with the tokens that it was given.
async fn disable(change: &mut Change, identity: &WorkloadIdentityRow, reason: &str) -> Result<()> {
    let (ws, now) = (change.workspace_id(), change.at());
    let row = WorkloadIdentityRow { enabled: false, updated_at: now, ..identity.clone() };
    workload_identities::update(change, &row).await?;
    for token in access_tokens::revoke_of_workload(change, ws, identity.id, None, now).await? {
        change.touch(Touched::AccessToken(token));
    }
    let changed = json!({ "enabled": { "before": true, "after": false } });
    let target = Target::new("workload_identity", identity.id, identity.name.as_str());
    change.record(EventType::WorkloadIdentityUpdated, target, json!({ "changed": changed, "reason": reason }));
    Ok(())
}
