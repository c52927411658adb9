//! `PATCH /api/v1/rollouts/{id}`: to more, fewer or other members.

use axum::extract::State;
use http::HeaderMap;
use provost_model::{ClientVersion, GroupId, Percent, RolloutId};
use provost_store::tables::rollouts::RolloutRow;
use provost_web::{App, ErrorBody, Etag, Json, PathId, Permit, Result, nullable, permits, present};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{RolloutBody, RolloutGuardFields, check_versions};
use super::find_live;
use crate::api::policy_proposals::ProposalBody;
use crate::proposals::{ProposedChange, Written, submit};

/// What to change of a rollout: only what it names.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutPatch {
    /// Takes the place of the stages, if there are some.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    percent: Option<Percent>,
    /// Empty is everybody.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) group_ids: Option<Vec<GroupId>>,
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    min_client_version: Option<Option<ClientVersion>>,
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    max_client_version: Option<Option<ClientVersion>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    guard: Option<RolloutGuardFields>,
}

impl RolloutPatch {
    /// A rollout that is changed so. Whether its groups are there is for the caller to ask.
    pub(crate) fn apply(&self, before: &RolloutRow) -> Result<RolloutRow> {
        let mut after = before.clone();
        if let Some(percent) = self.percent {
            after.percent = percent;
            after.stages.clear();
        }
        if let Some(ids) = &self.group_ids {
            after.group_ids.clone_from(ids);
            after.group_ids.sort_unstable();
            after.group_ids.dedup();
        }
        after.min_client_version = self.min_client_version.unwrap_or(before.min_client_version);
        after.max_client_version = self.max_client_version.unwrap_or(before.max_client_version);
        check_versions(after.min_client_version, after.max_client_version)?;
        if let Some(guard) = &self.guard {
            after.guard = guard.apply(before.guard)?;
        }
        Ok(after)
    }
}

/// Change whom a rollout reaches, or when it halts by itself. Takes effect at once; where the workspace wants a
/// second person, what reaches others or changes the guard is proposed.
#[utoipa::path(patch, path = "/api/v1/rollouts/{id}", tag = "Policies", params(("id" = RolloutId, Path)),
    request_body = RolloutPatch,
    responses((status = 200, body = RolloutBody), (status = 202, body = ProposalBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<RolloutId>,
    headers: HeaderMap,
    Json(patch): Json<RolloutPatch>,
) -> Result<Written> {
    let mut change = permit.change(&app).await?;
    let row = find_live(&mut change, id).await?;
    let policy_id = row.policy_id;
    Etag(RolloutBody::new(row, &permit.workspace)).check(&headers)?;
    let proposed = ProposedChange::UpdateRollout { policy_id, rollout_id: id, rollout: patch };
    submit(&app, &permit, change, proposed, None, Vec::new()).await
}
