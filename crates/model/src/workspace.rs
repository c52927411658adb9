use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    AccessToken, ApiKey, DeviceEnrolment, GrantId, Group, GroupId, Member, MemberId, ModelRoute, PermissionSet, Policy,
    PolicyException, PolicyId, PolicyRules, Role, RoleId, Settings, TokenHash, Upstream, UpstreamId, WorkspaceId,
};

/// A persistent map: a changed copy shares everything that did not change, so that a snapshot of a
/// hundred thousand members is replaced in microseconds.
pub type Map<K, V> = imbl::GenericHashMap<K, V, foldhash::fast::RandomState, imbl::shared_ptr::DefaultSharedPtr>;

/// Everything that decides, of one workspace, at one version. Immutable: a change makes the next.
///
/// Policy delivery, gateway admission and every permission read this and nothing else.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Counts every change.
    pub version: i64,
    /// The settings.
    pub settings: Arc<Settings>,
    /// What the toggles grant; follows `settings`.
    pub(crate) granted_by_settings: PermissionSet,
    /// The members.
    pub members: Map<MemberId, Arc<Member>>,
    /// The groups.
    pub groups: Map<GroupId, Arc<Group>>,
    /// The groups that have a role; follows `roles`.
    pub(crate) groups_with_roles: Arc<std::collections::HashSet<GroupId, foldhash::fast::RandomState>>,
    /// The custom roles, by age.
    pub roles: BTreeMap<RoleId, Arc<Role>>,
    /// The role of members who have no other.
    pub default_role_id: Option<RoleId>,
    /// The policies.
    pub policies: Map<PolicyId, Arc<Policy>>,
    /// Who gets which policy.
    pub policy_rules: PolicyRules,
    /// Who has another policy for a time; at most one each.
    pub policy_exceptions: Map<MemberId, Arc<PolicyException>>,
    /// The addresses at which machines get the policy of a group, by the hash of their secret.
    pub device_enrolments: Map<TokenHash, Arc<DeviceEnrolment>>,
    /// The upstreams, by age.
    pub upstreams: BTreeMap<UpstreamId, Arc<Upstream>>,
    /// Where each model goes, by slug; follows `upstreams` (the oldest upstream wins a slug).
    pub models: Arc<BTreeMap<String, ModelRoute>>,
    /// The access tokens that work or will, by hash.
    pub access_tokens: Map<TokenHash, Arc<AccessToken>>,
    /// The API keys, by hash.
    pub api_keys: Map<TokenHash, Arc<ApiKey>>,
    /// Client sessions that ended before their last access token expires, with when that is.
    pub revoked_grants: Map<GrantId, Timestamp>,
}

impl Workspace {
    /// An empty workspace.
    pub fn new(id: WorkspaceId) -> Self {
        let mut empty = Self {
            id,
            version: 0,
            settings: Arc::default(),
            granted_by_settings: PermissionSet::NONE,
            members: Map::default(),
            groups: Map::default(),
            groups_with_roles: Arc::default(),
            roles: BTreeMap::new(),
            default_role_id: None,
            policies: Map::default(),
            policy_rules: PolicyRules::default(),
            policy_exceptions: Map::default(),
            device_enrolments: Map::default(),
            upstreams: BTreeMap::new(),
            models: Arc::default(),
            access_tokens: Map::default(),
            api_keys: Map::default(),
            revoked_grants: Map::default(),
        };
        empty.set_settings(Settings::default());
        empty
    }

    /// Replaces the settings.
    pub fn set_settings(&mut self, settings: Settings) {
        self.granted_by_settings = settings.granted();
        self.settings = Arc::new(settings);
    }

    /// Replaces the default role, and brings the members up to date who have no other.
    pub fn set_default_role(&mut self, role: Option<RoleId>) {
        if self.default_role_id != role {
            self.default_role_id = role;
            self.regrant(|_| true);
        }
    }

    /// Adds or replaces a member. What its roles grant is filled in here.
    pub fn set_member(&mut self, mut member: Member) {
        member.granted = self.granted_to_member(&member);
        self.members.insert(member.id, Arc::new(member));
    }

    /// Adds, replaces or (with none) removes a group, and brings its members up to date. What its
    /// roles grant is filled in here.
    pub fn set_group(&mut self, id: GroupId, group: Option<Group>) {
        let (granted, has_role) = self.granted_to_group(id);
        match group {
            Some(group) => drop(self.groups.insert(id, Arc::new(Group { granted, ..group }))),
            None => drop(self.groups.remove(&id)),
        }
        if has_role {
            self.regrant(|member| member.is_in(id));
        }
    }

    /// Adds, replaces or (with none) removes a role, and brings the groups and members that it
    /// touches up to date.
    pub fn set_role(&mut self, id: RoleId, role: Option<Role>) {
        let before = self.roles.get(&id).map(|role| role.groups.clone()).unwrap_or_default();
        let after = role.as_ref().map(|role| role.groups.clone()).unwrap_or_default();
        match role {
            Some(role) => drop(self.roles.insert(id, Arc::new(role))),
            None => drop(self.roles.remove(&id)),
        }
        for group_id in before.iter().chain(after.iter()) {
            let (granted, any) = self.granted_to_group(*group_id);
            let with_roles = Arc::make_mut(&mut self.groups_with_roles);
            if any {
                with_roles.insert(*group_id)
            } else {
                with_roles.remove(group_id)
            };
            if let Some(group) = self.groups.get(group_id).filter(|group| group.granted != granted) {
                let group = Group { granted, ..Group::clone(group) };
                self.groups.insert(*group_id, Arc::new(group));
            }
        }
        let is_default = self.default_role_id == Some(id);
        self.regrant(|member| {
            let through_group = || before.iter().chain(after.iter()).any(|group| member.is_in(*group));
            is_default || member.roles.contains(&id) || through_group()
        });
    }

    /// Brings what members are granted up to date, of those whom a change concerns. Looks at every
    /// member: some milliseconds for a hundred thousand, and roles change rarely.
    fn regrant(&mut self, concerns: impl Fn(&Member) -> bool) {
        let concerned = self.members.values().filter(|member| concerns(member));
        let changed: Vec<Member> = concerned
            .map(|member| (self.granted_to_member(member), member))
            .filter(|(granted, member)| *granted != member.granted)
            .map(|(granted, member)| Member { granted, ..Member::clone(member) })
            .collect();
        for member in changed {
            self.members.insert(member.id, Arc::new(member));
        }
    }

    /// Adds, replaces or (with none) removes an upstream.
    pub fn set_upstream(&mut self, id: UpstreamId, upstream: Option<Upstream>) {
        match upstream {
            Some(upstream) => drop(self.upstreams.insert(id, Arc::new(upstream))),
            None => drop(self.upstreams.remove(&id)),
        }
        let mut models = BTreeMap::new();
        for upstream in self.upstreams.values() {
            for (index, model) in upstream.models.iter().enumerate() {
                let route = || ModelRoute { upstream: upstream.clone(), index };
                models.entry(model.slug.clone()).or_insert_with(route);
            }
        }
        self.models = Arc::new(models);
    }
}

/// The snapshots of every workspace.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// By id.
    pub workspaces: Map<WorkspaceId, Arc<Workspace>>,
}
