use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    ClientVersion, GroupId, Member, MemberId, Permission, PermissionSet, Policy, PolicyExceptionId, Workspace,
};

/// A member for whom a proposal makes a difference.
#[derive(Debug, Clone)]
pub struct MemberChange {
    /// Who.
    pub member_id: MemberId,
    /// As it is.
    pub before: Side,
    /// As it would be.
    pub after: Side,
    /// What they might do that they may not.
    pub gains: PermissionSet,
    /// What they might do no longer.
    pub loses: PermissionSet,
    /// Whether their client would be sent something else: another policy, another text, or nothing any more.
    pub policy_changes: bool,
}

/// What binds a member, and why.
#[derive(Debug, Clone)]
pub struct Side {
    /// The policy; none constrains nothing.
    pub policy: Option<Arc<Policy>>,
    /// What says so.
    pub because: Because,
    /// Whether they may use Codex on their machines: who may not is sent nothing, and refused at the model call.
    pub may_use_codex: bool,
}

/// What chose a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// An exception, which goes before the rules.
    Exception(PolicyExceptionId),
    /// The rule at this position (from zero), of this group.
    Rule(usize, GroupId),
    /// No rule matched: the fallback.
    Fallback,
    /// No rule matched and there is no fallback.
    Nothing,
}

/// What a proposal would do to a member on a client of this version (none: it does not say, as most rollouts do not
/// ask); none if nothing. That a member stays under the same policy by another rule is nothing.
pub fn member_change(
    before: &Workspace,
    after: &Workspace,
    member_id: MemberId,
    client: Option<ClientVersion>,
    now: Timestamp,
) -> Option<MemberChange> {
    let (was, will) = (before.members.get(&member_id)?, after.members.get(&member_id)?);
    let (may, might) = (before.permissions(was), after.permissions(will));
    let old = before.delivery(was, client, now).policy;
    let new = after.delivery(will, client, now).policy;
    let sent = |set: PermissionSet, policy| set.contains(Permission::CodexLocalUse).then_some(policy);
    let policy_changes = match (sent(may, old), sent(might, new)) {
        (None, None) => false,
        (Some(old), Some(new)) => !is_same(old, new),
        _ => true,
    };
    if !policy_changes && may == might {
        return None;
    }
    let side = |workspace: &Workspace, member: &Member, policy: Option<&Arc<Policy>>, set: PermissionSet| Side {
        policy: policy.cloned(),
        because: because(workspace, member, now),
        may_use_codex: set.contains(Permission::CodexLocalUse),
    };
    Some(MemberChange {
        member_id,
        before: side(before, was, old, may),
        after: side(after, will, new, might),
        gains: might.without(may),
        loses: may.without(might),
        policy_changes,
    })
}

/// Whether clients would be sent the same.
fn is_same(old: Option<&Arc<Policy>>, new: Option<&Arc<Policy>>) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => {
            Arc::ptr_eq(old, new) || old.id == new.id && old.bundle == new.bundle && old.name == new.name
        }
        _ => false,
    }
}

fn because(workspace: &Workspace, member: &Member, now: Timestamp) -> Because {
    let excepted = workspace.exception_of(member, now);
    if let Some(exception) = excepted.filter(|exception| workspace.policies.contains_key(&exception.policy_id)) {
        return Because::Exception(exception.id);
    }
    match workspace.rule_for(member) {
        Some(position) => Because::Rule(position, workspace.policy_rules.rules[position].group_id),
        None if workspace.policy_rules.fallback.is_some() => Because::Fallback,
        None => Because::Nothing,
    }
}
