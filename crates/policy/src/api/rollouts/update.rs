//! `PATCH /api/v1/rollouts/{id}`: to more, fewer or other members.

use axum::extract::State;
use http::HeaderMap;
use provost_model::event::EventType;
use provost_model::{ClientVersion, GroupId, Percent, RolloutId};
use provost_store::Touched;
use provost_store::tables::rollouts::{self, RolloutRow};
use provost_web::{App, ErrorBody, Etag, Json, PathId, Permit, Result, nullable, permits, present};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::body::{RolloutBody, RolloutGuardFields, check_groups, check_versions};
use super::{check_approval, find_live};
use crate::rollouts::target;

/// What to change of a rollout: only what it names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolloutPatch {
    /// Takes the place of the stages, if there are some.
    #[serde(default, deserialize_with = "present")]
    percent: Option<Percent>,
    /// Empty is everybody.
    #[serde(default, deserialize_with = "present")]
    group_ids: Option<Vec<GroupId>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    min_client_version: Option<Option<ClientVersion>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    max_client_version: Option<Option<ClientVersion>>,
    #[serde(default, deserialize_with = "present")]
    guard: Option<RolloutGuardFields>,
}

/// Change whom a rollout reaches, or when it halts by itself. Takes effect at once.
#[utoipa::path(patch, path = "/api/v1/rollouts/{id}", tag = "Policies", params(("id" = RolloutId, Path)),
    request_body = RolloutPatch,
    responses((status = 200, body = RolloutBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 412, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    PathId(id): PathId<RolloutId>,
    headers: HeaderMap,
    Json(patch): Json<RolloutPatch>,
) -> Result<Etag<RolloutBody>> {
    let mut change = permit.change(&app).await?;
    let before = find_live(&mut change, id).await?;
    Etag(RolloutBody::new(before.clone(), &permit.workspace)).check(&headers)?;
    let mut after = before.clone();
    if let Some(percent) = patch.percent {
        after.percent = percent;
        after.stages.clear();
    }
    if let Some(ids) = &patch.group_ids {
        after.group_ids = check_groups(&mut change, &permit.workspace, ids).await?;
    }
    after.min_client_version = patch.min_client_version.unwrap_or(before.min_client_version);
    after.max_client_version = patch.max_client_version.unwrap_or(before.max_client_version);
    check_versions(after.min_client_version, after.max_client_version)?;
    if let Some(guard) = patch.guard {
        after.guard = guard.apply(before.guard)?;
    }
    if after == before {
        return Ok(Etag(RolloutBody::new(after, &permit.workspace)));
    }
    if widens(&before, &after) {
        check_approval(&mut change).await?;
    }
    let ws = change.workspace_id();
    after.updated_at = change.at();
    rollouts::update(&mut change, ws, &after).await?;
    change.touch(Touched::Policy(after.policy_id));
    let target = target(&mut change, &after).await?;
    change.record(EventType::RolloutUpdated, target, json!({ "changed": differences(&before, &after) }));
    change.commit().await?;
    Ok(Etag(RolloutBody::new(after, &permit.workspace)))
}

/// Whether somebody is reached who was not, or it halts less readily.
fn widens(before: &RolloutRow, after: &RolloutRow) -> bool {
    let everybody = after.group_ids.is_empty() && !before.group_ids.is_empty();
    let other_groups =
        !before.group_ids.is_empty() && after.group_ids.iter().any(|group| !before.group_ids.contains(group));
    let older = before.min_client_version.is_some_and(|min| after.min_client_version.is_none_or(|now| now < min));
    let newer = before.max_client_version.is_some_and(|max| after.max_client_version.is_none_or(|now| now > max));
    let more = after.percent > before.percent;
    more || everybody || other_groups || older || newer || after.guard != before.guard
}

/// What differs, before and after.
fn differences(before: &RolloutRow, after: &RolloutRow) -> Map<String, Value> {
    let fields = |row: &RolloutRow| {
        [
            ("percent", json!(row.percent)),
            ("group_ids", json!(row.group_ids)),
            ("min_client_version", json!(row.min_client_version)),
            ("max_client_version", json!(row.max_client_version)),
            ("guard", json!(row.guard)),
            ("stages", json!(row.stages)),
        ]
    };
    let both = fields(before).into_iter().zip(fields(after)).filter(|((_, before), (_, after))| before != after);
    both.map(|((name, before), (_, after))| (name.to_owned(), json!({ "before": before, "after": after }))).collect()
}
