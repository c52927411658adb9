//! `/api/v1/policies/{id}/rollouts`: the rollouts of a policy.

use axum::extract::State;
use provost_model::event::EventType;
use provost_model::{ClientVersion, GroupId, Percent, PolicyId, RolloutGuard, RolloutId, RolloutStage, RolloutStatus};
use provost_store::Touched;
use provost_store::tables::policies::{self, PolicyRow};
use provost_store::tables::rollouts::{self, RolloutFilter, RolloutRow};
use provost_web::{
    App, Created, Error, ErrorBody, Json, List, ListQuery, PathId, Permit, Query, Result, optional_text, permits,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::policies::refuse_errors;
use super::rollouts::body::{RolloutBody, RolloutGuardFields, check_groups, check_stages, check_versions};
use super::rollouts::{check_approval, refuse_while_live};
use crate::rollouts::target;

/// A version to roll out, and to whom: at least a percentage, groups, or stages.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutFields {
    /// `requirements.toml`.
    contents: String,
    /// `config.toml`.
    defaults: Option<String>,
    /// Why.
    #[serde(default)]
    note: String,
    /// Of the members who get the policy, with two decimals at most. Absent: all of those in the groups.
    percent: Option<Percent>,
    /// Members of these groups only.
    #[serde(default)]
    group_ids: Vec<GroupId>,
    /// Clients from this version on.
    #[schema(value_type = Option<String>)]
    min_client_version: Option<ClientVersion>,
    /// Clients up to this version.
    #[schema(value_type = Option<String>)]
    max_client_version: Option<ClientVersion>,
    /// When it halts by itself.
    #[serde(default)]
    guard: RolloutGuardFields,
    /// Steps that it takes by itself, instead of `percent`: after the last one, if that reaches everybody, it
    /// finishes.
    #[serde(default)]
    stages: Vec<RolloutStage>,
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
    responses((status = 201, body = RolloutBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<PolicyId>,
    Json(body): Json<RolloutFields>,
) -> Result<Created<RolloutBody>> {
    let mut change = permit.change(&app).await?;
    let (ws, now) = (change.workspace_id(), change.at());
    let baseline = policies::get(&mut change, ws, id).await?.ok_or_else(|| Error::not_found("policy"))?;
    if let Some(live) = rollouts::live_of(&mut change, ws, id).await? {
        return Err(refuse_while_live(&live));
    }
    check_approval(&mut change).await?;
    refuse_errors(&body.contents, body.defaults.as_deref())?;
    if (&baseline.contents, &baseline.defaults) == (&body.contents, &body.defaults) {
        let message = "this is the published version already: there is nothing to roll out";
        return Err(Error::invalid("contents", "unchanged", message));
    }
    check_versions(body.min_client_version, body.max_client_version)?;
    check_stages(&body.stages)?;
    let percent = first_percent(&body)?;
    let note = optional_text("note", &body.note, 500)?;
    let candidate = PolicyRow {
        version: policies::next_version(&mut change, ws, id).await?,
        contents: body.contents,
        defaults: body.defaults,
        created_by: permit.id(),
        created_at: now,
        note: note.clone(),
        restores: None,
        approved_by: None,
        ..baseline.clone()
    };
    let row = RolloutRow {
        id: RolloutId::new(now),
        policy_id: id,
        baseline_version: baseline.version,
        candidate_version: candidate.version,
        status: RolloutStatus::Running,
        percent,
        group_ids: check_groups(&mut change, &permit.workspace, &body.group_ids).await?,
        min_client_version: body.min_client_version,
        max_client_version: body.max_client_version,
        guard: body.guard.apply(RolloutGuard::default())?,
        stages: body.stages,
        stage: 0,
        stage_since: now,
        note,
        figures: None,
        created_by: permit.id(),
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    policies::insert_candidate(&mut change, ws, &candidate).await?;
    rollouts::insert(&mut change, ws, &row).await?;
    change.touch(Touched::Policy(id));
    let target = target(&mut change, &row).await?;
    let body = RolloutBody::new(row, &permit.workspace);
    change.record(EventType::RolloutStarted, target, json!({ "rollout": body }));
    change.commit().await?;
    Ok(Created(body))
}

/// To how many it goes at first.
fn first_percent(body: &RolloutFields) -> Result<Percent> {
    match (body.percent, body.stages.first()) {
        (Some(_), Some(_)) => {
            let message = "the stages say to how many it goes: leave `percent` out, or the stages";
            Err(Error::invalid("percent", "conflicts_with_stages", message))
        }
        (Some(percent), None) => Ok(percent),
        (None, Some(stage)) => Ok(stage.percent),
        (None, None) if !body.group_ids.is_empty() => Ok(Percent::ALL),
        (None, None) => {
            let message = "say to whom: `percent` of the members, those of `group_ids`, or `stages`";
            Err(Error::invalid("percent", "missing", message))
        }
    }
}
