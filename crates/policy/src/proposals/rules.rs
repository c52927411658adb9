//! The policy rules are replaced, and compared.

use provost_model::PolicyRule;
use provost_model::event::{EventType, Target};
use provost_model::policy_diff::{ChangeKind, Effect, PolicyChange, PolicyDiff};
use provost_store::tables::{policy_rules, workspaces};
use provost_store::{Change, Touched};
use provost_web::Result;
use serde_json::{Value, json};

use super::{Applied, By, Now};
use crate::api::policy_rules::{PolicyRulesBody, check, read};

pub(super) async fn update(change: &mut Change, mut body: PolicyRulesBody, by: &By) -> Result<Applied> {
    let ws = change.workspace_id();
    let before = read(change, ws).await?;
    check(change, &body).await?;
    for rule in &mut body.rules {
        // Every group was found.
        rule.dangling = false;
    }
    if body == before {
        return Ok(Applied::unchanged(Now::Rules(body)));
    }
    let rules: Vec<PolicyRule> =
        body.rules.iter().map(|rule| PolicyRule { group_id: rule.group_id, policy_id: rule.policy_id }).collect();
    policy_rules::replace(change, ws, &rules).await?;
    workspaces::set_fallback(change, ws, body.fallback_policy_id).await?;
    change.touch(Touched::Workspace);
    let target = Target::new("workspace", ws, workspaces::settings(change, ws).await?.name.as_str());
    let details = by.details(json!({ "before": before, "after": body }));
    change.record(EventType::PolicyRulesUpdated, target, details);
    Ok(Applied::changed(Now::Rules(body)))
}

/// What differs between two sets of rules, group by group. Whether that is tighter depends on who is in
/// which group: the effect is never judged here.
pub(crate) fn compare(before: &PolicyRulesBody, after: &PolicyRulesBody) -> PolicyDiff {
    let place = |body: &PolicyRulesBody, group| {
        let position = body.rules.iter().position(|rule| rule.group_id == group)?;
        Some((position, body.rules[position].policy_id))
    };
    let mut changes = Vec::new();
    let mut note = |key: String, old: Value, new: Value, summary: String| {
        let change = match (old.is_null(), new.is_null()) {
            (true, _) => ChangeKind::Added,
            (_, true) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        };
        changes.push(PolicyChange { key, change, effect: Effect::Unknown, before: old, after: new, summary });
    };
    let shown = |place: Option<(usize, _)>| {
        place.map_or(Value::Null, |(position, policy)| json!({ "position": position, "policy_id": policy }))
    };
    let mut groups: Vec<_> = before.rules.iter().chain(&after.rules).map(|rule| rule.group_id).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let (old, new) = (place(before, group), place(after, group));
        let summary = match (old, new) {
            (old, new) if old == new => continue,
            (None, Some((position, policy))) => format!("{group} gets {policy}, at position {position}"),
            (Some((_, policy)), None) => format!("{group} has no rule any more, had {policy}"),
            (Some((from, old)), Some((to, new))) if old == new => format!("moves from position {from} to {to}"),
            (Some((_, old)), Some((position, new))) => format!("{group} gets {new}, at position {position}; had {old}"),
            (None, None) => continue,
        };
        note(format!("rules.{group}"), shown(old), shown(new), summary);
    }
    let (old, new) = (json!(before.fallback_policy_id), json!(after.fallback_policy_id));
    if old != new {
        let summary = "for members whom no rule matches".to_owned();
        note("fallback_policy_id".to_owned(), old, new, summary);
    }
    PolicyDiff { changes, left_off: 0, text: String::new() }
}
