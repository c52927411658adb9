//! `/api/v1/policies/{id}/diff`: what one version, or a draft, means against another.

use axum::extract::State;
use provost_model::policy_diff::{PolicyDiff, is_toml};
use provost_model::{PolicyId, WorkspaceId};
use provost_store::Tx;
use provost_store::tables::policies;
use provost_web::{App, Error, ErrorBody, Json, PathId, Permit, Query, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::proposals::{PolicyDraft, preview};

/// Which versions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    /// The earlier version; the one before `to` if absent. 0 is nothing at all.
    from: Option<i64>,
    /// The later version; the current one if absent.
    to: Option<i64>,
}

/// A policy that is being written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffDraft {
    /// `requirements.toml`.
    contents: String,
    /// `config.toml`.
    defaults: Option<String>,
    /// The version to compare it with; the current one if absent.
    from: Option<i64>,
}

/// What differs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DiffBody {
    /// The earlier version; 0 is nothing at all.
    from: i64,
    /// The later version; null is the draft.
    to: Option<i64>,
    #[serde(flatten)]
    diff: PolicyDiff,
}

/// What one version of a policy means against another: which keys came, went, and are tighter or looser.
#[utoipa::path(get, path = "/api/v1/policies/{id}/diff", tag = "Policies",
    params(("id" = PolicyId, Path), DiffQuery),
    responses((status = 200, body = DiffBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    Query(query): Query<DiffQuery>,
) -> Result<axum::Json<DiffBody>> {
    let (mut tx, ws) = (app.store.read().await?, permit.workspace.id);
    let current = policies::version(&mut tx, ws, id).await?.ok_or_else(|| Error::not_found("policy"))?;
    let to = query.to.unwrap_or(current);
    let from = query.from.unwrap_or_else(|| to.saturating_sub(1).max(0));
    let before = version(&mut tx, ws, id, from).await?;
    let after = version(&mut tx, ws, id, to).await?;
    drop(tx);
    Ok(axum::Json(DiffBody { from, to: Some(to), diff: preview::compare(before, after).await }))
}

/// What a draft would mean against a version of the policy. Nothing is stored, nor linted.
#[utoipa::path(post, path = "/api/v1/policies/{id}/diff", tag = "Policies", params(("id" = PolicyId, Path)),
    request_body = DiffDraft,
    responses((status = 200, body = DiffBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn of_draft(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    Json(draft): Json<DiffDraft>,
) -> Result<axum::Json<DiffBody>> {
    let (mut tx, ws) = (app.store.read().await?, permit.workspace.id);
    let current = policies::version(&mut tx, ws, id).await?.ok_or_else(|| Error::not_found("policy"))?;
    let from = draft.from.unwrap_or(current);
    let before = version(&mut tx, ws, id, from).await?;
    drop(tx);
    for (field, text) in [("contents", Some(&draft.contents)), ("defaults", draft.defaults.as_ref())] {
        if !text.is_none_or(|text| is_toml(text)) {
            let message = "this is no TOML: `POST /api/v1/policies/lint` says where";
            return Err(Error::invalid(field, "not_toml", message));
        }
    }
    // A draft has no name of its own.
    let name = before.as_ref().map(|before| before.name.clone()).unwrap_or_default();
    let after = PolicyDraft { name, contents: draft.contents, defaults: draft.defaults };
    Ok(axum::Json(DiffBody { from, to: None, diff: preview::compare(before, Some(after)).await }))
}

/// A version to compare; none for version 0.
async fn version(tx: &mut Tx, ws: WorkspaceId, id: PolicyId, version: i64) -> Result<Option<PolicyDraft>> {
    if version == 0 {
        return Ok(None);
    }
    let row = policies::get_version(tx, ws, id, version).await?;
    row.map(|row| Some(row.into())).ok_or_else(|| Error::not_found("version of the policy"))
}
