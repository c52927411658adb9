use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::kept::KeptPolicy;
use crate::{Group, GroupId, Member, PolicyId, Rollout, Workspace, telemetry};

/// A managed policy: a named `requirements.toml`, and the `config.toml` defaults that ride along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "KeptPolicy", from = "KeptPolicy")]
pub struct Policy {
    /// Its id; clients print it beside the name when a policy holds a developer back.
    pub id: PolicyId,
    /// Its name.
    pub name: Arc<str>,
    /// Counts from one; each change of name or text makes a new one.
    pub version: u32,
    /// The `requirements.toml` text.
    pub contents: Arc<str>,
    /// The `config.toml` text; none is no defaults.
    pub defaults: Option<Arc<str>>,
    /// What clients are sent, rendered once.
    pub bundle: Bundle,
    /// The next version, on its way to everybody, while there is one.
    pub rollout: Option<Arc<Rollout>>,
}

impl Policy {
    /// A policy with its bundle rendered.
    pub fn new(id: PolicyId, name: &str, version: u32, contents: &str, defaults: Option<&str>) -> Self {
        let bundle = Bundle::render(id, name, contents, defaults);
        let defaults = defaults.map(Arc::from);
        Self { id, name: name.into(), version, contents: contents.into(), defaults, bundle, rollout: None }
    }
}

/// The bodies that clients fetch, as bytes, so that delivery copies nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// `config/bundle`, for clients since 0.137 (`client-contract.md` §2.1).
    pub bundle: Arc<[u8]>,
    /// `config/requirements`, for clients before it (§2.2): requirements only.
    pub requirements: Arc<[u8]>,
    /// Whether the policy has an `[otel]` table of its own: what clients report is then its affair.
    pub names_otel: bool,
    /// Names `bundle` among all that an address ever answers: an entity tag (RFC 9110 §8.8.3).
    pub bundle_tag: Arc<str>,
    /// Names `requirements`.
    pub requirements_tag: Arc<str>,
}

#[derive(Serialize)]
struct Fragments<'a> {
    enterprise_managed: Vec<Fragment<'a>>,
}

impl<'a> Fragments<'a> {
    fn one(id: PolicyId, name: &'a str, contents: &'a str) -> Self {
        Self { enterprise_managed: vec![Fragment { id, name, contents }] }
    }
}

#[derive(Serialize)]
struct Fragment<'a> {
    id: PolicyId,
    name: &'a str,
    contents: &'a str,
}

impl Bundle {
    /// The bundle that carries no policy: valid, and constrains nothing.
    pub fn empty() -> Self {
        Self::of(br#"{"config_toml":null,"requirements_toml":null}"#.as_slice(), br#"{"contents":null}"#.as_slice())
    }

    fn render(id: PolicyId, name: &str, contents: &str, defaults: Option<&str>) -> Self {
        let defaults = defaults.filter(|text| !text.trim().is_empty());
        let bundle = serde_json::json!({
            "config_toml": defaults.map(|text| Fragments::one(id, name, text)),
            "requirements_toml": Fragments::one(id, name, contents),
        });
        let requirements = serde_json::json!({ "contents": contents });
        let bundle = Self::of(bundle.to_string().into_bytes(), requirements.to_string().into_bytes());
        Self { names_otel: telemetry::names_otel(contents), ..bundle }
    }

    fn of(bundle: impl Into<Arc<[u8]>>, requirements: impl Into<Arc<[u8]>>) -> Self {
        let (bundle, requirements) = (bundle.into(), requirements.into());
        let (bundle_tag, requirements_tag) = (tag(&bundle), tag(&requirements));
        Self { bundle, requirements, names_otel: false, bundle_tag, requirements_tag }
    }
}

/// The same on every node, and after every restart: 128 bits of FNV-1a over the bytes. Texts are the
/// admins' own, so nobody gains by finding two that collide.
fn tag(body: &[u8]) -> Arc<str> {
    let hash = body.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b)
    });
    format!("\"{hash:032x}\"").into()
}

/// One rule: members of the group get the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRule {
    /// The group.
    pub group_id: GroupId,
    /// The policy.
    pub policy_id: PolicyId,
}

/// The ordered rules and the fallback.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyRules {
    /// In order: the first whose group contains the member decides.
    pub rules: Arc<[PolicyRule]>,
    /// For whom no rule matches; none means no policy.
    pub fallback: Option<PolicyId>,
    /// The first rule of each group, by its position; follows `rules`. A member is in few groups, and
    /// there may be many rules.
    first_of: Arc<HashMap<GroupId, usize, foldhash::fast::RandomState>>,
}

impl PolicyRules {
    /// These rules, in this order, and this fallback.
    pub fn new(rules: impl Into<Arc<[PolicyRule]>>, fallback: Option<PolicyId>) -> Self {
        let rules = rules.into();
        let mut first_of: HashMap<_, _, foldhash::fast::RandomState> = HashMap::default();
        for (position, rule) in rules.iter().enumerate() {
            first_of.entry(rule.group_id).or_insert(position);
        }
        Self { rules, fallback, first_of: Arc::new(first_of) }
    }
}

/// The answer to "which policy, and why".
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The policy; none constrains nothing.
    pub policy: Option<Arc<Policy>>,
    /// What decided.
    pub decided_by: DecidedBy,
    /// The rules that were looked at, in order, up to the one that matched.
    pub considered: Vec<Considered>,
}

/// What decided a lookup.
#[derive(Debug, Clone)]
pub enum DecidedBy {
    /// The rule at this position (from zero).
    Rule(usize, Arc<Group>),
    /// No rule matched: the fallback.
    Fallback,
    /// No rule matched and there is no fallback.
    None,
}

/// One rule that a lookup looked at.
#[derive(Debug, Clone)]
pub struct Considered {
    /// Its position, from zero.
    pub position: usize,
    /// Its group; none if the group is gone, and then the rule matches nobody.
    pub group: Option<Arc<Group>>,
    /// Whether it matched.
    pub matched: bool,
}

impl Workspace {
    /// The policy that binds a member: the first rule whose group contains them, else the
    /// fallback. This is what delivery calls; [`Self::lookup_member`] answers the same with reasons.
    pub fn policy_for(&self, member: &Member) -> Option<&Arc<Policy>> {
        self.policy_in(&member.groups)
    }

    /// The policy that binds somebody who is in these groups (sorted) and no others.
    pub(crate) fn policy_in(&self, groups: &[GroupId]) -> Option<&Arc<Policy>> {
        let rule = self.rule_in(groups).map(|position| &self.policy_rules.rules[position]);
        let policy_id = rule.map(|rule| rule.policy_id).or(self.policy_rules.fallback)?;
        self.policies.get(&policy_id)
    }

    /// The position of the rule that decides over a member; none if no rule does.
    pub fn rule_for(&self, member: &Member) -> Option<usize> {
        self.rule_in(&member.groups)
    }

    fn rule_in(&self, groups: &[GroupId]) -> Option<usize> {
        let PolicyRules { rules, first_of, .. } = &self.policy_rules;
        let first = groups.iter().filter_map(|group| first_of.get(group)).min().copied();
        match first {
            // Its group or its policy is gone: a later one may match.
            Some(position) if !self.matches(&rules[position], |_| true) => {
                rules.iter().position(|rule| self.matches(rule, |group| groups.binary_search(&group).is_ok()))
            }
            first => first,
        }
    }

    /// Which policy binds a member, and why.
    pub fn lookup_member(&self, member: &Member) -> Lookup {
        self.lookup(|group| member.is_in(group))
    }

    /// Which policy binds somebody who is in this group and no other, and why.
    pub fn lookup_group(&self, group: GroupId) -> Lookup {
        self.lookup(|other| other == group)
    }

    /// A rule whose group or policy is gone is never applied.
    fn matches(&self, rule: &PolicyRule, is_in: impl Fn(GroupId) -> bool) -> bool {
        is_in(rule.group_id) && self.groups.contains_key(&rule.group_id) && self.policies.contains_key(&rule.policy_id)
    }

    fn lookup(&self, is_in: impl Fn(GroupId) -> bool) -> Lookup {
        let mut considered = Vec::new();
        for (position, rule) in self.policy_rules.rules.iter().enumerate() {
            let group = self.groups.get(&rule.group_id).cloned();
            let matched = self.matches(rule, &is_in);
            considered.push(Considered { position, group: group.clone(), matched });
            if let (true, Some(group)) = (matched, group) {
                let policy = self.policies.get(&rule.policy_id).cloned();
                return Lookup { policy, decided_by: DecidedBy::Rule(position, group), considered };
            }
        }
        let policy = self.policy_rules.fallback.and_then(|id| self.policies.get(&id)).cloned();
        let decided_by = if policy.is_some() { DecidedBy::Fallback } else { DecidedBy::None };
        Lookup { policy, decided_by, considered }
    }
}

impl Member {
    /// Whether the member is in the group.
    pub fn is_in(&self, group: GroupId) -> bool {
        self.groups.binary_search(&group).is_ok()
    }
}

#[cfg(test)]
mod tests;
