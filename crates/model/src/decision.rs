use std::sync::Arc;

use crate::{BuiltinRole, Group, GroupId, Member, Permission, PermissionSet, Role, Workspace};

/// Whether somebody may do something, and what says so.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The question.
    pub permission: Permission,
    /// The answer.
    pub granted: bool,
    /// Everything that grants it; empty when nothing does.
    pub because: Vec<Reason>,
}

/// One thing that grants a permission.
#[derive(Debug, Clone)]
pub enum Reason {
    /// A workspace toggle that is on.
    Setting(&'static str),
    /// A custom role, through a group or (without one) assigned directly.
    Role(Arc<Role>, Option<Arc<Group>>),
    /// The default role, for a member who has no custom role.
    DefaultRole(Arc<Role>),
    /// The built-in role.
    BuiltinRole(BuiltinRole),
}

impl Workspace {
    /// Everything that a member may do: the union of the toggles, the built-in role, and the custom
    /// roles or, without one, the default role. A suspended member may nothing.
    pub fn permissions(&self, member: &Member) -> PermissionSet {
        if !member.active {
            return PermissionSet::NONE;
        }
        self.granted_by_settings.union(member.builtin_role.granted()).union(member.granted)
    }

    /// What a member's custom roles grant or, without one, the default role.
    pub(crate) fn granted_to_member(&self, member: &Member) -> PermissionSet {
        let mut granted = PermissionSet::NONE;
        let mut has_role = false;
        for id in member.groups.iter() {
            if let Some(group) = self.groups.get(id) {
                granted = granted.union(group.granted);
                has_role |= self.groups_with_roles.contains(id);
            }
        }
        for id in member.roles.iter() {
            if let Some(role) = self.roles.get(id) {
                granted = granted.union(role.permissions);
                has_role = true;
            }
        }
        match self.default_role() {
            Some(role) if !has_role => granted.union(role.permissions),
            _ => granted,
        }
    }

    /// Whether a member may.
    pub fn may(&self, member: &Member, permission: Permission) -> bool {
        self.permissions(member).contains(permission)
    }

    /// Whether a member who is in `groups` loses a permission by leaving one of them: whether they hold
    /// it with that group, and not without.
    pub fn loses_by_leaving(&self, member: &Member, groups: &[GroupId], left: GroupId, permission: Permission) -> bool {
        let without = groups.iter().copied().filter(|group| *group != left);
        let with = without.clone().chain([left]);
        self.permissions_in(member, with).contains(permission)
            && !self.permissions_in(member, without).contains(permission)
    }

    /// Everything that a member might do who were in these groups and in no others.
    fn permissions_in(&self, member: &Member, groups: impl Iterator<Item = GroupId>) -> PermissionSet {
        let mut member = Member { groups: groups.collect(), ..member.clone() };
        member.granted = self.granted_to_member(&member);
        self.permissions(&member)
    }

    /// Whether a member may, with everything that says so.
    pub fn decide(&self, member: &Member, permission: Permission) -> Decision {
        let mut because = Vec::new();
        if member.active {
            because.extend(self.reasons(member, permission));
        }
        Decision { permission, granted: !because.is_empty(), because }
    }

    fn reasons(&self, member: &Member, permission: Permission) -> Vec<Reason> {
        let mut because = Vec::new();
        for (name, on, granted) in self.settings.toggles() {
            if on && granted == permission {
                because.push(Reason::Setting(name));
            }
        }
        if member.builtin_role.granted().contains(permission) {
            because.push(Reason::BuiltinRole(member.builtin_role));
        }
        let roles = self.roles_of(member);
        if roles.is_empty()
            && let Some(role) = self.default_role().filter(|role| role.permissions.contains(permission))
        {
            because.push(Reason::DefaultRole(role.clone()));
        }
        let granting = roles.into_iter().filter(|(role, _)| role.permissions.contains(permission));
        because.extend(granting.map(|(role, group)| Reason::Role(role, group)));
        because
    }

    /// The custom roles of a member, each with the group through which it comes.
    fn roles_of(&self, member: &Member) -> Vec<(Arc<Role>, Option<Arc<Group>>)> {
        let mut found = Vec::new();
        for id in member.roles.iter() {
            found.extend(self.roles.get(id).map(|role| (role.clone(), None)));
        }
        for role in self.roles.values() {
            for id in role.groups.iter().filter(|id| member.is_in(**id)) {
                found.extend(self.groups.get(id).map(|group| (role.clone(), Some(group.clone()))));
            }
        }
        found.sort_by_key(|(role, group)| (role.id, group.as_ref().map(|group| group.id)));
        found
    }

    fn default_role(&self) -> Option<&Arc<Role>> {
        self.roles.get(&self.default_role_id?)
    }

    /// What the roles assigned to a group grant, and whether there is any.
    pub(crate) fn granted_to_group(&self, group: GroupId) -> (PermissionSet, bool) {
        let roles = self.roles.values().filter(|role| role.groups.binary_search(&group).is_ok());
        roles.fold((PermissionSet::NONE, false), |(granted, _), role| (granted.union(role.permissions), true))
    }
}

#[cfg(test)]
mod tests;
