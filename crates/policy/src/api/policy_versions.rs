//! `/api/v1/policies/{id}/versions`.

use std::collections::HashMap;

use axum::extract::State;
use provost_model::{PolicyId, RolloutId, RolloutStatus};
use provost_store::Tx;
use provost_store::tables::{policies, rollouts};
use provost_web::{App, Error, ErrorBody, Etag, List, ListQuery, PathId, PathIds, Permit, Query, Result, permits};
use serde::Serialize;
use utoipa::ToSchema;

use super::policies::PolicyBody;

/// A version of a policy, and how it came to be sent to clients.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyVersionBody {
    #[serde(flatten)]
    policy: PolicyBody,
    status: PolicyVersionStatus,
    /// The rollout that it came by, if it was not published to everybody at once.
    rollout_id: Option<RolloutId>,
}

/// What became of a version.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PolicyVersionStatus {
    /// It is, or was, what everybody gets.
    Published,
    /// It is being rolled out.
    Candidate,
    /// Its rollout was halted or cancelled: it was never published.
    Withdrawn,
}

/// The versions of a policy that came by a rollout.
struct Candidates(HashMap<i64, (RolloutId, RolloutStatus)>);

impl Candidates {
    async fn read(tx: &mut Tx, permit: &Permit<permits::CodexAdminister>, id: PolicyId) -> Result<Self> {
        let found = rollouts::candidates_of(tx, permit.workspace.id, id).await?;
        Ok(Self(found.into_iter().map(|(version, id, status)| (version, (id, status))).collect()))
    }

    fn body(&self, version: i64, policy: PolicyBody) -> PolicyVersionBody {
        let rollout = self.0.get(&version);
        let status = match rollout.map(|(_, status)| status) {
            None | Some(RolloutStatus::Finished) => PolicyVersionStatus::Published,
            Some(RolloutStatus::Running | RolloutStatus::Paused) => PolicyVersionStatus::Candidate,
            Some(RolloutStatus::Halted | RolloutStatus::Cancelled) => PolicyVersionStatus::Withdrawn,
        };
        PolicyVersionBody { policy, status, rollout_id: rollout.map(|(id, _)| *id) }
    }
}

/// The versions of a policy, newest first.
#[utoipa::path(get, path = "/api/v1/policies/{id}/versions", tag = "Policies",
    params(("id" = PolicyId, Path), ListQuery),
    responses((status = 200, body = List<PolicyVersionBody>), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    Query(query): Query<ListQuery>,
) -> Result<List<PolicyVersionBody>> {
    let invalid = || Error::invalid("cursor", "invalid_cursor", "start again without `cursor`");
    let before = query.after()?.map(|text| text.parse().map_err(|_| invalid())).transpose()?;
    let (mut tx, ws) = (app.store.read().await?, permit.workspace.id);
    if policies::get(&mut tx, ws, id).await?.is_none() {
        return Err(Error::not_found("policy"));
    }
    let rows = policies::list_versions(&mut tx, ws, id, before, query.limit()? + 1).await?;
    let candidates = Candidates::read(&mut tx, &permit, id).await?;
    let bodies =
        rows.into_iter().map(|row| candidates.body(row.version, PolicyBody::of(row, &permit.workspace))).collect();
    List::new(bodies, &query, |version: &PolicyVersionBody| version.policy.version_key())
}

/// One version of a policy.
#[utoipa::path(get, path = "/api/v1/policies/{id}/versions/{version}", tag = "Policies",
    params(("id" = PolicyId, Path), ("version" = i64, Path)),
    responses((status = 200, body = PolicyVersionBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathIds(id, version): PathIds<PolicyId, i64>,
) -> Result<Etag<PolicyVersionBody>> {
    let mut tx = app.store.read().await?;
    let row = policies::get_version(&mut tx, permit.workspace.id, id, version).await?;
    let row = row.ok_or_else(|| Error::not_found("version of the policy"))?;
    Ok(Etag(Candidates::read(&mut tx, &permit, id).await?.body(version, PolicyBody::of(row, &permit.workspace))))
}
