//! `POST /api/v1/policies/{id}/rollback`: one step back.

use axum::extract::State;
use http::HeaderMap;
use provost_model::{PolicyId, RolloutStatus};
use provost_store::Change;
use provost_store::tables::{policies, rollouts};
use provost_web::{App, Error, ErrorBody, Json, PathId, Permit, Result, permits};
use serde::Deserialize;
use utoipa::ToSchema;

use super::policies::{PolicyBody, check_tag};
use super::policy_proposals::ProposalBody;
use crate::proposals::{ProposedChange, Written, submit};

/// Where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// The version to put back; the one before the current one if absent.
    to_version: Option<i64>,
    /// Why: at most 1,000 characters.
    note: Option<String>,
}

/// Put back an earlier version of a policy: it becomes the next version, in one step. It is linted like any
/// other, since the clients of today may refuse what those of then took.
#[utoipa::path(post, path = "/api/v1/policies/{id}/rollback", tag = "Policies", params(("id" = PolicyId, Path)),
    request_body = Rollback,
    responses((status = 200, body = PolicyBody), (status = 202, body = ProposalBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 412, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    headers: HeaderMap,
    Json(body): Json<Rollback>,
) -> Result<Written> {
    let mut change = permit.change(&app).await?;
    check_tag(&mut change, id, &headers, &permit.workspace).await?;
    let to_version = match body.to_version {
        Some(version) => version,
        None => published_before(&mut change, id).await?,
    };
    submit(&app, &permit, change, ProposedChange::RollBackPolicy { policy_id: id, to_version }, body.note, Vec::new())
        .await
}

/// The version that everybody got before the current one: not one whose rollout was called off.
async fn published_before(change: &mut Change, id: PolicyId) -> Result<i64> {
    const LOOKED_AT: u32 = 1_000;
    let ws = change.workspace_id();
    let current = policies::version(change, ws, id).await?.ok_or_else(|| Error::not_found("policy"))?;
    let candidates = rollouts::candidates_of(change, ws, id).await?.into_iter();
    let unfinished = candidates.filter(|(_, _, status)| *status != RolloutStatus::Finished);
    let unpublished: Vec<i64> = unfinished.map(|(version, _, _)| version).collect();
    let heads = policies::list_heads(change, ws, id, LOOKED_AT).await?;
    let before = heads.iter().map(|head| head.version).find(|head| *head < current && !unpublished.contains(head));
    before.ok_or_else(|| Error::conflict("no_earlier_version", "this is the first version of the policy"))
}
