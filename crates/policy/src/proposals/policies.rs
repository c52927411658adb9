//! Policies are made, changed, put back and deleted.

use provost_model::PolicyId;
use provost_model::event::{EventType, Target};
use provost_store::tables::policies::{self, PolicyRow};
use provost_store::tables::{policy_exceptions, policy_rules, rollouts};
use provost_store::{Change, Touched};
use provost_web::{Error, Result};
use serde_json::json;

use super::{Applied, By, Now, PolicyDraft};
use crate::api::policies::check;
use crate::api::rollouts::refuse_while_live;

pub(super) async fn create(change: &mut Change, draft: PolicyDraft, by: &By) -> Result<Applied> {
    let PolicyDraft { name, contents, defaults } = check(draft)?;
    let (ws, now) = (change.workspace_id(), change.at());
    let row = PolicyRow {
        id: PolicyId::new(now),
        name,
        version: 1,
        contents,
        defaults,
        created_by: by.author.clone(),
        created_at: now,
        note: by.note.clone(),
        restores: None,
        approved_by: by.approver(),
    };
    policies::insert(change, ws, &row).await?;
    change.touch(Touched::Policy(row.id));
    change.record(EventType::PolicyCreated, target(&row), by.details(json!({ "version": row.version })));
    Ok(Applied::changed(Now::Policy(row.into())))
}

pub(super) async fn update(change: &mut Change, id: PolicyId, draft: PolicyDraft, by: &By) -> Result<Applied> {
    let before = find(change, id).await?;
    refuse_during_rollout(change, id).await?;
    let draft = check(draft)?;
    if (&before.name, &before.contents, &before.defaults) == (&draft.name, &draft.contents, &draft.defaults) {
        return Ok(Applied::unchanged(Now::Policy(before.into())));
    }
    publish(change, before, draft, None, by).await
}

/// The next version says what an earlier one said. The policy keeps the name that it has.
pub(super) async fn roll_back(change: &mut Change, id: PolicyId, to_version: i64, by: &By) -> Result<Applied> {
    let before = find(change, id).await?;
    refuse_during_rollout(change, id).await?;
    let ws = change.workspace_id();
    let earlier = policies::get_version(change, ws, id, to_version).await?;
    let earlier = earlier.ok_or_else(|| {
        let message = format!("the policy has no version {to_version}: it is at version {}", before.version);
        Error::invalid("to_version", "unknown_version", message)
    })?;
    if (&before.contents, &before.defaults) == (&earlier.contents, &earlier.defaults) {
        let message = format!("version {to_version} says what the policy says now: there is nothing to put back");
        return Err(Error::conflict("nothing_to_roll_back", message).with_field("to_version"));
    }
    let draft = PolicyDraft { name: before.name.clone(), contents: earlier.contents, defaults: earlier.defaults };
    // What was fine when it was published may stop the clients of today.
    publish(change, before, check(draft)?, Some(to_version), by).await
}

async fn publish(
    change: &mut Change,
    before: PolicyRow,
    draft: PolicyDraft,
    restores: Option<i64>,
    by: &By,
) -> Result<Applied> {
    let (ws, now) = (change.workspace_id(), change.at());
    let changed: Vec<&str> = [
        ("name", before.name != draft.name),
        ("contents", before.contents != draft.contents),
        ("defaults", before.defaults != draft.defaults),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect();
    let after = PolicyRow {
        id: before.id,
        name: draft.name,
        version: policies::next_version(change, ws, before.id).await?,
        contents: draft.contents,
        defaults: draft.defaults,
        created_by: by.author.clone(),
        created_at: now,
        note: by.note.clone(),
        restores,
        approved_by: by.approver(),
    };
    policies::update(change, ws, &after).await?;
    change.touch(Touched::Policy(after.id));
    let mut details = json!({ "version": after.version, "changed": changed });
    if let Some(version) = restores {
        details["restores"] = json!(version);
    }
    change.record(EventType::PolicyUpdated, target(&after), by.details(details));
    Ok(Applied::changed(Now::Policy(after.into())))
}

pub(super) async fn delete(change: &mut Change, id: PolicyId, by: &By) -> Result<Applied> {
    let row = find(change, id).await?;
    refuse_during_rollout(change, id).await?;
    let ws = change.workspace_id();
    let now = change.at();
    if policy_exceptions::count_running(change, ws, id, now).await? > 0 {
        let message = "members have this policy by an exception: end those first, or wait until they are over";
        return Err(Error::conflict("policy_in_use", message));
    }
    let positions = policy_rules::positions_of(change, ws, id).await?;
    let is_fallback = policy_rules::fallback(change, ws).await? == Some(id);
    if is_fallback || !positions.is_empty() {
        let by_rules = (!positions.is_empty()).then(|| format!("the rules at positions {positions:?}"));
        let by_fallback = is_fallback.then(|| "the fallback".to_owned());
        let users: Vec<String> = by_rules.into_iter().chain(by_fallback).collect();
        let message = format!("the policy is used by {}: change that first", users.join(" and "));
        let details = json!({ "positions": positions, "is_fallback": is_fallback });
        return Err(Error::conflict("policy_in_use", message).with_details(details));
    }
    policies::delete(change, ws, id).await?;
    change.touch(Touched::Policy(id));
    change.record(EventType::PolicyDeleted, target(&row), by.details(json!({ "version": row.version })));
    Ok(Applied::changed(Now::Gone))
}

/// The versions of a rollout stand still while it is under way.
async fn refuse_during_rollout(change: &mut Change, id: PolicyId) -> Result<()> {
    let ws = change.workspace_id();
    match rollouts::live_of(change, ws, id).await? {
        Some(live) => Err(refuse_while_live(&live)),
        None => Ok(()),
    }
}

async fn find(change: &mut Change, id: PolicyId) -> Result<PolicyRow> {
    let ws = change.workspace_id();
    policies::get(change, ws, id).await?.ok_or_else(|| Error::not_found("policy"))
}

fn target(row: &PolicyRow) -> Target {
    Target::new("policy", row.id, row.name.as_str())
}
