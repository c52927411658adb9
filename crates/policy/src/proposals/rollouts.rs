//! Rollouts are started, made to reach others, and finished.

use provost_model::event::EventType;
use provost_model::policy_diff::{ChangeKind, Effect, PolicyChange, PolicyDiff};
use provost_model::{Percent, PolicyId, RolloutGuard, RolloutId, RolloutStatus, WorkspaceId};
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

/// What a change of a rollout is written against: whom it reaches and whether it goes on. To finish it is the same
/// wherever its stages have got to, and another thing once somebody has paused it.
pub(super) async fn base(tx: &mut Tx, ws: WorkspaceId, id: RolloutId, is_finish: bool) -> Result<String> {
    let Some(row) = rollouts::get(tx, ws, id).await? else { return Ok("gone".to_owned()) };
    if is_finish || !row.status.is_live() {
        return Ok(row.status.as_str().to_owned());
    }
    let (_, tag) = Etag((row.status, json!(fields(&row)), row.stage)).header();
    Ok(tag.to_str().unwrap_or_default().to_owned())
}

pub(super) async fn start(change: &mut Change, id: PolicyId, draft: RolloutFields, by: &By) -> Result<Applied> {
    let (ws, now) = (change.workspace_id(), change.at());
    let baseline = policies::get(change, ws, id).await?.ok_or_else(|| Error::not_found("policy"))?;
    if let Some(live) = rollouts::live_of(change, ws, id).await? {
        return Err(refuse_while_live(&live));
    }
    refuse_errors(&draft.contents, draft.defaults.as_deref())?;
    if (&baseline.contents, &baseline.defaults) == (&draft.contents, &draft.defaults) {
        let message = "this is the published version already: there is nothing to roll out";
        return Err(Error::invalid("contents", "unchanged", message));
    }
    check_versions(draft.min_client_version, draft.max_client_version)?;
    check_stages(&draft.stages)?;
    let percent = first_percent(&draft)?;
    let note = optional_text("note", &draft.note, 500)?;
    let candidate = PolicyRow {
        version: policies::next_version(change, ws, id).await?,
        contents: draft.contents,
        defaults: draft.defaults,
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
        group_ids: check_groups(change, ws, &draft.group_ids).await?,
        min_client_version: draft.min_client_version,
        max_client_version: draft.max_client_version,
        guard: draft.guard.apply(RolloutGuard::default())?,
        stages: draft.stages,
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
    let body = RolloutBody::with_every_group(row.clone());
    change.record(EventType::RolloutStarted, target, by.details(json!({ "rollout": body })));
    Ok(Applied::changed(Now::Rollout(row.into())))
}

/// To how many it goes at first.
fn first_percent(draft: &RolloutFields) -> Result<Percent> {
    match (draft.percent, draft.stages.first()) {
        (Some(_), Some(_)) => {
            let message = "the stages say to how many it goes: leave `percent` out, or the stages";
            Err(Error::invalid("percent", "conflicts_with_stages", message))
        }
        (Some(percent), None) => Ok(percent),
        (None, Some(stage)) => Ok(stage.percent),
        (None, None) if !draft.group_ids.is_empty() => Ok(Percent::ALL),
        (None, None) => {
            let message = "say to whom: `percent` of the members, those of `group_ids`, or `stages`";
            Err(Error::invalid("percent", "missing", message))
        }
    }
}

pub(super) async fn update(change: &mut Change, id: RolloutId, patch: RolloutPatch, by: &By) -> Result<Applied> {
    let ws = change.workspace_id();
    let before = find_live(change, id).await?;
    let mut after = patch.apply(&before)?;
    if let Some(ids) = &patch.group_ids {
        after.group_ids = check_groups(change, ws, ids).await?;
    }
    if after == before {
        return Ok(Applied::unchanged(Now::Rollout(after.into())));
    }
    after.updated_at = change.at();
    rollouts::update(change, ws, &after).await?;
    change.touch(Touched::Policy(after.policy_id));
    let target = target(change, &after).await?;
    let changed: Map<String, Value> = differences(&before, &after)
        .map(|(name, before, after)| (name.to_owned(), json!({ "before": before, "after": after })))
        .collect();
    change.record(EventType::RolloutUpdated, target, by.details(json!({ "changed": changed })));
    let is_free = !widens(&before, &after);
    Ok(Applied { is_free, ..Applied::changed(Now::Rollout(after.into())) })
}

pub(super) async fn finish(change: &mut Change, id: RolloutId, by: &By) -> Result<Applied> {
    let row = find_live(change, id).await?;
    let row = end(change, row, RolloutStatus::Finished, Some(by)).await?;
    Ok(Applied::changed(Now::Rollout(row.into())))
}

/// What a change of a rollout would make different. Whether that is tighter depends on who is where: the effect is
/// never judged here.
pub(super) fn compare(before: &RolloutRow, after: &RolloutRow) -> PolicyDiff {
    let changes = differences(before, after).map(|(name, before, after)| PolicyChange {
        key: format!("rollout.{name}"),
        change: ChangeKind::Changed,
        effect: Effect::Unknown,
        summary: format!("{after}, was {before}"),
        before,
        after,
    });
    PolicyDiff { changes: changes.collect(), left_off: 0, text: String::new() }
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

fn fields(row: &RolloutRow) -> [(&'static str, Value); 6] {
    [
        ("percent", json!(row.percent)),
        ("group_ids", json!(row.group_ids)),
        ("min_client_version", json!(row.min_client_version)),
        ("max_client_version", json!(row.max_client_version)),
        ("guard", json!(row.guard)),
        ("stages", json!(row.stages)),
    ]
}

/// What differs, before and after.
fn differences(before: &RolloutRow, after: &RolloutRow) -> impl Iterator<Item = (&'static str, Value, Value)> {
    let both = fields(before).into_iter().zip(fields(after));
    both.filter(|((_, before), (_, after))| before != after).map(|((name, before), (_, after))| (name, before, after))
}
