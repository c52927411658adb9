//! Finds what a proposal names: in the workspace, or in the proposal itself.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use provost_model::simulate::{Draft, GroupChange, Proposal};
use provost_model::{GroupId, MemberId, PolicyId, PolicyRule, Settings, Workspace, name_key};
use provost_web::{Error, Result, name};

use crate::api::policies::refuse_errors;
use crate::api::policy_rules::MAX_RULES;
use crate::api::policy_simulations::{ProposedGroup, ProposedPolicy, ProposedSettings, SimulationRequest};

/// More are no change that a person can follow.
const MAX_POLICIES: usize = 500;
const MAX_GROUPS: usize = 100;
/// Coming and leaving, over all groups.
const MAX_MOVES: usize = 20_000;

/// A proposal whose names were all found.
pub(crate) fn find(workspace: &Workspace, request: SimulationRequest, now: Timestamp) -> Result<Proposal> {
    let SimulationRequest { policies, rules, fallback, groups, settings, .. } = request;
    if policies.is_empty() && rules.is_none() && fallback.is_none() && groups.is_empty() && settings.is_none() {
        let message = "nothing is proposed: send `policies`, `rules`, `fallback`, `groups` or `settings`";
        return Err(Error::invalid("policies", "nothing_proposed", message));
    }
    let mut names = Names::of(workspace);
    let policies = names.policies(workspace, policies, now)?;
    let groups = names.groups(workspace, groups, now)?;
    let rules = rules.map(|rules| {
        if rules.len() > MAX_RULES {
            return Err(Error::invalid("rules", "too_many", format!("there can be at most {MAX_RULES} rules")));
        }
        let mut seen = HashSet::new();
        let rules = rules.iter().enumerate().map(|(index, rule)| {
            let field = |leaf: &str| format!("rules[{index}].{leaf}");
            let group_id = names.group(&rule.group).ok_or_else(|| unknown_group(field("group"), &rule.group))?;
            let policy_id = names.policy(&rule.policy).ok_or_else(|| unknown_policy(field("policy"), &rule.policy))?;
            if !seen.insert(group_id) {
                let message = "an earlier rule has the same group, so this one could never match: remove one of them";
                return Err(Error::invalid(field("group"), "duplicate_group", message));
            }
            Ok(PolicyRule { group_id, policy_id })
        });
        rules.collect::<Result<Vec<_>>>()
    });
    let fallback = fallback.map(|fallback| {
        let find = |text: String| names.policy(&text).ok_or_else(|| unknown_policy("fallback".to_owned(), &text));
        fallback.map(find).transpose()
    });
    let settings = settings.map(|settings| toggled(&workspace.settings, &settings));
    Ok(Proposal { policies, rules: rules.transpose()?, fallback: fallback.transpose()?, groups, settings })
}

fn toggled(before: &Settings, proposed: &ProposedSettings) -> Settings {
    let mut settings = before.clone();
    let toggles = [
        (&mut settings.codex_local, proposed.codex_local),
        (&mut settings.device_code_login, proposed.device_code_login),
        (&mut settings.codex_access_tokens, proposed.codex_access_tokens),
        (&mut settings.codex_cloud, proposed.codex_cloud),
        (&mut settings.agent_internet_access, proposed.agent_internet_access),
        (&mut settings.slack_post_answers, proposed.slack_post_answers),
        (&mut settings.administer_codex, proposed.administer_codex),
    ];
    for (toggle, on) in toggles {
        *toggle = on.unwrap_or(*toggle);
    }
    settings
}

/// Ids by name.
struct Names {
    policies: HashMap<String, PolicyId>,
    groups: HashMap<String, GroupId>,
    policy_ids: HashSet<PolicyId>,
    group_ids: HashSet<GroupId>,
}

impl Names {
    fn of(workspace: &Workspace) -> Self {
        Self {
            policies: workspace.policies.values().map(|policy| (name_key(&policy.name), policy.id)).collect(),
            groups: workspace.groups.values().map(|group| (name_key(&group.name), group.id)).collect(),
            policy_ids: workspace.policies.keys().copied().collect(),
            group_ids: workspace.groups.keys().copied().collect(),
        }
    }

    /// By its name, else by its id.
    fn policy(&self, text: &str) -> Option<PolicyId> {
        let by_id = || text.parse().ok().filter(|id| self.policy_ids.contains(id));
        self.policies.get(&name_key(text)).copied().or_else(by_id)
    }

    fn group(&self, text: &str) -> Option<GroupId> {
        let by_id = || text.parse().ok().filter(|id| self.group_ids.contains(id));
        self.groups.get(&name_key(text)).copied().or_else(by_id)
    }

    /// The drafts; a name that is not there yet is a new policy's.
    fn policies(&mut self, workspace: &Workspace, all: Vec<ProposedPolicy>, now: Timestamp) -> Result<Vec<Draft>> {
        within("policies", all.len(), MAX_POLICIES)?;
        let mut drafts: Vec<Draft> = Vec::new();
        for (index, proposed) in all.into_iter().enumerate() {
            let field = |leaf: &str| format!("policies[{index}].{leaf}");
            let present = self.policy(&proposed.policy).and_then(|id| workspace.policies.get(&id));
            if present.is_none() && proposed.policy.parse::<PolicyId>().is_ok() {
                return Err(unknown_policy(field("policy"), &proposed.policy));
            }
            let (id, name) = match present {
                Some(policy) => (policy.id, policy.name.to_string()),
                None => (PolicyId::new(now), name(&field("policy"), &proposed.policy, 100)?),
            };
            let defaults = match proposed.defaults {
                Some(defaults) => defaults,
                None => present.and_then(|policy| policy.defaults.as_deref().map(str::to_owned)),
            };
            refuse_errors(&proposed.contents, defaults.as_deref()).map_err(|error| {
                let leaf = field(error.field().unwrap_or("contents"));
                error.with_field(leaf)
            })?;
            if drafts.iter().any(|draft| draft.id == id || name_key(&draft.name) == name_key(&name)) {
                let message = format!("the policy `{name}` is proposed twice: remove one of them");
                return Err(Error::invalid(field("policy"), "duplicate_policy", message));
            }
            drafts.push(Draft { id, name, contents: proposed.contents, defaults });
        }
        for draft in &drafts {
            self.policies.insert(name_key(&draft.name), draft.id);
            self.policy_ids.insert(draft.id);
        }
        Ok(drafts)
    }

    /// The groups; a name that is not there yet is a new group's.
    fn groups(&mut self, workspace: &Workspace, all: Vec<ProposedGroup>, now: Timestamp) -> Result<Vec<GroupChange>> {
        within("groups", all.len(), MAX_GROUPS)?;
        let moves = all.iter().map(|group| group.add.len() + group.remove.len()).sum();
        within("groups", moves, MAX_MOVES)?;
        let members = Members::of(workspace, &all);
        let mut changes: Vec<GroupChange> = Vec::new();
        for (index, proposed) in all.into_iter().enumerate() {
            let field = |leaf: &str| format!("groups[{index}].{leaf}");
            let present = self.group(&proposed.group);
            if present.is_none() && proposed.group.parse::<GroupId>().is_ok() {
                return Err(unknown_group(field("group"), &proposed.group));
            }
            let name = match present {
                Some(_) => proposed.group,
                None => name(&field("group"), &proposed.group, 100)?,
            };
            let id = present.unwrap_or_else(|| GroupId::new(now));
            if changes.iter().any(|change| change.id == id || name_key(&change.name) == name_key(&name)) {
                let message = format!("the group `{name}` is proposed twice: remove one of them");
                return Err(Error::invalid(field("group"), "duplicate_group", message));
            }
            let add = members.find(&proposed.add, &field("add"))?;
            let remove = members.find(&proposed.remove, &field("remove"))?;
            changes.push(GroupChange { id, name, add, remove });
        }
        for change in &changes {
            self.group_ids.insert(change.id);
            self.groups.entry(name_key(&change.name)).or_insert(change.id);
        }
        Ok(changes)
    }
}

/// Members by their address, if any is named so.
struct Members<'a> {
    workspace: &'a Workspace,
    by_email: HashMap<String, MemberId>,
}

impl<'a> Members<'a> {
    fn of(workspace: &'a Workspace, groups: &[ProposedGroup]) -> Self {
        let mut named = groups.iter().flat_map(|group| group.add.iter().chain(&group.remove));
        let by_email = match named.any(|text| text.contains('@')) {
            true => workspace.members.values().map(|member| (member.email.key(), member.id)).collect(),
            false => HashMap::new(),
        };
        Self { workspace, by_email }
    }

    fn find(&self, all: &[String], field: &str) -> Result<Vec<MemberId>> {
        let found = all.iter().enumerate().map(|(index, text)| {
            let by_id = || text.parse().ok().filter(|id| self.workspace.members.contains_key(id));
            let unknown = || {
                let message = format!("there is no member `{text}`: name members by their id or address");
                Error::invalid(format!("{field}[{index}]"), "unknown_member", message)
            };
            self.by_email.get(&name_key(text)).copied().or_else(by_id).ok_or_else(unknown)
        });
        found.collect()
    }
}

fn within(field: &str, count: usize, most: usize) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    Err(Error::invalid(field, "too_many", format!("a simulation takes at most {most} of these, and you sent {count}")))
}

fn unknown_group(field: String, text: &str) -> Error {
    let message = format!("there is no group `{text}`: propose it in `groups`, or remove the rule");
    Error::invalid(field, "unknown_group", message)
}

fn unknown_policy(field: String, text: &str) -> Error {
    Error::invalid(field, "unknown_policy", format!("there is no policy `{text}`: propose it in `policies`"))
}
