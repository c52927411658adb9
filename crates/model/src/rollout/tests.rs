//! Whom a rollout reaches.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::{Email, Group, GroupSource, Permission, PermissionSet, PolicyRules, WorkspaceId};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("in range")
}

fn member(groups: &[GroupId]) -> Member {
    let mut groups = groups.to_vec();
    groups.sort();
    Member {
        id: MemberId::new(at(0)),
        email: Email::try_from("ada@example.com".to_owned()).expect("valid"),
        name: "".into(),
        active: true,
        builtin_role: Default::default(),
        has_password: true,
        has_second_factor: false,
        groups: groups.into(),
        roles: [].into(),
        granted: PermissionSet::from_iter([Permission::CodexLocalUse]),
    }
}

fn rollout(share: u32) -> Rollout {
    let policy = Policy::new(PolicyId::new(at(0)), "p", 2, "", None);
    Rollout {
        id: RolloutId::new(at(0)),
        candidate: policy.into(),
        share,
        groups: [].into(),
        min_client_version: None,
        max_client_version: None,
        holders: None,
    }
}

fn version(text: &str) -> Option<ClientVersion> {
    Some(text.parse().expect("a version"))
}

static EMPTY: LazyLock<Workspace> = LazyLock::new(|| Workspace::new(WorkspaceId::new(at(0))));
static CROWD: LazyLock<Vec<Member>> = LazyLock::new(|| (0..100_000).map(|_| member(&[])).collect());

fn reached(rollout: &Rollout) -> usize {
    CROWD.iter().filter(|member| rollout.reaches(&EMPTY, member, None)).count()
}

/// Of a hundred thousand members the share is met within five standard deviations (some 790 at the most).
#[test]
fn a_share_of_a_hundred_thousand_members_is_that_share() {
    for share in [0, 1, 100, 500, 2_500, 3_333, 5_000, 9_999, Rollout::ALL] {
        let found = reached(&rollout(share)) as f64;
        let p = f64::from(share) / f64::from(Rollout::ALL);
        let spread = 5.0 * (100_000.0 * p * (1.0 - p)).sqrt();
        assert!((found - 100_000.0 * p).abs() <= spread, "{share}: {found}");
    }
}

/// Two rollouts at a tenth each share a hundredth: nobody is always first.
#[test]
fn rollouts_choose_independently_of_each_other() {
    let (one, other) = (rollout(1_000), rollout(1_000));
    let both =
        CROWD.iter().filter(|member| one.reaches(&EMPTY, member, None) && other.reaches(&EMPTY, member, None)).count();
    assert!((850..=1_150).contains(&both), "{both}");
}

proptest! {
    #[test]
    fn who_is_reached_stays_reached_as_the_share_grows(low in 0..=Rollout::ALL, more in 0..=Rollout::ALL) {
        let small = rollout(low);
        let large = Rollout { share: (low + more).min(Rollout::ALL), ..small.clone() };
        for member in &CROWD[..200] {
            prop_assert!(!small.reaches(&EMPTY, member, None) || large.reaches(&EMPTY, member, None));
            prop_assert_eq!(small.reaches(&EMPTY, member, None), small.reaches(&EMPTY, &member.clone(), None));
        }
    }
}

#[test]
fn groups_and_versions_narrow_it_down() {
    let (group, other) = (GroupId::new(at(1)), GroupId::new(at(2)));
    let mut workspace = EMPTY.clone();
    for id in [group, other] {
        let source = GroupSource::Manual;
        workspace.set_group(id, Some(Group { id, name: "g".into(), source, granted: PermissionSet::NONE }));
    }
    let all = Rollout { groups: [group].into(), ..rollout(Rollout::ALL) };
    assert!(all.reaches(&workspace, &member(&[group, other]), None));
    assert!(!all.reaches(&workspace, &member(&[other]), None));
    assert!(!all.reaches(&workspace, &member(&[]), None));
    // A group that was deleted has no members: the list is not empty, so nobody is reached.
    workspace.set_group(group, None);
    assert!(!all.reaches(&workspace, &member(&[group, other]), None));

    let bounds = |min, max| Rollout { min_client_version: min, max_client_version: max, ..rollout(Rollout::ALL) };
    let somebody = member(&[]);
    let since = bounds(version("0.137.0"), None);
    assert!(
        since.reaches(&EMPTY, &somebody, version("0.137.0")) && since.reaches(&EMPTY, &somebody, version("0.169.0"))
    );
    assert!(!since.reaches(&EMPTY, &somebody, version("0.136.9")));
    let until = bounds(None, version("0.137.0"));
    assert!(
        until.reaches(&EMPTY, &somebody, version("0.130.0")) && !until.reaches(&EMPTY, &somebody, version("0.137.1"))
    );
    // A client that does not say its version gets the version of before, unless versions do not matter.
    assert!(!since.reaches(&EMPTY, &somebody, None) && !until.reaches(&EMPTY, &somebody, None));
    assert!(rollout(Rollout::ALL).reaches(&EMPTY, &somebody, None));
}

#[test]
fn while_it_is_paused_only_who_has_it_keeps_it() {
    let (holder, other) = (member(&[]), member(&[]));
    let paused = Rollout { holders: Some([holder.id].into()), ..rollout(Rollout::ALL) };
    assert!(paused.reaches(&EMPTY, &holder, None) && !paused.reaches(&EMPTY, &other, None));
    // Who was left out of it meanwhile does not keep it.
    let narrowed = Rollout { share: 0, ..paused };
    assert!(!narrowed.reaches(&EMPTY, &holder, None));
}

#[test]
fn the_reach_counts_who_gets_the_policy() {
    let mut workspace = Workspace::new(WorkspaceId::new(at(0)));
    let rollout = rollout(5_000);
    let id = rollout.candidate.id;
    let expected = CROWD[..500].iter().filter(|member| rollout.reaches(&EMPTY, member, None)).count();
    let policy = Policy { rollout: Some(rollout.into()), ..Policy::new(id, "p", 1, "", None) };
    workspace.policies.insert(id, policy.into());
    for (index, member) in CROWD[..600].iter().enumerate() {
        workspace.set_member(Member { active: index < 500, ..member.clone() });
    }
    assert_eq!(workspace.rollout_reach(id, at(0)), RolloutReach { members: 0, reached: 0 });
    workspace.policy_rules = PolicyRules::new([], Some(id));
    assert_eq!(workspace.rollout_reach(id, at(0)), RolloutReach { members: 500, reached: expected });
}
