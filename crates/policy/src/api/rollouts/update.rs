//! `PATCH /api/v1/rollouts/{id}`: to more, fewer or other members.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use provost_model::{ClientVersion, GroupId, Percent, RolloutId};
use provost_web::{App, ErrorBody, Etag, Json, PathId, Permit, Result, nullable, permits, present};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{RolloutBody, RolloutGuardFields};
use super::find_live;
use crate::api::policy_proposals::ProposalBody;
use crate::proposals::rollouts::{self, patched, widens};
use crate::proposals::{Applied, By, ProposedChange, Written, submit};

/// What to change of a rollout: only what it names.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutPatch {
    /// Takes the place of the stages, if there are some.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<Percent>,
    /// Empty is everybody.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) group_ids: Option<Vec<GroupId>>,
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) min_client_version: Option<Option<ClientVersion>>,
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) max_client_version: Option<Option<ClientVersion>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) guard: Option<RolloutGuardFields>,
}

/// Change whom a rollout reaches, or when it halts by itself. Takes effect at once.
#[utoipa::path(patch, path = "/api/v1/rollouts/{id}", tag = "Policies", params(("id" = RolloutId, Path)),
    request_body = RolloutPatch,
    responses((status = 200, body = RolloutBody), (status = 202, body = ProposalBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<RolloutId>,
    headers: HeaderMap,
    Json(patch): Json<RolloutPatch>,
) -> Result<Written> {
    let mut change = permit.change(&app).await?;
    let before = find_live(&mut change, id).await?;
    Etag(RolloutBody::new(before.clone(), &permit.workspace)).check(&headers)?;
    if widens(&before, &patched(&mut change, &before, &patch).await?) {
        let proposed = ProposedChange::UpdateRollout { rollout_id: id, rollout: patch };
        return submit(&app, &permit, change, proposed, None, None).await;
    }
    // To make it safer takes nobody else.
    let by = By::alone(permit.id());
    let Applied { is_changed, now } = rollouts::update(&mut change, id, patch, &by).await?;
    if is_changed {
        change.commit().await?;
    }
    Ok(Written::of(now, StatusCode::OK, &permit.workspace, None))
}
