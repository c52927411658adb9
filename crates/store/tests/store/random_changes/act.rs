//! What admins do, at random, to a small world of slots: what is in a slot may or may not be there.

use proptest::prelude::*;
use provost_model::{BuiltinRole, Permission, PermissionSet, PolicyRule, WorkspaceId};
use provost_store::tables::members::MemberRow;
use provost_store::tables::policies::PolicyRow;
use provost_store::tables::roles::RoleRow;
use provost_store::tables::{group_members, groups, members, policies, policy_rules, roles, workspaces};
use provost_store::{Change, Result, Touched};

use super::expected::{Expected, Member, Role};
use crate::acts::{group, member, policy, role};

pub(super) const SLOTS: usize = 3;

/// One act of an admin. It is left out where it cannot be (a member in a group that is not there).
#[derive(Debug, Clone)]
pub(super) enum Act {
    SetMember(usize, bool, BuiltinRole),
    DeleteMember(usize),
    SetGroup(usize, String),
    DeleteGroup(usize),
    Join(usize, usize),
    Leave(usize, usize),
    /// Several at once: members join a group, leave it, or are its members and no others.
    JoinAll(Vec<usize>, usize),
    LeaveAll(Vec<usize>, usize),
    Replace(Vec<usize>, usize),
    SetRole(usize, PermissionSet),
    DeleteRole(usize),
    GiveToGroup(usize, usize),
    TakeFromGroup(usize, usize),
    GiveToMember(usize, usize),
    TakeFromMember(usize, usize),
    SetDefaultRole(Option<usize>),
    SetToggles([bool; 7]),
    SetPolicy(usize, String),
    SetRules(Vec<(usize, usize)>, Option<usize>),
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let slot = || 0..SLOTS;
    let slots = || prop::collection::vec(0..SLOTS, 0..=SLOTS);
    let builtin = prop::sample::select(BuiltinRole::ALL.as_slice());
    let permissions = prop::collection::vec(prop::sample::select(Permission::ALL), 0..4);
    let permissions = permissions.prop_map(|permissions| permissions.into_iter().collect());
    prop_oneof![
        4 => (slot(), prop::bool::weighted(0.9), builtin).prop_map(|(m, active, role)| Act::SetMember(m, active, role)),
        1 => slot().prop_map(Act::DeleteMember),
        4 => (slot(), "[a-z]{2}").prop_map(|(g, name)| Act::SetGroup(g, name)),
        1 => slot().prop_map(Act::DeleteGroup),
        6 => (slot(), slot()).prop_map(|(m, g)| Act::Join(m, g)),
        1 => (slot(), slot()).prop_map(|(m, g)| Act::Leave(m, g)),
        3 => (slots(), slot()).prop_map(|(m, g)| Act::JoinAll(m, g)),
        2 => (slots(), slot()).prop_map(|(m, g)| Act::LeaveAll(m, g)),
        3 => (slots(), slot()).prop_map(|(m, g)| Act::Replace(m, g)),
        4 => (slot(), permissions).prop_map(|(r, permissions)| Act::SetRole(r, permissions)),
        1 => slot().prop_map(Act::DeleteRole),
        4 => (slot(), slot()).prop_map(|(r, g)| Act::GiveToGroup(r, g)),
        1 => (slot(), slot()).prop_map(|(r, g)| Act::TakeFromGroup(r, g)),
        3 => (slot(), slot()).prop_map(|(r, m)| Act::GiveToMember(r, m)),
        1 => (slot(), slot()).prop_map(|(r, m)| Act::TakeFromMember(r, m)),
        2 => prop::option::of(slot()).prop_map(Act::SetDefaultRole),
        1 => any::<[bool; 7]>().prop_map(Act::SetToggles),
        2 => (slot(), "[a-z]{3}").prop_map(|(p, contents)| Act::SetPolicy(p, contents)),
        2 => (prop::collection::vec((slot(), slot()), 0..3), prop::option::of(slot()))
            .prop_map(|(rules, fallback)| Act::SetRules(rules, fallback)),
    ]
}

/// Fills every slot, so that what follows by chance has something to hold on to.
pub(super) fn furnish() -> Vec<Act> {
    let permissions = [Permission::CodexCloudUse, Permission::CodexSecurityUse, Permission::EventsRead];
    let fill = |slot: usize| {
        [
            Act::SetMember(slot, true, BuiltinRole::Member),
            Act::SetGroup(slot, "first".to_owned()),
            Act::SetRole(slot, [permissions[slot]].into_iter().collect()),
            Act::SetPolicy(slot, "first".to_owned()),
            Act::Join(slot, slot),
        ]
    };
    let mut acts: Vec<Act> = (0..SLOTS).flat_map(fill).collect();
    acts.extend([Act::GiveToGroup(0, 0), Act::SetDefaultRole(Some(2)), Act::SetRules(vec![(1, 1)], Some(0))]);
    acts
}

impl Act {
    /// Does it in the database and, in the plainest way, to what is expected. Touched is the thing
    /// itself and nothing that hangs on it: to follow that is the snapshot's part.
    pub(super) async fn perform(&self, change: &mut Change, ws: WorkspaceId, expected: &mut Expected) -> Result<()> {
        let at = change.at();
        match self {
            Self::SetMember(slot, active, builtin_role) => {
                let known = expected.members[*slot].take();
                let row = member(at, &format!("member{slot}@example.com"));
                let row = MemberRow {
                    id: known.as_ref().map_or(row.id, |known| known.id),
                    active: *active,
                    builtin_role: *builtin_role,
                    ..row
                };
                match known {
                    None => members::insert(change, ws, &row, None).await?,
                    Some(_) => members::update(change, ws, &row).await?,
                }
                change.touch(Touched::Member(row.id));
                let (groups, roles) = known.map(|known| (known.groups, known.roles)).unwrap_or_default();
                let id = row.id;
                expected.members[*slot] =
                    Some(Member { id, active: *active, builtin_role: *builtin_role, groups, roles });
            }
            Self::DeleteMember(slot) => {
                let Some(known) = expected.members[*slot].take() else { return Ok(()) };
                members::delete(change, ws, known.id).await?;
                change.touch(Touched::Member(known.id));
            }
            Self::SetGroup(slot, name) => {
                let id = match expected.groups[*slot] {
                    Some(id) => {
                        groups::rename(change, ws, id, &format!("{name} {slot}"), at).await?;
                        id
                    }
                    None => {
                        let row = group(at, &format!("{name} {slot}"));
                        groups::insert(change, ws, &row).await?;
                        row.id
                    }
                };
                change.touch(Touched::Group(id));
                expected.groups[*slot] = Some(id);
            }
            Self::DeleteGroup(slot) => {
                let Some(id) = expected.groups[*slot].take() else { return Ok(()) };
                groups::delete(change, ws, id).await?;
                change.touch(Touched::Group(id));
            }
            Self::Join(m, g) | Self::Leave(m, g) => {
                let (Some(member), Some(group)) = (&mut expected.members[*m], expected.groups[*g]) else {
                    return Ok(());
                };
                if matches!(self, Self::Join(..)) {
                    let new = groups::add_member(change, ws, group, member.id).await?;
                    assert_eq!(new, member.groups.insert(group));
                } else {
                    let was = groups::remove_member(change, ws, group, member.id).await?;
                    assert_eq!(was, member.groups.remove(&group));
                }
                change.touch(Touched::Member(member.id));
            }
            Self::JoinAll(slots, g) | Self::LeaveAll(slots, g) | Self::Replace(slots, g) => {
                let Some(group) = expected.groups[*g] else { return Ok(()) };
                let named = |slot: usize| slots.contains(&slot);
                let ids: Vec<_> = slots.iter().filter_map(|slot| Some(expected.members[*slot].as_ref()?.id)).collect();
                let mut changed = match self {
                    Self::JoinAll(..) => group_members::add_many(change, ws, group, &ids).await?,
                    Self::LeaveAll(..) => group_members::remove_many(change, ws, group, &ids).await?,
                    _ => {
                        let replaced = group_members::replace(change, ws, group, &ids).await?;
                        [replaced.added, replaced.removed].concat()
                    }
                };
                let mut plain = Vec::new();
                for (slot, member) in expected.members.iter_mut().enumerate() {
                    let Some(member) = member else { continue };
                    let differs = match self {
                        Self::JoinAll(..) => named(slot) && member.groups.insert(group),
                        Self::LeaveAll(..) => named(slot) && member.groups.remove(&group),
                        _ if named(slot) => member.groups.insert(group),
                        _ => member.groups.remove(&group),
                    };
                    plain.extend(differs.then_some(member.id));
                }
                changed.sort_unstable();
                plain.sort_unstable();
                assert_eq!(changed, plain, "who joined and who left");
                changed.into_iter().for_each(|id| change.touch(Touched::Member(id)));
            }
            Self::SetRole(slot, permissions) => {
                let known = expected.roles[*slot].take();
                let row = role(at, &format!("Role {slot}"), *permissions);
                let row = RoleRow { id: known.as_ref().map_or(row.id, |known| known.id), ..row };
                match known {
                    None => roles::insert(change, ws, &row).await?,
                    Some(_) => roles::update(change, ws, &row).await?,
                }
                change.touch(Touched::Role(row.id));
                let groups = known.map(|known| known.groups).unwrap_or_default();
                expected.roles[*slot] = Some(Role { id: row.id, permissions: *permissions, groups });
            }
            Self::DeleteRole(slot) => {
                let Some(known) = expected.roles[*slot].take() else { return Ok(()) };
                roles::delete(change, ws, known.id).await?;
                change.touch(Touched::Role(known.id));
            }
            Self::GiveToGroup(r, g) | Self::TakeFromGroup(r, g) => {
                let (Some(role), Some(group)) = (&mut expected.roles[*r], expected.groups[*g]) else { return Ok(()) };
                if matches!(self, Self::GiveToGroup(..)) {
                    let new = roles::assign_to_group(change, role.id, group).await?;
                    assert_eq!(new, role.groups.insert(group));
                } else {
                    let was = roles::unassign_from_group(change, role.id, group).await?;
                    assert_eq!(was, role.groups.remove(&group));
                }
                change.touch(Touched::Role(role.id));
            }
            Self::GiveToMember(r, m) | Self::TakeFromMember(r, m) => {
                let (Some(role), Some(member)) = (&expected.roles[*r], &mut expected.members[*m]) else {
                    return Ok(());
                };
                if matches!(self, Self::GiveToMember(..)) {
                    let new = roles::assign_to_member(change, role.id, member.id).await?;
                    assert_eq!(new, member.roles.insert(role.id));
                } else {
                    let was = roles::unassign_from_member(change, role.id, member.id).await?;
                    assert_eq!(was, member.roles.remove(&role.id));
                }
                change.touch(Touched::Member(member.id));
            }
            Self::SetDefaultRole(slot) => {
                let id = slot.and_then(|slot| expected.roles[slot].as_ref()).map(|role| role.id);
                workspaces::set_default_role(change, ws, id).await?;
                change.touch(Touched::Workspace);
                expected.default_role = id;
            }
            Self::SetToggles(on) => {
                let mut settings = workspaces::settings(change, ws).await?;
                [
                    settings.codex_local,
                    settings.device_code_login,
                    settings.codex_access_tokens,
                    settings.codex_cloud,
                    settings.agent_internet_access,
                    settings.slack_post_answers,
                    settings.administer_codex,
                ] = *on;
                workspaces::set_settings(change, ws, &settings).await?;
                change.touch(Touched::Workspace);
                expected.toggles = *on;
            }
            Self::SetPolicy(slot, contents) => {
                let (id, version) = expected.policies[*slot].unwrap_or_else(|| (policy(at, "").id, 0));
                let row = policy(at, &format!("Policy {slot}"));
                let row = PolicyRow { id, version: version + 1, contents: contents.clone(), ..row };
                match version {
                    0 => policies::insert(change, ws, &row).await?,
                    _ => policies::update(change, ws, &row).await?,
                }
                change.touch(Touched::Policy(id));
                expected.policies[*slot] = Some((id, row.version));
            }
            Self::SetRules(rules, fallback) => {
                let rule = |(g, p): &(usize, usize)| {
                    let (group_id, (policy_id, _)) = (expected.groups[*g]?, expected.policies[*p]?);
                    Some(PolicyRule { group_id, policy_id })
                };
                let rules: Vec<_> = rules.iter().filter_map(rule).collect();
                let fallback = fallback.and_then(|slot| expected.policies[slot]).map(|(id, _)| id);
                policy_rules::replace(change, ws, &rules).await?;
                workspaces::set_fallback(change, ws, fallback).await?;
                change.touch(Touched::Workspace);
                expected.rules = rules;
                expected.fallback = fallback;
            }
        }
        Ok(())
    }
}
