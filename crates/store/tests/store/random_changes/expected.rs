//! A plain reading of the rules, over plain sets.

use std::collections::BTreeSet;

use provost_model::{
    BuiltinRole, GroupId, MemberId, Permission, PermissionSet, PolicyId, PolicyRule, RoleId, Workspace,
};

use super::act::SLOTS;

pub(super) struct Expected {
    pub(super) members: [Option<Member>; SLOTS],
    pub(super) groups: [Option<GroupId>; SLOTS],
    pub(super) roles: [Option<Role>; SLOTS],
    pub(super) policies: [Option<(PolicyId, i64)>; SLOTS],
    pub(super) default_role: Option<RoleId>,
    pub(super) toggles: [bool; 7],
    pub(super) rules: Vec<PolicyRule>,
    pub(super) fallback: Option<PolicyId>,
}

impl Default for Expected {
    /// A new workspace: Codex Local is on.
    fn default() -> Self {
        Self {
            members: Default::default(),
            groups: Default::default(),
            roles: Default::default(),
            policies: Default::default(),
            default_role: None,
            toggles: [true, false, false, false, false, false, false],
            rules: Vec::new(),
            fallback: None,
        }
    }
}

pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) active: bool,
    pub(super) builtin_role: BuiltinRole,
    pub(super) groups: BTreeSet<GroupId>,
    pub(super) roles: BTreeSet<RoleId>,
}

pub(super) struct Role {
    pub(super) id: RoleId,
    pub(super) permissions: PermissionSet,
    pub(super) groups: BTreeSet<GroupId>,
}

impl Expected {
    /// Whether a snapshot knows whom it should, and says of each what it should.
    pub(super) fn check(&self, workspace: &Workspace) {
        let found: BTreeSet<MemberId> = workspace.members.keys().copied().collect();
        assert_eq!(found, self.members.iter().flatten().map(|member| member.id).collect());
        for member in self.members.iter().flatten() {
            let found = &workspace.members[&member.id];
            assert_eq!(workspace.permissions(found), self.permissions(member), "of {member:?}", member = found);
            let policy = workspace.policy_for(found).map(|policy| (policy.id, i64::from(policy.version)));
            assert_eq!(policy, self.policy(member));
        }
    }

    fn permissions(&self, member: &Member) -> PermissionSet {
        use Permission::*;
        if !member.active {
            return PermissionSet::NONE;
        }
        let toggles = [
            CodexLocalUse,
            CodexLocalDeviceCode,
            CodexAccessTokensCreate,
            CodexCloudUse,
            CodexCloudInternetAccess,
            CodexSlackPostAnswers,
            CodexAdminister,
        ];
        let on = toggles.into_iter().zip(self.toggles).filter(|(_, on)| *on);
        let granted = on.map(|(permission, _)| permission).collect::<PermissionSet>();
        let granted = granted.union(member.builtin_role.granted());
        let in_group = |group: &GroupId| member.groups.contains(group) && self.groups.contains(&Some(*group));
        let has = |role: &&Role| member.roles.contains(&role.id) || role.groups.iter().any(in_group);
        let roles: Vec<&Role> = self.roles.iter().flatten().filter(has).collect();
        if roles.is_empty() {
            let default = self.roles.iter().flatten().find(|role| Some(role.id) == self.default_role);
            return granted.union(default.map_or(PermissionSet::NONE, |role| role.permissions));
        }
        roles.iter().fold(granted, |granted, role| granted.union(role.permissions))
    }

    fn policy(&self, member: &Member) -> Option<(PolicyId, i64)> {
        let is_in = |group| member.groups.contains(&group) && self.groups.contains(&Some(group));
        let decides = self.rules.iter().find(|rule| is_in(rule.group_id)).map(|rule| rule.policy_id);
        let id = decides.or(self.fallback)?;
        self.policies.iter().flatten().find(|(policy, _)| *policy == id).copied()
    }
}
