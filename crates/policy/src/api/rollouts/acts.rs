//! `/api/v1/rollouts/{id}/pause`, `/resume`, `/finish`, `/cancel`.

use axum::extract::State;
use provost_model::event::EventType;
use provost_model::{RolloutId, RolloutStatus};
use provost_store::Touched;
use provost_store::tables::rollouts;
use provost_web::{App, Caller, ErrorBody, Etag, PathId, Permit, Result, permits};
use serde_json::json;

use super::body::{RolloutBody, RolloutShown};
use super::find_live;
use crate::api::policy_proposals::ProposalBody;
use crate::proposals::{ProposedChange, Written, submit};
use crate::rollouts::{end, target};

type May = Permit<permits::CodexAdminister>;

/// Pause a rollout: who has the new version keeps it, nobody else gets it. Its guard goes on watching.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/pause", tag = "Policies", params(("id" = RolloutId, Path)),
    responses((status = 200, body = RolloutBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn pause(
    permit: May,
    State(app): State<App>,
    PathId(id): PathId<RolloutId>,
) -> Result<Etag<RolloutBody>> {
    turn(&app, &permit, id, RolloutStatus::Paused, EventType::RolloutPaused).await
}

/// Go on with a paused rollout. Its stage begins anew. It reaches whom it was to reach before the pause, and nobody
/// else: what a second person has agreed to need not be agreed to again.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/resume", tag = "Policies", params(("id" = RolloutId, Path)),
    responses((status = 200, body = RolloutBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn resume(
    permit: May,
    State(app): State<App>,
    PathId(id): PathId<RolloutId>,
) -> Result<Etag<RolloutBody>> {
    turn(&app, &permit, id, RolloutStatus::Running, EventType::RolloutResumed).await
}

/// Between running and paused; one that stands there already stays as it is.
async fn turn(
    app: &App,
    caller: &Caller,
    id: RolloutId,
    to: RolloutStatus,
    event: EventType,
) -> Result<Etag<RolloutBody>> {
    let mut change = caller.change(app).await?;
    let mut row = find_live(&mut change, id).await?;
    if row.status != to {
        let ws = change.workspace_id();
        row.status = to;
        row.updated_at = change.at();
        if to == RolloutStatus::Running {
            row.stage_since = change.at();
        }
        rollouts::update(&mut change, ws, &row).await?;
        change.touch(Touched::Policy(row.policy_id));
        let target = target(&mut change, &row).await?;
        change.record(event, target, json!({ "percent": row.percent, "version": row.candidate_version }));
        change.commit().await?;
    }
    Ok(Etag(RolloutBody::new(row, &caller.workspace)))
}

/// Finish a rollout: its version becomes the one that everybody gets.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/finish", tag = "Policies", params(("id" = RolloutId, Path)),
    responses((status = 200, body = RolloutShown), (status = 202, body = ProposalBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn finish(permit: May, State(app): State<App>, PathId(id): PathId<RolloutId>) -> Result<Written> {
    let mut change = permit.change(&app).await?;
    let policy_id = find_live(&mut change, id).await?.policy_id;
    let proposed = ProposedChange::FinishRollout { policy_id, rollout_id: id };
    submit(&app, &permit, change, proposed, None, Vec::new()).await
}

/// Cancel a rollout: everybody gets the version of before. The other stays in the history.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/cancel", tag = "Policies", params(("id" = RolloutId, Path)),
    responses((status = 200, body = RolloutShown), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(crate) async fn cancel(permit: May, State(app): State<App>, PathId(id): PathId<RolloutId>) -> Result<RolloutShown> {
    let mut change = permit.change(&app).await?;
    let row = find_live(&mut change, id).await?;
    let row = end(&mut change, row, RolloutStatus::Cancelled, None).await?;
    change.commit().await?;
    Ok(RolloutShown::ended(row, &permit.workspace))
}
