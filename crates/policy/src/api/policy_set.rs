//! `/api/v1/policy-set`: every policy and every rule at once, by name, as a folder in git holds them.
//!
//! Planned first, applied whole or not at all.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::State;
use provost_model::{ClientVersion, GroupId, PolicyId, PolicyRule, Workspace, WorkspaceId, name_key};
use provost_store::tables::policies::{self, PolicyRow};
use provost_store::tables::{Page, groups, policy_rules};
use provost_store::{Change, Tx};
use provost_web::{App, Error, ErrorBody, Json, Permit, Result, permits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policies::check;
use super::policy_proposals::ProposalBody;
use super::policy_rules::{MAX_RULES, PolicyRulesBody};
use crate::client_versions::InUse;
use crate::proposals::{Applied, By, Now, PolicyDraft, ProposedChange, Written, in_use, submit};

/// More are no set that a person can follow.
const MAX_POLICIES: usize = 500;

/// The policies and rules of a workspace, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySet {
    /// The policies.
    policies: Vec<SetPolicy>,
    /// Who gets which; left out, that stays as it is.
    #[serde(default)]
    rules: Option<SetRules>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPolicy {
    name: String,
    /// `requirements.toml`.
    contents: String,
    /// `config.toml`.
    #[serde(default)]
    defaults: Option<String>,
}

/// Who gets which policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetRules {
    /// In order: the first rule whose group contains the member decides.
    #[serde(default)]
    rules: Vec<SetRule>,
    /// The name of the policy for whom no rule matches; null for none.
    #[serde(default)]
    fallback: Option<String>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetRule {
    /// The group's name or id.
    group: String,
    /// The policy's name.
    policy: String,
}

/// What is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySetRequest {
    policies: Vec<SetPolicy>,
    #[serde(default)]
    rules: Option<SetRules>,
    /// Delete the policies that the set does not name.
    #[serde(default)]
    prune: bool,
    /// Plan only: nothing is written.
    #[serde(default)]
    dry_run: bool,
    /// `plan_id` of a dry run: written only if there is still the same to do.
    plan_id: Option<String>,
    /// Client versions that these policies may keep from loading them although they are in use.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    allow_client_versions: Vec<ClientVersion>,
    /// Why: at most 1,000 characters, kept with each version.
    note: Option<String>,
}

/// What is wanted, checked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct WantedSet {
    policies: Vec<SetPolicy>,
    rules: Option<SetRules>,
    prune: bool,
    /// Client versions in use that it may stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub(crate) allow_client_versions: Vec<ClientVersion>,
    /// The plan that whoever asks has seen. A proposal has a base instead.
    #[serde(skip)]
    plan_id: Option<String>,
}

/// What there is to do, or was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicySetPlan {
    /// Names this plan: what is to be done, and what it is based on.
    plan_id: String,
    /// Whether it was done.
    applied: bool,
    /// What differs, in the order in which it is done; empty: nothing does.
    steps: Vec<Step>,
    /// Policies that are there and that the set does not name: left alone without `prune`.
    unmanaged: Vec<String>,
}

/// One difference.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Step {
    /// A policy that is not there yet.
    CreatePolicy { name: String, contents: String, defaults: Option<String> },
    /// A policy whose text (or the case of its name) differs.
    UpdatePolicy { name: String, id: PolicyId, version: i64, before: SetPolicy, after: SetPolicy },
    /// A policy that the set does not name.
    DeletePolicy { name: String, id: PolicyId, version: i64, before: SetPolicy },
    /// The rules or the fallback differ.
    UpdateRules { before: SetRules, after: SetRules },
}

/// The policies and rules as they are: what `provost policy export` writes into a folder.
#[utoipa::path(get, path = "/api/v1/policy-set", tag = "Policies",
    responses((status = 200, body = PolicySet), (status = 403, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
) -> Result<axum::Json<PolicySet>> {
    let mut tx = app.store.read().await?;
    let ws = permit.workspace.id;
    let present = all(&mut tx, ws).await?;
    let rules = rules_by_name(&mut tx, ws, &present).await?;
    Ok(axum::Json(PolicySet { policies: present.iter().map(SetPolicy::from).collect(), rules: Some(rules) }))
}

/// Bring the policies and rules to what is sent: all of it, in one change, or nothing.
#[utoipa::path(put, path = "/api/v1/policy-set", tag = "Policies", request_body = PolicySetRequest,
    responses((status = 200, body = PolicySetPlan), (status = 202, body = ProposalBody),
        (status = 403, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn update(
    permit: Permit<permits::CodexAdminister>,
    State(app): State<App>,
    Json(body): Json<PolicySetRequest>,
) -> Result<Written> {
    let PolicySetRequest { policies, rules, prune, dry_run, plan_id, allow_client_versions, note } = body;
    let wanted = WantedSet { policies: checked(policies)?, rules, prune, allow_client_versions, plan_id };
    let proposed = ProposedChange::ApplyPolicySet { policy_set: wanted.clone() };
    let in_use = in_use::ask(&app, &permit.workspace, &proposed).await?;
    in_use.iter().try_for_each(InUse::check)?;
    if dry_run {
        let (plan, _) = wanted.plan(&mut app.store.read().await?, permit.workspace.id).await?;
        return Ok(Written::Set(plan));
    }
    let change = permit.change(&app).await?;
    submit(&app, &permit, change, proposed, note, in_use).await
}

impl WantedSet {
    /// The texts that no policy has yet, by their place in the set: what is published already stops nobody anew.
    pub(crate) fn new_texts(&self, workspace: &Workspace) -> impl Iterator<Item = (usize, &str)> {
        let published: HashSet<_> = workspace.policies.values().map(|policy| policy.contents.clone()).collect();
        let texts = self.policies.iter().map(|policy| policy.contents.as_str()).enumerate();
        texts.filter(move |(_, contents)| !published.contains(*contents))
    }

    /// What there is to do, and what is there.
    async fn plan(&self, tx: &mut Tx, ws: WorkspaceId) -> Result<(PolicySetPlan, Vec<PolicyRow>)> {
        let present = all(tx, ws).await?;
        let rules = rules_by_name(tx, ws, &present).await?;
        let plan = plan(&present, &self.policies, &rules, self.rules.as_ref(), self.prune);
        if let Some(after) = plan.steps.iter().find_map(Step::rules) {
            check_rules(tx, ws, &plan, &present, after).await?;
        }
        check_deletions(&plan, self.rules.as_ref().unwrap_or(&rules))?;
        Ok((plan, present))
    }

    /// Names what there is to do now: a proposal is stale when that is something else.
    pub(crate) async fn plan_id(&self, tx: &mut Tx, ws: WorkspaceId) -> Result<String> {
        Ok(self.plan(tx, ws).await?.0.plan_id)
    }

    /// Does it.
    pub(crate) async fn apply(self, change: &mut Change, by: &By) -> Result<Applied> {
        let ws = change.workspace_id();
        let (plan, present) = self.plan(change, ws).await?;
        if self.plan_id.is_some_and(|id| id != plan.plan_id) {
            let message = "what there is to do has changed since it was planned; nothing was written: plan it again";
            return Err(Error::conflict("plan_stale", message));
        }
        let is_changed = !plan.steps.is_empty();
        do_steps(change, by, &plan, present).await?;
        let plan = Now::Set(PolicySetPlan { applied: true, ..plan });
        Ok(if is_changed { Applied::changed(plan) } else { Applied::unchanged(plan) })
    }
}

impl From<&PolicyRow> for SetPolicy {
    fn from(row: &PolicyRow) -> Self {
        Self { name: row.name.clone(), contents: row.contents.clone(), defaults: row.defaults.clone() }
    }
}

impl Step {
    fn rules(&self) -> Option<&SetRules> {
        match self {
            Self::UpdateRules { after, .. } => Some(after),
            _ => None,
        }
    }
}

async fn all(tx: &mut Tx, ws: WorkspaceId) -> Result<Vec<PolicyRow>> {
    Ok(policies::list(tx, ws, &Page { after: None, limit: u32::MAX }).await?)
}

/// Refuses what would stop a client, and two policies of one name.
fn checked(policies: Vec<SetPolicy>) -> Result<Vec<SetPolicy>> {
    if policies.len() > MAX_POLICIES {
        return Err(Error::invalid("policies", "too_many", format!("a set holds at most {MAX_POLICIES} policies")));
    }
    let mut names = HashSet::new();
    let check = |(index, SetPolicy { name, contents, defaults }): (usize, SetPolicy)| {
        let draft = check(PolicyDraft { name, contents, defaults }).map_err(|error| {
            let field = error.field().unwrap_or("contents");
            let field = format!("policies[{index}].{field}");
            error.with_field(field)
        })?;
        let PolicyDraft { name, contents, defaults } = draft;
        if !names.insert(name_key(&name)) {
            let message = format!("two policies of the set have the name {name}");
            return Err(Error::invalid(format!("policies[{index}].name"), "duplicate_name", message));
        }
        Ok(SetPolicy { name, contents, defaults })
    };
    policies.into_iter().enumerate().map(check).collect()
}

/// What differs.
fn plan(
    present: &[PolicyRow],
    wanted: &[SetPolicy],
    rules: &SetRules,
    wanted_rules: Option<&SetRules>,
    prune: bool,
) -> PolicySetPlan {
    let by_key: HashMap<String, &PolicyRow> = present.iter().map(|row| (name_key(&row.name), row)).collect();
    let mut steps = Vec::new();
    for policy in wanted {
        match by_key.get(&name_key(&policy.name)) {
            None => steps.push(Step::CreatePolicy {
                name: policy.name.clone(),
                contents: policy.contents.clone(),
                defaults: policy.defaults.clone(),
            }),
            Some(row) if SetPolicy::from(*row) != *policy => steps.push(Step::UpdatePolicy {
                name: policy.name.clone(),
                id: row.id,
                version: row.version,
                before: SetPolicy::from(*row),
                after: policy.clone(),
            }),
            Some(_) => {}
        }
    }
    if let Some(wanted) = wanted_rules
        && !same_rules(rules, wanted)
    {
        steps.push(Step::UpdateRules { before: rules.clone(), after: wanted.clone() });
    }
    let named: HashSet<String> = wanted.iter().map(|policy| name_key(&policy.name)).collect();
    let others = present.iter().filter(|row| !named.contains(&name_key(&row.name)));
    let mut unmanaged = Vec::new();
    for row in others {
        if prune {
            let (name, before) = (row.name.clone(), SetPolicy::from(row));
            steps.push(Step::DeletePolicy { name, id: row.id, version: row.version, before });
        } else {
            unmanaged.push(row.name.clone());
        }
    }
    let text = serde_json::to_vec(&steps).expect("a plan turns into JSON");
    let plan_id = provost_model::hex(&digest(&SHA256, &text).as_ref()[..12]);
    PolicySetPlan { plan_id, applied: false, steps, unmanaged }
}

/// Names are equal in any case.
fn same_rules(one: &SetRules, other: &SetRules) -> bool {
    let rule = |rule: &SetRule| (name_key(&rule.group), name_key(&rule.policy));
    one.fallback.as_deref().map(name_key) == other.fallback.as_deref().map(name_key)
        && one.rules.iter().map(rule).eq(other.rules.iter().map(rule))
}

/// The rules as they are. A rule whose group is gone shows its id.
async fn rules_by_name(tx: &mut Tx, ws: WorkspaceId, present: &[PolicyRow]) -> Result<SetRules> {
    let name = |id: PolicyId| present.iter().find(|row| row.id == id).map(|row| row.name.clone());
    let mut rules = Vec::new();
    for PolicyRule { group_id, policy_id } in policy_rules::list(tx, ws).await? {
        let group = groups::get(tx, ws, group_id).await?.map_or_else(|| group_id.to_string(), |group| group.name);
        rules.push(SetRule { group, policy: name(policy_id).unwrap_or_default() });
    }
    Ok(SetRules { rules, fallback: policy_rules::fallback(tx, ws).await?.and_then(name) })
}

/// Refuses rules that name what will not be there, or that can never match.
async fn check_rules(
    tx: &mut Tx,
    ws: WorkspaceId,
    plan: &PolicySetPlan,
    present: &[PolicyRow],
    rules: &SetRules,
) -> Result<()> {
    if rules.rules.len() > MAX_RULES {
        return Err(Error::invalid("rules.rules", "too_many", format!("there can be at most {MAX_RULES} rules")));
    }
    let mut there: HashSet<String> = present.iter().map(|row| name_key(&row.name)).collect();
    for step in &plan.steps {
        match step {
            Step::CreatePolicy { name, .. } => drop(there.insert(name_key(name))),
            Step::DeletePolicy { name, .. } => drop(there.remove(&name_key(name))),
            _ => {}
        }
    }
    let unknown = |field: String, name: &str| {
        Error::invalid(field, "unknown_policy", format!("there is no policy `{name}`, neither here nor in the set"))
    };
    let mut seen = HashSet::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        if !there.contains(&name_key(&rule.policy)) {
            return Err(unknown(format!("rules.rules[{index}].policy"), &rule.policy));
        }
        let field = format!("rules.rules[{index}].group");
        let Some(group) = find_group(tx, ws, &rule.group).await? else {
            let message = format!("there is no group `{}`: create it, or remove the rule", rule.group);
            return Err(Error::invalid(field, "unknown_group", message));
        };
        if !seen.insert(group) {
            let message = "an earlier rule has the same group, so this one could never match: remove one of them";
            return Err(Error::invalid(field, "duplicate_group", message));
        }
    }
    match &rules.fallback {
        Some(name) if !there.contains(&name_key(name)) => Err(unknown("rules.fallback".to_owned(), name)),
        _ => Ok(()),
    }
}

/// Refuses to delete what the rules that will hold name.
fn check_deletions(plan: &PolicySetPlan, rules: &SetRules) -> Result<()> {
    let used: HashSet<String> =
        rules.rules.iter().map(|rule| &rule.policy).chain(&rules.fallback).map(|name| name_key(name)).collect();
    for step in &plan.steps {
        if let Step::DeletePolicy { name, .. } = step
            && used.contains(&name_key(name))
        {
            let message = format!("the policy `{name}` would be deleted, and a rule names it: change the rules too");
            return Err(Error::conflict("policy_in_use", message));
        }
    }
    Ok(())
}

async fn find_group(tx: &mut Tx, ws: WorkspaceId, wanted: &str) -> Result<Option<GroupId>> {
    if let Some(id) = groups::id_of_name(tx, ws, wanted).await? {
        return Ok(Some(id));
    }
    match wanted.parse() {
        Ok(id) => Ok(groups::get(tx, ws, id).await?.map(|group| group.id)),
        Err(_) => Ok(None),
    }
}

/// Does what is planned, step by step, as each would be done alone.
async fn do_steps(change: &mut Change, by: &By, plan: &PolicySetPlan, present: Vec<PolicyRow>) -> Result<()> {
    let ws = change.workspace_id();
    let mut ids: HashMap<String, PolicyId> = present.iter().map(|row| (name_key(&row.name), row.id)).collect();
    // Rules let go of what is deleted after them: the steps stand in this order.
    for step in plan.steps.iter().cloned() {
        let step = match step {
            Step::CreatePolicy { name, contents, defaults } => ProposedChange::CreatePolicy {
                policy: PolicyDraft { name, contents, defaults },
                allow_client_versions: Vec::new(),
            },
            Step::UpdatePolicy { id, after: SetPolicy { name, contents, defaults }, .. } => {
                ProposedChange::UpdatePolicy {
                    policy_id: id,
                    policy: PolicyDraft { name, contents, defaults },
                    allow_client_versions: Vec::new(),
                }
            }
            Step::DeletePolicy { id, .. } => ProposedChange::DeletePolicy { policy_id: id },
            Step::UpdateRules { after, .. } => {
                let policy_rules = with_ids(change, ws, &after, &ids).await?;
                ProposedChange::UpdatePolicyRules { policy_rules }
            }
        };
        // Each of them may hold others of its kind: boxed, so that the compiler knows its size.
        let applied = Box::pin(step.apply(change, by)).await?;
        if let Now::Policy(row) = applied.now {
            ids.insert(name_key(&row.name), row.id);
        }
    }
    Ok(())
}

/// The rules by id, as they are kept.
async fn with_ids(
    change: &mut Change,
    ws: WorkspaceId,
    rules: &SetRules,
    ids: &HashMap<String, PolicyId>,
) -> Result<PolicyRulesBody> {
    let id_of = |name: &str| ids.get(&name_key(name)).copied();
    let mut found = Vec::new();
    for rule in &rules.rules {
        let group_id = find_group(change, ws, &rule.group).await?;
        let (Some(group_id), Some(policy_id)) = (group_id, id_of(&rule.policy)) else {
            return Err(Error::conflict("plan_stale", "a group or policy of the rules is gone: plan it again"));
        };
        found.push((group_id, policy_id));
    }
    Ok(PolicyRulesBody::new(found, rules.fallback.as_deref().and_then(id_of)))
}
