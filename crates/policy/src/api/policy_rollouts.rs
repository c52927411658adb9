//! `/api/v1/policies/{id}/rollouts`: the rollouts of a policy.

use axum::extract::State;
use provost_model::{ClientVersion, GroupId, Percent, PolicyId, RolloutStage};
use provost_store::tables::policies;
use provost_store::tables::rollouts::{self, RolloutFilter};
use provost_web::{App, Error, ErrorBody, Json, List, ListQuery, PathId, Permit, Query, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy_proposals::ProposalBody;
use super::rollouts::body::{RolloutBody, RolloutGuardFields, RolloutStarted};
use crate::proposals::{ProposedChange, Written, in_use, submit};

/// A version to roll out, and to whom: at least a percentage, groups, or stages.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutFields {
    /// `requirements.toml`.
    pub(crate) contents: String,
    /// `config.toml`.
    pub(crate) defaults: Option<String>,
    /// Why.
    #[serde(default)]
    pub(crate) note: String,
    /// Of the members who get the policy, with two decimals at most. Absent: all of those in the groups.
    pub(crate) percent: Option<Percent>,
    /// Members of these groups only.
    #[serde(default)]
    pub(crate) group_ids: Vec<GroupId>,
    /// Clients from this version on.
    #[schema(value_type = Option<String>)]
    pub(crate) min_client_version: Option<ClientVersion>,
    /// Clients up to this version.
    #[schema(value_type = Option<String>)]
    pub(crate) max_client_version: Option<ClientVersion>,
    /// When it halts by itself.
    #[serde(default)]
    pub(crate) guard: RolloutGuardFields,
    /// Steps that it takes by itself, instead of `percent`: after the last one, if that reaches everybody, it
    /// finishes.
    #[serde(default)]
    pub(crate) stages: Vec<RolloutStage>,
    /// Client versions, such as "0.98.0", that the new version may keep from loading it although they are in use:
    /// those that it does not reach at first as well, as finishing it takes it to everybody.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) allow_client_versions: Vec<ClientVersion>,
}

/// The rollouts of a policy, by age.
#[utoipa::path(get, path = "/api/v1/policies/{id}/rollouts", tag = "Policies",
    params(("id" = PolicyId, Path), ListQuery),
    responses((status = 200, body = List<RolloutBody>), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    Query(query): Query<ListQuery>,
) -> Result<List<RolloutBody>> {
    let (mut tx, ws) = (app.store.read().await?, permit.workspace.id);
    if policies::get(&mut tx, ws, id).await?.is_none() {
        return Err(Error::not_found("policy"));
    }
    let filter = RolloutFilter { policy: Some(id), status: None };
    let rows = rollouts::list(&mut tx, ws, filter, &query.page()?).await?;
    let bodies = rows.into_iter().map(|row| RolloutBody::new(row, &permit.workspace)).collect();
    List::new(bodies, &query, |rollout: &RolloutBody| rollout.id.to_string())
}

/// Roll out the next version of a policy: to some members first, while everybody else goes on getting the
/// version that is published. One that would stop a client is refused, and nothing is stored.
#[utoipa::path(post, path = "/api/v1/policies/{id}/rollouts", tag = "Policies", params(("id" = PolicyId, Path)),
    request_body = RolloutFields,
    responses((status = 201, body = RolloutStarted), (status = 202, body = ProposalBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    Json(body): Json<RolloutFields>,
) -> Result<Written> {
    let note = Some(body.note.clone());
    let proposed = ProposedChange::StartRollout { policy_id: id, rollout: body };
    let in_use = in_use::ask(&app, &permit.workspace, &proposed).await?;
    let change = permit.change(&app).await?;
    submit(&app, &permit, change, proposed, note, in_use).await
}
