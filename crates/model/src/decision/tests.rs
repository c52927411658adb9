//! What holds of every decision, whatever the workspace looks like.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::Reason;
use crate::{
    BuiltinRole, Email, Group, GroupId, GroupSource, Member, MemberId, Permission, PermissionSet, Role, RoleId,
    Settings, Workspace, WorkspaceId,
};

/// Three groups and three roles that are there, and one of each that is gone but still named.
const SLOTS: usize = 4;
const GONE: usize = 3;

/// A workspace with one member, described by slots, so that something can be added to it.
#[derive(Debug, Clone)]
struct Plan {
    toggles: [bool; 7],
    roles: [(PermissionSet, BTreeSet<usize>); GONE],
    default_role: Option<usize>,
    active: bool,
    builtin_role: BuiltinRole,
    in_groups: BTreeSet<usize>,
    has_roles: BTreeSet<usize>,
}

/// One thing that is put into a workspace; the order must not matter.
#[derive(Debug, Clone, Copy)]
enum Step {
    Group(usize),
    Role(usize),
    /// The role as it once was: it granted everything, to every group.
    FormerRole(usize),
}

/// The groups, then the roles.
fn in_order() -> Vec<Step> {
    (0..GONE).map(Step::Group).chain((0..GONE).map(Step::Role)).collect()
}

fn at(slot: usize) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + slot as i64).expect("in range")
}

struct Ids {
    groups: [GroupId; SLOTS],
    roles: [RoleId; SLOTS],
}

impl Ids {
    fn new() -> Self {
        Self {
            groups: std::array::from_fn(|slot| GroupId::new(at(slot))),
            roles: std::array::from_fn(|slot| RoleId::new(at(slot))),
        }
    }
}

impl Plan {
    fn build(&self) -> (Workspace, Member) {
        self.build_in_order(&Ids::new(), &in_order())
    }

    fn build_in_order(&self, ids: &Ids, steps: &[Step]) -> (Workspace, Member) {
        let mut workspace = Workspace::new(WorkspaceId::new(at(0)));
        let [
            codex_local,
            device_code_login,
            codex_access_tokens,
            codex_cloud,
            slack_post_answers,
            agent_internet_access,
            administer_codex,
        ] = self.toggles;
        workspace.set_settings(Settings {
            codex_local,
            device_code_login,
            codex_access_tokens,
            codex_cloud,
            slack_post_answers,
            agent_internet_access,
            administer_codex,
            ..Settings::default()
        });
        let id = MemberId::new(at(0));
        // There before its groups and roles, so that each of them has to find it.
        workspace.set_member(Member {
            id,
            email: Email::try_from("ada@example.com".to_owned()).expect("valid"),
            name: "Ada".into(),
            active: self.active,
            builtin_role: self.builtin_role,
            has_password: true,
            has_second_factor: false,
            groups: self.in_groups.iter().map(|slot| ids.groups[*slot]).collect(),
            roles: self.has_roles.iter().map(|slot| ids.roles[*slot]).collect(),
            granted: PermissionSet::NONE,
        });
        workspace.set_default_role(self.default_role.map(|slot| ids.roles[slot]));
        for step in steps {
            match *step {
                Step::Group(slot) => workspace.set_group(ids.groups[slot], Some(group(ids.groups[slot]))),
                Step::Role(slot) => {
                    let (permissions, groups) = &self.roles[slot];
                    let groups = groups.iter().map(|slot| ids.groups[*slot]).collect();
                    workspace.set_role(ids.roles[slot], Some(role(ids.roles[slot], *permissions, groups)));
                }
                Step::FormerRole(slot) => {
                    let everywhere = ids.groups.to_vec();
                    workspace.set_role(ids.roles[slot], Some(role(ids.roles[slot], PermissionSet::all(), everywhere)));
                }
            }
        }
        let member = workspace.members.get(&id).expect("the member was set");
        let member = Member::clone(member);
        (workspace, member)
    }

    fn permissions(&self) -> PermissionSet {
        let (workspace, member) = self.build();
        workspace.permissions(&member)
    }

    /// Whether the member has a custom role that is there, whatever it grants.
    fn has_role(&self) -> bool {
        let in_group = |slot: &usize| *slot != GONE && self.in_groups.contains(slot);
        let through_group = self.roles.iter().any(|(_, groups)| groups.iter().any(in_group));
        through_group || self.has_roles.iter().any(|slot| *slot != GONE)
    }
}

fn group(id: GroupId) -> Group {
    Group { id, name: "Group".into(), source: GroupSource::Manual, granted: PermissionSet::NONE }
}

fn role(id: RoleId, permissions: PermissionSet, groups: Vec<GroupId>) -> Role {
    Role { id, name: "Role".into(), description: "".into(), permissions, groups: groups.into() }
}

fn slots() -> impl Strategy<Value = BTreeSet<usize>> {
    prop::collection::btree_set(0..SLOTS, 0..SLOTS)
}

fn permission_set() -> impl Strategy<Value = PermissionSet> {
    prop::collection::vec(select(Permission::ALL), 0..5).prop_map(|set| set.into_iter().collect())
}

fn plan() -> impl Strategy<Value = Plan> {
    let roles = prop::array::uniform3((permission_set(), slots()));
    let builtin = select(BuiltinRole::ALL.as_slice());
    let default = prop::option::of(0..SLOTS);
    let active = prop::bool::weighted(0.9);
    let fields = (any::<[bool; 7]>(), roles, default, active, builtin, slots(), slots());
    fields.prop_map(|(toggles, roles, default_role, active, builtin_role, in_groups, has_roles)| Plan {
        toggles,
        roles,
        default_role,
        active,
        builtin_role,
        in_groups,
        has_roles,
    })
}

/// Something that is added to a workspace, and takes nothing away from it.
#[derive(Debug, Clone)]
enum Grant {
    Toggle(Index),
    PermissionOfRole(Index, Permission),
    RoleToMember(Index),
    RoleToGroup(Index, Index),
    MemberToGroup(Index),
    BuiltinRole(BuiltinRole),
    /// Where there was none.
    DefaultRole(Index),
}

fn grant() -> impl Strategy<Value = Grant> {
    let slot = any::<Index>;
    prop_oneof![
        slot().prop_map(Grant::Toggle),
        (slot(), select(Permission::ALL)).prop_map(|(role, permission)| Grant::PermissionOfRole(role, permission)),
        slot().prop_map(Grant::RoleToMember),
        (slot(), slot()).prop_map(|(role, group)| Grant::RoleToGroup(role, group)),
        slot().prop_map(Grant::MemberToGroup),
        select(BuiltinRole::ALL.as_slice()).prop_map(Grant::BuiltinRole),
        slot().prop_map(Grant::DefaultRole),
    ]
}

impl Plan {
    fn with(&self, grant: &Grant) -> Self {
        let mut plan = self.clone();
        match grant {
            Grant::Toggle(toggle) => plan.toggles[toggle.index(7)] = true,
            Grant::PermissionOfRole(role, permission) => plan.roles[role.index(GONE)].0.insert(*permission),
            Grant::RoleToMember(role) => drop(plan.has_roles.insert(role.index(SLOTS))),
            Grant::RoleToGroup(role, group) => drop(plan.roles[role.index(GONE)].1.insert(group.index(SLOTS))),
            Grant::MemberToGroup(group) => drop(plan.in_groups.insert(group.index(SLOTS))),
            Grant::BuiltinRole(role) => plan.builtin_role = plan.builtin_role.max(*role),
            Grant::DefaultRole(role) => plan.default_role = plan.default_role.or(Some(role.index(SLOTS))),
        }
        plan
    }
}

proptest! {
    /// The one exception is the default role's own: it is for those who have no other, so that a first
    /// custom role takes its place, and with it whatever only the default role granted.
    #[test]
    fn adding_a_grant_takes_nothing_away(plan in plan(), grant in grant()) {
        let after = plan.with(&grant);
        let lost = plan.permissions().without(after.permissions());
        let first_role = !plan.has_role() && after.has_role();
        if first_role {
            let without_default = Plan { default_role: None, ..plan.clone() }.permissions();
            prop_assert_eq!(without_default.without(after.permissions()), PermissionSet::NONE);
            let (workspace, member) = plan.build();
            for permission in lost.iter() {
                let because = workspace.decide(&member, permission).because;
                prop_assert!(matches!(because.as_slice(), [Reason::DefaultRole(_)]), "{:?}", because);
            }
        } else {
            prop_assert_eq!(lost, PermissionSet::NONE);
        }
    }

    #[test]
    fn order_never_matters(
        plan in plan(),
        steps in Just([
            Step::Group(0), Step::Group(1), Step::Group(2), Step::Group(1),
            Step::Role(0), Step::Role(1), Step::Role(2), Step::Role(2),
        ]).prop_shuffle(),
        former in prop::collection::vec(0..GONE, 0..3),
    ) {
        let ids = Ids::new();
        let (in_order, member) = plan.build_in_order(&ids, &in_order());
        // What a role was before it is what it is leaves no trace.
        let steps: Vec<Step> = former.into_iter().map(Step::FormerRole).chain(steps).collect();
        let (shuffled, _) = plan.build_in_order(&ids, &steps);
        prop_assert_eq!(shuffled.permissions(&member), in_order.permissions(&member));
        for permission in Permission::ALL {
            let reasons = |workspace: &Workspace| format!("{:?}", workspace.decide(&member, *permission));
            prop_assert_eq!(reasons(&shuffled), reasons(&in_order));
        }
    }

    #[test]
    fn whatever_is_granted_names_true_reasons(plan in plan()) {
        let (workspace, member) = plan.build();
        for permission in Permission::ALL {
            let decision = workspace.decide(&member, *permission);
            prop_assert_eq!(decision.permission, *permission);
            prop_assert_eq!(decision.granted, workspace.may(&member, *permission));
            prop_assert_eq!(decision.granted, !decision.because.is_empty());
            for reason in &decision.because {
                let holds = match reason {
                    Reason::Setting(name) => workspace.settings.toggles().contains(&(*name, true, *permission)),
                    Reason::BuiltinRole(role) => *role == member.builtin_role && role.granted().contains(*permission),
                    Reason::DefaultRole(role) => {
                        !plan.has_role() && Some(role.id) == workspace.default_role_id && role.permissions.contains(*permission)
                    }
                    Reason::Role(role, None) => member.roles.contains(&role.id) && role.permissions.contains(*permission),
                    Reason::Role(role, Some(group)) => {
                        member.is_in(group.id) && role.groups.contains(&group.id) && role.permissions.contains(*permission)
                    }
                };
                prop_assert!(holds, "{permission} by {reason:?}");
            }
        }
    }

    #[test]
    fn a_suspended_member_may_nothing(plan in plan()) {
        let (workspace, member) = Plan { active: false, ..plan }.build();
        prop_assert_eq!(workspace.permissions(&member), PermissionSet::NONE);
        for permission in Permission::ALL {
            prop_assert!(workspace.decide(&member, *permission).because.is_empty());
        }
    }

    /// Leaving is judged from a snapshot in which the member still is in the group, or no longer.
    #[test]
    fn leaving_a_group_loses_what_nothing_else_grants(
        plan in plan(), left in 0..GONE, permission in select(Permission::ALL),
    ) {
        let (mut with, mut without) = (plan.clone(), plan);
        with.in_groups.insert(left);
        without.in_groups.remove(&left);
        let loses = with.permissions().contains(permission) && !without.permissions().contains(permission);
        let ids = Ids::new();
        let group = ids.groups[left];
        for plan in [&with, &without] {
            let (workspace, member) = plan.build_in_order(&ids, &in_order());
            prop_assert_eq!(workspace.loses_by_leaving(&member, &member.groups, group, permission), loses);
            // Only a group that grants it can be the last that does.
            prop_assert!(!loses || workspace.groups[&group].granted.contains(permission));
        }
    }

    #[test]
    fn an_owner_may_everything(plan in plan()) {
        let (workspace, owner) = Plan { active: true, builtin_role: BuiltinRole::Owner, ..plan }.build();
        prop_assert_eq!(workspace.permissions(&owner), PermissionSet::all());
    }
}

/// Everything off, nobody in anything; the default role grants Codex cloud.
fn quiet() -> Plan {
    let cloud: PermissionSet = [Permission::CodexCloudUse].into_iter().collect();
    let security: PermissionSet = [Permission::CodexSecurityUse].into_iter().collect();
    Plan {
        toggles: [false; 7],
        roles: [(cloud, BTreeSet::new()), (security, BTreeSet::new()), (PermissionSet::NONE, BTreeSet::new())],
        default_role: Some(0),
        active: true,
        builtin_role: BuiltinRole::Member,
        in_groups: BTreeSet::new(),
        has_roles: BTreeSet::new(),
    }
}

#[test]
fn the_default_role_is_for_members_without_another() {
    let only = |permission| [permission].into_iter().collect::<PermissionSet>();
    assert_eq!(quiet().permissions(), only(Permission::CodexCloudUse));
    let (workspace, member) = quiet().build();
    let because = workspace.decide(&member, Permission::CodexCloudUse).because;
    assert!(matches!(because.as_slice(), [Reason::DefaultRole(role)] if Some(role.id) == workspace.default_role_id));

    // The first custom role takes its place, through a group…
    let mut through_group = quiet();
    through_group.in_groups = [0].into();
    assert_eq!(through_group.permissions(), only(Permission::CodexCloudUse), "a group without a role is no role");
    through_group.roles[1].1 = [0].into();
    assert_eq!(through_group.permissions(), only(Permission::CodexSecurityUse));
    // …or directly, also one that grants nothing…
    assert_eq!(Plan { has_roles: [2].into(), ..quiet() }.permissions(), PermissionSet::NONE);
    // …but none that is gone, nor one of a group that is gone.
    assert_eq!(Plan { has_roles: [GONE].into(), ..quiet() }.permissions(), only(Permission::CodexCloudUse));
    let mut gone = Plan { in_groups: [GONE].into(), ..quiet() };
    gone.roles[1].1 = [GONE].into();
    assert_eq!(gone.permissions(), only(Permission::CodexCloudUse));
    // A built-in role is none of the custom ones.
    let viewer = Plan { builtin_role: BuiltinRole::AnalyticsViewer, ..quiet() };
    assert_eq!(viewer.permissions(), [Permission::CodexCloudUse, Permission::AnalyticsRead].into_iter().collect());
    // The default role itself, given to a member, is a role like any other.
    let (workspace, member) = Plan { has_roles: [0].into(), ..quiet() }.build();
    let because = workspace.decide(&member, Permission::CodexCloudUse).because;
    assert!(matches!(because.as_slice(), [Reason::Role(_, None)]), "{because:?}");
}

#[test]
fn an_off_toggle_and_a_role_let_that_subset() {
    let mut plan = quiet();
    plan.roles[1] = ([Permission::CodexLocalUse].into_iter().collect(), [0].into());
    assert!(!plan.permissions().contains(Permission::CodexLocalUse));
    plan.in_groups = [0].into();
    assert!(plan.permissions().contains(Permission::CodexLocalUse));
}

#[test]
fn every_reason_is_named_not_only_the_first() {
    let mut plan = quiet();
    plan.toggles[3] = true;
    plan.builtin_role = BuiltinRole::Owner;
    plan.in_groups = [0, 1].into();
    plan.has_roles = [0].into();
    plan.roles[0].1 = [0, 1].into();
    let (workspace, member) = plan.build();
    let because = workspace.decide(&member, Permission::CodexCloudUse).because;
    let names: Vec<String> = because
        .iter()
        .map(|reason| match reason {
            Reason::Setting(name) => (*name).to_owned(),
            Reason::BuiltinRole(role) => role.as_str().to_owned(),
            Reason::DefaultRole(_) => "default".to_owned(),
            Reason::Role(_, group) => format!("role {}", if group.is_some() { "by group" } else { "itself" }),
        })
        .collect();
    assert_eq!(names, ["codex_cloud", "owner", "role itself", "role by group", "role by group"]);
}

/// Each built-in role holds all that the weaker ones hold, so that raising one never takes away.
#[test]
fn built_in_roles_build_on_each_other() {
    for pair in BuiltinRole::ALL.windows(2) {
        assert!(pair[0] < pair[1]);
        assert_eq!(pair[0].granted().without(pair[1].granted()), PermissionSet::NONE);
    }
    let admin = BuiltinRole::Admin.granted();
    for withheld in [Permission::CodexAdminister, Permission::ComplianceRead, Permission::ComplianceDelete] {
        assert!(!admin.contains(withheld), "{withheld}");
    }
}

/// A snapshot keeps what it said, whatever its successor says.
#[test]
fn an_older_snapshot_does_not_change_with_a_newer_one() {
    let ids = Ids::new();
    let plan = Plan { in_groups: [0].into(), ..quiet() };
    let (before, member) = plan.build_in_order(&ids, &in_order());
    let before = Arc::new(before);
    let mut after = Workspace::clone(&before);
    after.set_role(ids.roles[1], Some(role(ids.roles[1], PermissionSet::all(), vec![ids.groups[0]])));
    let newer = after.members.get(&member.id).expect("it is still there");
    assert_eq!(after.permissions(newer), PermissionSet::all());
    assert_eq!(before.permissions(&member), plan.permissions());
}
