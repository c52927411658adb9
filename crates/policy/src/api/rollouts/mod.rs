//! `/api/v1/rollouts`: new versions of policies on their way, of all policies.

pub(crate) mod acts;
pub(crate) mod body;
pub(crate) mod update;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use provost_model::{RolloutId, RolloutStatus};
use provost_store::tables::rollouts::{self, RolloutFilter, RolloutRow};
use provost_store::{Change, Tx};
use provost_web::{App, Caller, Error, ErrorBody, List, ListQuery, PathId, Permit, Query, Result, permits};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use self::body::{RolloutBody, RolloutReachBody, RolloutShown};
use crate::rollouts::figures;

/// Which rollouts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RolloutsQuery {
    /// At most so many rows: 1 to 1000, 100 if absent.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `running`, `paused`, `halted`, `finished` or `cancelled`.
    status: Option<String>,
}

/// The rollouts of every policy, by age.
#[utoipa::path(get, path = "/api/v1/rollouts", tag = "Policies", params(RolloutsQuery),
    responses((status = 200, body = List<RolloutBody>), (status = 403, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Query(query): Query<RolloutsQuery>,
) -> Result<List<RolloutBody>> {
    let RolloutsQuery { limit, cursor, status } = query;
    let page = ListQuery { limit, cursor };
    let status = status.map(|text| text.parse::<RolloutStatus>()).transpose();
    let status = status.map_err(|message| Error::invalid("status", "invalid_query", message))?;
    let filter = RolloutFilter { status, policy: None };
    let rows = rollouts::list(&mut app.store.read().await?, permit.workspace.id, filter, &page.page()?).await?;
    let bodies = rows.into_iter().map(|row| RolloutBody::new(row, &permit.workspace)).collect();
    List::new(bodies, &page, |rollout: &RolloutBody| rollout.id.to_string())
}

/// One rollout, whom it reaches now, and how the clients of both versions do.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}", tag = "Policies", params(("id" = RolloutId, Path)),
    responses((status = 200, body = RolloutShown), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<RolloutId>,
) -> Result<Response> {
    let ws = permit.workspace.id;
    let mut tx = app.store.read().await?;
    let row = rollouts::get(&mut tx, ws, id).await?.ok_or_else(|| Error::not_found("rollout"))?;
    shown(&mut tx, &app, &permit, row).await
}

/// An answer with the figures, which carries the tag of what can be changed.
async fn shown(tx: &mut Tx, app: &App, caller: &Caller, row: RolloutRow) -> Result<Response> {
    if !row.status.is_live() {
        return Ok(RolloutShown::ended(row, &caller.workspace).into_response());
    }
    let (ws, now) = (caller.workspace.id, app.store.clock().now());
    let reach = Some(RolloutReachBody::from(caller.workspace.rollout_reach(row.policy_id, now)));
    let figures = Some(figures(tx, ws, &row, now).await?);
    let rollout = RolloutBody::new(row, &caller.workspace);
    Ok(RolloutShown { rollout, reach, figures }.into_response())
}

/// A rollout that is under way, for a change of it.
pub(crate) async fn find_live(change: &mut Change, id: RolloutId) -> Result<RolloutRow> {
    let ws = change.workspace_id();
    let row = rollouts::get(change, ws, id).await?.ok_or_else(|| Error::not_found("rollout"))?;
    if row.status.is_live() {
        return Ok(row);
    }
    let message = format!("the rollout is {} already: start another for another version", row.status.as_str());
    Err(Error::conflict("rollout_ended", message).with_details(json!({ "status": row.status })))
}

/// Refuses what would change a version under its rollout.
pub(crate) fn refuse_while_live(rollout: &RolloutRow) -> Error {
    let (id, version) = (rollout.id, rollout.candidate_version);
    let message = format!("version {version} of the policy is being rolled out ({id}): finish or cancel that first");
    let details = json!({ "rollout_id": id, "candidate_version": version, "status": rollout.status });
    Error::conflict("rollout_live", message).with_details(details)
}
