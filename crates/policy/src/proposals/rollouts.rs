//! Rollouts are started, changed and finished.

use provost_model::event::EventType;
use provost_model::{Percent, PolicyId, RolloutGuard, RolloutId, RolloutStatus};
use provost_store::tables::policies::{self, PolicyRow};
use provost_store::tables::rollouts::{self, RolloutRow};
use provost_store::{Change, Touched, Tx};
use provost_web::{Error, Etag, Result, optional_text};
use serde_json::{Map, Value, json};

use super::{Applied, By, Now};
use crate::api::policies::refuse_errors;
use crate::api::policy_rollouts::RolloutFields;
use crate::api::rollouts::body::{RolloutBody, check_groups, check_stages, check_versions};
use crate::api::rollouts::update::RolloutPatch;
use crate::api::rollouts::{find_live, refuse_while_live};
use crate::rollouts::{end, target};

pub(super) async fn start(change: &mut Change, id: PolicyId, fields: RolloutFields, by: &By) -> Result<Applied> {
    let (ws, now) = (change.workspace_id(), change.at());
    let baseline = policies::get(change, ws, id).await?.ok_or_else(|| Error::not_found("policy"))?;
    if let Some(live) = rollouts::live_of(change, ws, id).await? {
        return Err(refuse_while_live(&live));
    }
    refuse_errors(&fields.contents, fields.defaults.as_deref())?;
    if (&baseline.contents, &baseline.defaults) == (&fields.contents, &fields.defaults) {
        let message = "this is the published version already: there is nothing to roll out";
        return Err(Error::invalid("contents", "unchanged", message));
    }
    check_versions(fields.min_client_version, fields.max_client_version)?;
    check_stages(&fields.stages)?;
    let percent = first_percent(&fields)?;
    let note = optional_text("note", &fields.note, 500)?;
    let candidate = PolicyRow {
        version: policies::next_version(change, ws, id).await?,
        contents: fields.contents,
        defaults: fields.defaults,
        created_by: by.author.clone(),
        created_at: now,
        note: note.clone(),
        restores: None,
        approved_by: by.approver(),
        ..baseline.clone()
    };
    let row = RolloutRow {
        id: RolloutId::new(now),
        policy_id: id,
        baseline_version: baseline.version,
        candidate_version: candidate.version,
        status: RolloutStatus::Running,
        percent,
        group_ids: check_groups(change, ws, &fields.group_ids).await?,
        min_client_version: fields.min_client_version,
        max_client_version: fields.max_client_version,
        guard: fields.guard.apply(RolloutGuard::default())?,
        stages: fields.stages,
        stage: 0,
        stage_since: now,
        note,
        figures: None,
        created_by: by.author.clone(),
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    policies::insert_candidate(change, ws, &candidate).await?;
    rollouts::insert(change, ws, &row).await?;
    change.touch(Touched::Policy(id));
    let target = target(change, &row).await?;
    let details = json!({ "rollout": RolloutBody::of_groups_that_are_there(row.clone()) });
    change.record(EventType::RolloutStarted, target, by.details(details));
    Ok(Applied::changed(Now::Rollout(row.into())))
}

/// To how many it goes at first.
fn first_percent(fields: &RolloutFields) -> Result<Percent> {
    match (fields.percent, fields.stages.first()) {
        (Some(_), Some(_)) => {
            let message = "the stages say to how many it goes: leave `percent` out, or the stages";
            Err(Error::invalid("percent", "conflicts_with_stages", message))
        }
        (Some(percent), None) => Ok(percent),
        (None, Some(stage)) => Ok(stage.percent),
        (None, None) if !fields.group_ids.is_empty() => Ok(Percent::ALL),
        (None, None) => {
            let message = "say to whom: `percent` of the members, those of `group_ids`, or `stages`";
            Err(Error::invalid("percent", "missing", message))
        }
    }
}

pub(crate) async fn update(change: &mut Change, id: RolloutId, patch: RolloutPatch, by: &By) -> Result<Applied> {
    let before = find_live(change, id).await?;
    let mut after = patched(change, &before, &patch).await?;
    if after == before {
        return Ok(Applied::unchanged(Now::Rollout(after.into())));
    }
    let ws = change.workspace_id();
    after.updated_at = change.at();
    rollouts::update(change, ws, &after).await?;
    change.touch(Touched::Policy(after.policy_id));
    let target = target(change, &after).await?;
    let details = by.details(json!({ "changed": differences(&before, &after) }));
    change.record(EventType::RolloutUpdated, target, details);
    Ok(Applied::changed(Now::Rollout(after.into())))
}

/// A rollout with what a patch names.
pub(crate) async fn patched(change: &mut Change, before: &RolloutRow, patch: &RolloutPatch) -> Result<RolloutRow> {
    let ws = change.workspace_id();
    let mut after = before.clone();
    if let Some(percent) = patch.percent {
        after.percent = percent;
        after.stages.clear();
    }
    if let Some(ids) = &patch.group_ids {
        after.group_ids = check_groups(change, ws, ids).await?;
    }
    after.min_client_version = patch.min_client_version.unwrap_or(before.min_client_version);
    after.max_client_version = patch.max_client_version.unwrap_or(before.max_client_version);
    check_versions(after.min_client_version, after.max_client_version)?;
    if let Some(guard) = &patch.guard {
        after.guard = guard.apply(before.guard)?;
    }
    Ok(after)
}

/// Whether somebody is reached who was not, or it halts less readily.
pub(crate) fn widens(before: &RolloutRow, after: &RolloutRow) -> bool {
    let everybody = after.group_ids.is_empty() && !before.group_ids.is_empty();
    let other_groups =
        !before.group_ids.is_empty() && after.group_ids.iter().any(|group| !before.group_ids.contains(group));
    let older = before.min_client_version.is_some_and(|min| after.min_client_version.is_none_or(|now| now < min));
    let newer = before.max_client_version.is_some_and(|max| after.max_client_version.is_none_or(|now| now > max));
    let more = after.percent > before.percent;
    more || everybody || other_groups || older || newer || after.guard != before.guard
}

pub(super) async fn finish(change: &mut Change, id: RolloutId, by: &By) -> Result<Applied> {
    let row = find_live(change, id).await?;
    let row = end(change, row, RolloutStatus::Finished, by).await?;
    Ok(Applied::changed(Now::Rollout(row.into())))
}

/// What a proposal about a rollout is written against: that it is under way, and, where it `changes` whom the
/// rollout reaches, whom that is. A stage that it took by itself since was agreed to when it began.
pub(super) async fn base(tx: &mut Tx, ws: provost_model::WorkspaceId, id: RolloutId, changes: bool) -> Result<String> {
    let Some(row) = rollouts::get(tx, ws, id).await? else { return Ok("gone".to_owned()) };
    if !row.status.is_live() {
        return Ok(row.status.as_str().to_owned());
    }
    if !changes {
        return Ok(row.candidate_version.to_string());
    }
    let percent = row.stages.is_empty().then_some(row.percent);
    let versions = (row.min_client_version, row.max_client_version);
    let (_, tag) = Etag((percent, row.group_ids, versions, row.guard, row.stages)).header();
    Ok(tag.to_str().unwrap_or_default().to_owned())
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
