use std::sync::Arc;

use crate::{
    Group, GroupId, GroupSource, Member, MemberId, PermissionSet, Policy, PolicyId, PolicyRule, PolicyRules, Settings,
    Workspace,
};

/// A change that is not made: what names things has been looked up, and each is there.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// New texts of policies, and new policies.
    pub policies: Vec<Draft>,
    /// The rules in their new order; none leaves them as they are.
    pub rules: Option<Vec<PolicyRule>>,
    /// The policy for whom no rule matches; none leaves it as it is.
    pub fallback: Option<Option<PolicyId>>,
    /// New groups, and changed ones.
    pub groups: Vec<GroupChange>,
    /// The settings as they would be; none leaves them as they are.
    pub settings: Option<Settings>,
}

/// A policy as it would be.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Of the policy that it replaces; a new one is another policy.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// The `requirements.toml` text.
    pub contents: String,
    /// The `config.toml` text; none is no defaults.
    pub defaults: Option<String>,
}

/// A group as it would be.
#[derive(Debug, Clone)]
pub struct GroupChange {
    /// Of the group that changes; a new one is another group.
    pub id: GroupId,
    /// The name of a new group; one that is there keeps its own.
    pub name: String,
    /// Who comes in.
    pub add: Vec<MemberId>,
    /// Who leaves. Who comes in, too, stays.
    pub remove: Vec<MemberId>,
}

impl Proposal {
    /// The workspace as it would be. What did not change is shared with the one that is.
    #[must_use]
    pub fn apply(&self, before: &Workspace) -> Workspace {
        let mut after = before.clone();
        if let Some(settings) = &self.settings {
            after.set_settings(settings.clone());
        }
        for draft in &self.policies {
            draft.apply(&mut after);
        }
        for group in &self.groups {
            group.apply(&mut after);
        }
        if self.rules.is_some() || self.fallback.is_some() {
            let rules = match &self.rules {
                Some(rules) => rules.as_slice().into(),
                None => Arc::clone(&after.policy_rules.rules),
            };
            after.policy_rules = PolicyRules::new(rules, self.fallback.unwrap_or(after.policy_rules.fallback));
        }
        after
    }
}

impl Draft {
    /// Publishing what is there already changes nothing; publishing anything else reaches everybody, so that a rollout
    /// of the policy is over. Publishing what is being rolled out is how that rollout is finished.
    fn apply(&self, after: &mut Workspace) {
        let present = after.policies.get(&self.id);
        let rollout = present.and_then(|policy| policy.rollout.as_ref());
        if rollout.is_none() && present.is_some_and(|policy| self.is(policy)) {
            return;
        }
        let candidate = rollout.map(|rollout| &rollout.candidate);
        let policy = match candidate.filter(|candidate| self.is(candidate)) {
            Some(candidate) => Arc::clone(candidate),
            None => {
                let version = candidate.or(present).map_or(0, |policy| policy.version) + 1;
                Arc::new(Policy::new(self.id, &self.name, version, &self.contents, self.defaults.as_deref()))
            }
        };
        after.policies.insert(self.id, policy);
    }

    fn is(&self, policy: &Policy) -> bool {
        *policy.name == *self.name
            && *policy.contents == *self.contents
            && policy.defaults.as_deref() == self.defaults.as_deref()
    }
}

impl GroupChange {
    fn apply(&self, after: &mut Workspace) {
        if !after.groups.contains_key(&self.id) {
            let group = Group {
                id: self.id,
                name: self.name.as_str().into(),
                source: GroupSource::Manual,
                granted: PermissionSet::NONE,
            };
            after.set_group(self.id, Some(group));
        }
        let leaving = self.remove.iter().map(|member| (member, false));
        for (member, stays) in leaving.chain(self.add.iter().map(|member| (member, true))) {
            let Some(member) = after.members.get(member) else { continue };
            let mut groups: Vec<GroupId> = member.groups.iter().copied().filter(|group| *group != self.id).collect();
            if stays {
                groups.push(self.id);
                groups.sort_unstable();
            }
            if *groups != *member.groups {
                after.set_member(Member { groups: groups.into(), ..Member::clone(member) });
            }
        }
    }
}
