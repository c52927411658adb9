//! Telemetry tokens among the secrets that leaked. Nothing of one is stored: what ends it is the end of the sign-in or
//! access token that it was made for.

use provost_model::event::{EventType, Target};
use provost_store::tables::{access_tokens, grants, members};
use provost_store::{Change, Touched, ledger};
use provost_web::{Result, TelemetrySighting, Via};

use super::leaked_secrets::Credential;

/// Whose token this is; none if it is another workspace's, or what it was made for is gone.
pub(super) async fn find(change: &mut Change, sighting: &TelemetrySighting<'_>) -> Result<Option<Credential>> {
    let (ws, now) = (change.workspace_id(), change.at());
    if sighting.workspace_id != ws {
        return Ok(None);
    }
    let (touched, id, is_live) = match sighting.via {
        Via::Grant(id) => {
            let Some(grant) = grants::get(change, ws, id).await? else { return Ok(None) };
            (Touched::Grant(id), id.to_string(), grant.is_live(now))
        }
        Via::AccessToken(id) => {
            let Some(token) = access_tokens::get(change, ws, id).await? else { return Ok(None) };
            (Touched::AccessToken(id), id.to_string(), token.is_live(now))
        }
    };
    let is_live = is_live && members::is_active(change, ws, sighting.member_id).await?;
    let is_new = !ledger::has_target(change, ws, EventType::CredentialLeaked, &id).await?;
    Ok(Some(Credential {
        touched,
        target: Target::new("telemetry_token", id, ""),
        name: String::new(),
        created_by: Some(sighting.member_id.to_string()),
        status: if is_live { "live" } else { "ended" },
        is_new,
    }))
}
