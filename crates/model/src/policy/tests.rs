//! Which policy binds whom, and what clients are sent.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use super::{Bundle, Considered, DecidedBy, Policy, PolicyRule, PolicyRules};
use crate::{Email, Group, GroupId, GroupSource, Member, MemberId, PermissionSet, PolicyId, Workspace, WorkspaceId};

/// Three groups and three policies that are there, and one of each that is gone but still named.
const SLOTS: usize = 4;
const GONE: usize = 3;

fn at(slot: usize) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + slot as i64).expect("in range")
}

struct House {
    workspace: Workspace,
    groups: [GroupId; SLOTS],
    policies: [PolicyId; SLOTS],
}

impl House {
    fn new() -> Self {
        let groups: [GroupId; SLOTS] = std::array::from_fn(|slot| GroupId::new(at(slot)));
        let policies: [PolicyId; SLOTS] = std::array::from_fn(|slot| PolicyId::new(at(slot)));
        let mut workspace = Workspace::new(WorkspaceId::new(at(0)));
        for slot in 0..GONE {
            let (name, granted) = (format!("g{slot}"), PermissionSet::NONE);
            let group = Group { id: groups[slot], name: name.into(), source: GroupSource::Manual, granted };
            workspace.set_group(group.id, Some(group));
            let policy = Policy::new(policies[slot], &format!("p{slot}"), 1, "", None);
            workspace.policies.insert(policies[slot], policy.into());
        }
        Self { workspace, groups, policies }
    }

    fn set_rules(&mut self, rules: &[(usize, usize)], fallback: Option<usize>) {
        let rule = |(group, policy): &(usize, usize)| PolicyRule {
            group_id: self.groups[*group],
            policy_id: self.policies[*policy],
        };
        let rules: Vec<PolicyRule> = rules.iter().map(rule).collect();
        self.workspace.policy_rules = PolicyRules::new(rules, fallback.map(|slot| self.policies[slot]));
    }

    fn member(&self, groups: &[usize]) -> Member {
        let mut groups: Vec<GroupId> = groups.iter().map(|slot| self.groups[*slot]).collect();
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
            granted: PermissionSet::NONE,
        }
    }

    /// The name of the policy that binds a member of these groups.
    fn binds(&self, groups: &[usize]) -> Option<String> {
        self.workspace.policy_for(&self.member(groups)).map(|policy| policy.name.to_string())
    }
}

fn rules() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..SLOTS, 0..SLOTS), 0..6)
}

fn groups() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence(vec![0, 1, 2, GONE], 0..=SLOTS)
}

/// The position of the rule that decides: the first whose group contains the member, both being there.
fn first_match(rules: &[(usize, usize)], groups: &[usize]) -> Option<usize> {
    rules.iter().position(|(group, policy)| *group != GONE && *policy != GONE && groups.contains(group))
}

proptest! {
    #[test]
    fn the_first_match_decides_and_the_lookup_says_so(
        rules in rules(),
        groups in groups(),
        fallback in prop::option::of(0..SLOTS),
    ) {
        let mut house = House::new();
        house.set_rules(&rules, fallback);
        let matched = first_match(&rules, &groups);
        let slot = matched.map(|position| rules[position].1).or(fallback).filter(|slot| *slot != GONE);
        let expected = slot.map(|slot| house.policies[slot]);

        let member = house.member(&groups);
        let lookup = house.workspace.lookup_member(&member);
        prop_assert_eq!(house.workspace.policy_for(&member).map(|policy| policy.id), expected);
        prop_assert_eq!(lookup.policy.map(|policy| policy.id), expected);
        match (lookup.decided_by, matched) {
            (DecidedBy::Rule(position, group), Some(matched)) => {
                prop_assert_eq!((position, group.id), (matched, house.groups[rules[matched].0]));
            }
            (DecidedBy::Fallback, None) => prop_assert!(expected.is_some()),
            (DecidedBy::None, None) => prop_assert!(expected.is_none()),
            (decided_by, matched) => prop_assert!(false, "{decided_by:?}, but {matched:?}"),
        }
        // Looked at is each rule up to the one that matched, and no other.
        let looked_at = matched.map_or(rules.len(), |position| position + 1);
        prop_assert_eq!(lookup.considered.len(), looked_at);
        for (n, Considered { position, group, matched: is_match }) in lookup.considered.into_iter().enumerate() {
            prop_assert_eq!(position, n);
            prop_assert_eq!(is_match, Some(n) == matched);
            prop_assert_eq!(group.is_none(), rules[n].0 == GONE);
        }
    }

    #[test]
    fn another_order_of_the_rules_decides_by_its_own_first_match(
        (rules, shuffled) in rules().prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())),
        groups in groups(),
    ) {
        let mut house = House::new();
        for rules in [rules, shuffled] {
            house.set_rules(&rules, None);
            let expected = first_match(&rules, &groups).map(|position| format!("p{}", rules[position].1));
            prop_assert_eq!(house.binds(&groups), expected);
        }
    }

    #[test]
    fn a_group_is_looked_up_like_a_member_of_it_alone(rules in rules(), group in 0..SLOTS) {
        let mut house = House::new();
        house.set_rules(&rules, Some(0));
        let alone = house.member(&[group]);
        let lookup = house.workspace.lookup_group(house.groups[group]);
        prop_assert_eq!(lookup.policy.as_ref(), house.workspace.policy_for(&alone));
    }

    #[test]
    fn what_is_sent_is_what_was_written(name in ".*", contents in ".*", defaults in prop::option::of(".*")) {
        let id = PolicyId::new(at(0));
        let policy = Policy::new(id, &name, 1, &contents, defaults.as_deref());
        let bundle: Value = serde_json::from_slice(&policy.bundle.bundle).expect("JSON");
        let fragment = |text: &str| serde_json::json!({
            "enterprise_managed": [{ "id": id.to_string(), "name": name, "contents": text }],
        });
        prop_assert_eq!(&bundle["requirements_toml"], &fragment(&contents));
        let defaults = defaults.filter(|text| !text.trim().is_empty());
        prop_assert_eq!(&bundle["config_toml"], &defaults.map_or(Value::Null, |text| fragment(&text)));
        let older: Value = serde_json::from_slice(&policy.bundle.requirements).expect("JSON");
        prop_assert_eq!(older, serde_json::json!({ "contents": contents }));
    }
}

#[test]
fn a_rule_whose_group_or_policy_is_gone_matches_nobody() {
    let mut house = House::new();
    house.set_rules(&[(GONE, 0), (0, GONE), (0, 1)], Some(2));
    assert_eq!(house.binds(&[0, GONE]).as_deref(), Some("p1"));
    assert_eq!(house.binds(&[GONE]).as_deref(), Some("p2"), "the fallback");
    house.set_rules(&[(GONE, 0)], Some(GONE));
    assert_eq!(house.binds(&[GONE]), None, "neither the group nor the fallback is there");
}

#[test]
fn a_policy_is_complete_and_never_filled_up_from_a_later_match() {
    let mut house = House::new();
    let (strict, id) = (house.policies[0], house.policies[1]);
    house.workspace.policies.insert(strict, Policy::new(strict, "p0", 1, "", None).into());
    house.workspace.policies.insert(id, Policy::new(id, "p1", 1, "x = 1", Some("y = 2")).into());
    house.set_rules(&[(0, 0), (0, 1)], Some(1));
    let policy = house.workspace.policy_for(&house.member(&[0])).expect("the first rule matches");
    assert_eq!((&*policy.contents, policy.defaults.as_deref()), ("", None));
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn example(defaults: Option<&str>) -> Policy {
    let id = "pol_0198c1f000007000800000000000000a".parse().expect("an id");
    Policy::new(id, "Strict \"1\"", 3, "allowed_sandbox_modes = [\"read-only\"]\n", defaults)
}

#[test]
fn the_bundle_of_a_policy_with_defaults() {
    let policy = example(Some("model = \"gpt\"\n"));
    insta::assert_snapshot!(text(&policy.bundle.bundle), @r#"{"config_toml":{"enterprise_managed":[{"contents":"model = \"gpt\"\n","id":"pol_0198c1f000007000800000000000000a","name":"Strict \"1\""}]},"requirements_toml":{"enterprise_managed":[{"contents":"allowed_sandbox_modes = [\"read-only\"]\n","id":"pol_0198c1f000007000800000000000000a","name":"Strict \"1\""}]}}"#);
    insta::assert_snapshot!(text(&policy.bundle.requirements), @r#"{"contents":"allowed_sandbox_modes = [\"read-only\"]\n"}"#);
}

#[test]
fn the_bundle_of_a_policy_without_defaults() {
    // White space alone is no defaults.
    assert_eq!(example(Some(" \n")).bundle, example(None).bundle);
    insta::assert_snapshot!(text(&example(None).bundle.bundle), @r#"{"config_toml":null,"requirements_toml":{"enterprise_managed":[{"contents":"allowed_sandbox_modes = [\"read-only\"]\n","id":"pol_0198c1f000007000800000000000000a","name":"Strict \"1\""}]}}"#);
}

#[test]
fn the_bundle_without_a_policy() {
    let empty = Bundle::empty();
    insta::assert_snapshot!(text(&empty.bundle), @r#"{"config_toml":null,"requirements_toml":null}"#);
    insta::assert_snapshot!(text(&empty.requirements), @r#"{"contents":null}"#);
}
