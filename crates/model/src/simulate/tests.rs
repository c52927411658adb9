//! What would be is what is, once it is done.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Because, CommandVerdict, Draft, GroupChange, Proposal, SessionVerdict, Verdicts, member_change};
use crate::command::{Outcome, PrefixRule, RuleSet};
use crate::drift::Ran;
use crate::{
    Email, Group, GroupId, GroupSource, Member, MemberId, Permission, PermissionSet, Policy, PolicyException,
    PolicyExceptionId, PolicyId, PolicyRule, PolicyRules, Rollout, RolloutId, Settings, Workspace, WorkspaceId,
};

const SLOTS: usize = 3;
const MEMBERS: usize = 5;
const TEXTS: [&str; 4] = [
    "",
    "rules.prefix_rules = [{ pattern = [{ token = \"git\" }], decision = \"prompt\" }]",
    "rules.prefix_rules = [{ pattern = [{ token = \"git\" }], decision = \"forbidden\" }]\nallowed_sandbox_modes = [\"read-only\"]",
    "rules.prefix_rules = [{ pattern = [{ token = \"rm\" }], decision = \"forbidden\" }]",
];
const COMMANDS: [&[&str]; 4] =
    [&["ls"], &["git", "push"], &["bash", "-lc", "git add . && rm x"], &["bash", "-lc", "rm $(git x)"]];

fn at(slot: usize) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + slot as i64).expect("in range")
}

/// All that decides, plainly.
#[derive(Debug, Clone)]
struct Plan {
    /// Of each policy, which text.
    texts: [usize; SLOTS],
    /// Of each member, which groups.
    groups: Vec<[bool; SLOTS]>,
    rules: Vec<(usize, usize)>,
    fallback: Option<usize>,
    codex_local: bool,
}

fn plan() -> impl Strategy<Value = Plan> {
    let groups = prop::collection::vec(any::<[bool; SLOTS]>(), MEMBERS);
    let rules = prop::collection::vec((0..SLOTS, 0..SLOTS), 0..4);
    let texts = prop::array::uniform3(0..TEXTS.len());
    (texts, groups, rules, prop::option::of(0..SLOTS), prop::bool::weighted(0.8))
        .prop_map(|(texts, groups, rules, fallback, codex_local)| Plan { texts, groups, rules, fallback, codex_local })
}

struct Ids {
    policies: [PolicyId; SLOTS],
    groups: [GroupId; SLOTS],
    members: [MemberId; MEMBERS],
}

fn ids() -> Ids {
    Ids {
        policies: std::array::from_fn(|slot| PolicyId::new(at(slot))),
        groups: std::array::from_fn(|slot| GroupId::new(at(slot))),
        members: std::array::from_fn(|slot| MemberId::new(at(slot))),
    }
}

impl Plan {
    fn rules(&self, ids: &Ids) -> Vec<PolicyRule> {
        let rule = |(group, policy): &(usize, usize)| PolicyRule {
            group_id: ids.groups[*group],
            policy_id: ids.policies[*policy],
        };
        self.rules.iter().map(rule).collect()
    }

    fn settings(&self) -> Settings {
        Settings { codex_local: self.codex_local, ..Settings::default() }
    }

    /// The workspace, made of nothing.
    fn build(&self, ids: &Ids) -> Workspace {
        let mut workspace = Workspace::new(WorkspaceId::new(at(0)));
        workspace.set_settings(self.settings());
        for slot in 0..SLOTS {
            let (id, granted) = (ids.groups[slot], PermissionSet::NONE);
            let group = Group { id, name: format!("g{slot}").into(), source: GroupSource::Manual, granted };
            workspace.set_group(id, Some(group));
            let policy = Policy::new(ids.policies[slot], &format!("p{slot}"), 1, TEXTS[self.texts[slot]], None);
            workspace.policies.insert(policy.id, Arc::new(policy));
        }
        for (slot, in_groups) in self.groups.iter().enumerate() {
            let mut groups: Vec<GroupId> = (0..SLOTS).filter(|g| in_groups[*g]).map(|g| ids.groups[g]).collect();
            groups.sort_unstable();
            workspace.set_member(member(ids.members[slot], groups));
        }
        workspace.policy_rules = PolicyRules::new(self.rules(ids), self.fallback.map(|slot| ids.policies[slot]));
        workspace
    }

    /// What leads from this to another.
    fn proposal_for(&self, other: &Self, ids: &Ids) -> Proposal {
        let draft = |slot: usize| Draft {
            id: ids.policies[slot],
            name: format!("p{slot}"),
            contents: TEXTS[other.texts[slot]].to_owned(),
            defaults: None,
        };
        let group = |slot: usize| {
            let wanted = |yes: bool| (0..MEMBERS).filter(move |m| other.groups[*m][slot] == yes);
            GroupChange {
                id: ids.groups[slot],
                name: String::new(),
                add: wanted(true).map(|m| ids.members[m]).collect(),
                remove: wanted(false).map(|m| ids.members[m]).collect(),
            }
        };
        Proposal {
            policies: (0..SLOTS).map(draft).collect(),
            rules: Some(other.rules(ids)),
            fallback: Some(other.fallback.map(|slot| ids.policies[slot])),
            groups: (0..SLOTS).map(group).collect(),
            settings: (self.codex_local != other.codex_local).then(|| other.settings()),
        }
    }
}

fn member(id: MemberId, groups: Vec<GroupId>) -> Member {
    Member {
        id,
        email: Email::try_from("ada@example.com".to_owned()).expect("valid"),
        name: "".into(),
        active: true,
        builtin_role: Default::default(),
        has_password: true,
        has_second_factor: false,
        groups: groups.into(),
        roles: [].into(),
        granted: PermissionSet::NONE,
    }
}

/// What a member's client is sent: which policy with which text; none for one who may not use Codex.
fn sent(workspace: &Workspace, id: MemberId) -> Option<Option<(PolicyId, Arc<str>)>> {
    let member = &workspace.members[&id];
    let policy = workspace.policy_for(member).map(|policy| (policy.id, policy.contents.clone()));
    workspace.may(member, Permission::CodexLocalUse).then_some(policy)
}

/// The verdict over a command, by the text alone.
fn verdict(workspace: &Workspace, id: MemberId, argv: &[String]) -> CommandVerdict {
    let Some(policy) = sent(workspace, id) else { return CommandVerdict::NoAccess };
    let rules = policy.map(|(_, text)| PrefixRule::of_policy(&text, 0).expect("valid")).unwrap_or_default();
    match RuleSet::new(rules).outcome(argv) {
        Outcome::Allow | Outcome::NoMatch => CommandVerdict::NoMatch,
        Outcome::Prompt => CommandVerdict::Prompt,
        Outcome::Forbidden => CommandVerdict::Forbidden,
    }
}

proptest! {
    /// Applied to one workspace, the way to another leads there, for everybody and every command.
    #[test]
    fn what_would_be_is_what_is_once_it_is_done(from in plan(), to in plan()) {
        let ids = ids();
        let (before, done) = (from.build(&ids), to.build(&ids));
        let after = from.proposal_for(&to, &ids).apply(&before);
        let (was, will) = (Verdicts::new(before.clone().into(), at(9)), Verdicts::new(after.clone().into(), at(9)));
        for id in ids.members {
            prop_assert_eq!(sent(&after, id), sent(&done, id));
            let change = member_change(&before, &after, id, None, at(9));
            prop_assert_eq!(change.as_ref().is_some_and(|change| change.policy_changes), sent(&before, id) != sent(&done, id));
            let (old, new) = (was.sight(&before.members[&id], None), will.sight(&after.members[&id], None));
            for argv in COMMANDS {
                let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
                prop_assert_eq!(old.command(&argv), verdict(&before, id, &argv));
                prop_assert_eq!(new.command(&argv), verdict(&done, id, &argv));
                if old.decides_commands_as(&new) {
                    prop_assert_eq!(old.command(&argv), new.command(&argv));
                }
            }
        }
    }
}

fn simple() -> (Plan, Ids, Workspace) {
    let plan = Plan {
        texts: [0, 1, 2],
        groups: vec![[true, false, false], [false, true, false], [false; SLOTS], [false; SLOTS], [false; SLOTS]],
        rules: vec![(0, 1), (1, 2)],
        fallback: Some(0),
        codex_local: true,
    };
    let ids = ids();
    let workspace = plan.build(&ids);
    (plan, ids, workspace)
}

#[test]
fn nothing_proposed_is_nothing_changed() {
    let (plan, ids, before) = simple();
    for proposal in [Proposal::default(), plan.proposal_for(&plan, &ids)] {
        let after = proposal.apply(&before);
        assert!(ids.members.iter().all(|id| member_change(&before, &after, *id, None, at(9)).is_none()));
        assert!(ids.policies.iter().all(|id| Arc::ptr_eq(&before.policies[id], &after.policies[id])));
    }
}

#[test]
fn an_exception_goes_before_a_new_order_until_it_ends() {
    let (_, ids, mut before) = simple();
    let [ada, ..] = ids.members;
    let exception = PolicyException {
        id: PolicyExceptionId::new(at(0)),
        member_id: ada,
        policy_id: ids.policies[2],
        expires_at: at(5),
    };
    before.policy_exceptions.insert(ada, Arc::new(exception));
    let after = Proposal { rules: Some(Vec::new()), ..Proposal::default() }.apply(&before);
    assert!(member_change(&before, &after, ada, None, at(4)).is_none());
    let change = member_change(&before, &after, ada, None, at(5)).expect("the rule is gone");
    assert_eq!(change.before.because, Because::Rule(0, ids.groups[0]));
    assert_eq!(change.after.because, Because::Fallback);
}

#[test]
fn publishing_reaches_those_whom_a_rollout_did_not() {
    let (_, ids, mut before) = simple();
    let present = &before.policies[&ids.policies[1]];
    let candidate = Policy::new(present.id, &present.name, 2, TEXTS[2], None);
    let rollout = Rollout {
        id: RolloutId::new(at(0)),
        candidate: Arc::new(candidate),
        share: Rollout::ALL,
        groups: [ids.groups[2]].into(),
        min_client_version: None,
        max_client_version: None,
        holders: None,
    };
    let policy = Policy { rollout: Some(Arc::new(rollout)), ..Policy::clone(present) };
    before.policies.insert(policy.id, Arc::new(policy));
    let draft = Draft { id: ids.policies[1], name: "p1".to_owned(), contents: TEXTS[2].to_owned(), defaults: None };
    let after = Proposal { policies: vec![draft], ..Proposal::default() }.apply(&before);
    let change = member_change(&before, &after, ids.members[0], None, at(9)).expect("it reaches them");
    assert_eq!(change.after.policy.expect("a policy").version, 2);
    // Another text is a version after the one that was on its way.
    let draft = Draft { id: ids.policies[1], name: "p1".to_owned(), contents: TEXTS[0].to_owned(), defaults: None };
    let after = Proposal { policies: vec![draft], ..Proposal::default() }.apply(&before);
    let change = member_change(&before, &after, ids.members[0], None, at(9)).expect("it reaches them");
    assert_eq!(change.after.policy.expect("a policy").version, 3);
}

#[test]
fn a_session_is_held_against_what_would_be_permitted() {
    let (_, ids, workspace) = simple();
    let verdicts = Verdicts::new(Arc::new(workspace), at(9));
    let of = |member: usize, sandbox: &str| {
        let ran = Ran { approval_policy: String::new(), sandbox_mode: sandbox.to_owned(), at: at(0) };
        verdicts.sight(&verdicts.workspace().members[&ids.members[member]], None).session(&ran).0
    };
    assert_eq!(of(1, "read-only"), SessionVerdict::Permitted);
    assert_eq!(of(1, "workspace-write"), SessionVerdict::NotPermitted);
    assert_eq!(of(1, ""), SessionVerdict::Unknown);
    assert_eq!(of(0, "danger-full-access"), SessionVerdict::Permitted);
}
