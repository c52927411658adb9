//! `/api/v1/policies/{id}/versions`.

use axum::extract::State;
use provost_model::PolicyId;
use provost_store::tables::policies;
use provost_web::{App, Error, ErrorBody, List, ListQuery, PathId, PathIds, Permit, Query, Result, permits};

use super::policies::PolicyBody;

/// The versions of a policy, newest first.
#[utoipa::path(get, path = "/api/v1/policies/{id}/versions", tag = "Policies",
    params(("id" = PolicyId, Path), ListQuery),
    responses((status = 200, body = List<PolicyBody>), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    Query(query): Query<ListQuery>,
) -> Result<List<PolicyBody>> {
    let invalid = || Error::invalid("cursor", "invalid_cursor", "start again without `cursor`");
    let before = query.after()?.map(|text| text.parse().map_err(|_| invalid())).transpose()?;
    let (mut tx, ws) = (app.store.read().await?, permit.workspace.id);
    if policies::get(&mut tx, ws, id).await?.is_none() {
        return Err(Error::not_found("policy"));
    }
    let rows = policies::list_versions(&mut tx, ws, id, before, query.limit()? + 1).await?;
    let rows = rows.into_iter().map(|row| PolicyBody::of(row, &permit.workspace));
    List::new(rows.collect(), &query, PolicyBody::version_key)
}

/// One version of a policy.
#[utoipa::path(get, path = "/api/v1/policies/{id}/versions/{version}", tag = "Policies",
    params(("id" = PolicyId, Path), ("version" = i64, Path)),
    responses((status = 200, body = PolicyBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathIds(id, version): PathIds<PolicyId, i64>,
) -> Result<PolicyBody> {
    let row = policies::get_version(&mut app.store.read().await?, permit.workspace.id, id, version).await?;
    row.map(|row| PolicyBody::of(row, &permit.workspace)).ok_or_else(|| Error::not_found("version of the policy"))
}
