//! A workspace as it is kept outside of the database: what it is made of, without what follows from that.
//!
//! Whoever adds a field to [`Workspace`] meets the compiler here, so that nothing that decides is
//! forgotten when Provost starts without its database.

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    AccessToken, ApiKey, DeviceEnrolment, GrantId, Group, Member, Model, Policy, PolicyException, PolicyId, PolicyRule,
    PolicyRules, Role, RoleId, Rollout, Settings, TokenHash, Upstream, UpstreamId, Workspace, WorkspaceId,
};

#[derive(Serialize, Deserialize)]
struct Kept {
    id: WorkspaceId,
    version: i64,
    settings: Arc<Settings>,
    members: Vec<Arc<Member>>,
    groups: Vec<Arc<Group>>,
    roles: Vec<Arc<Role>>,
    default_role_id: Option<RoleId>,
    policies: Vec<Arc<Policy>>,
    rules: Arc<[PolicyRule]>,
    fallback: Option<PolicyId>,
    policy_exceptions: Vec<Arc<PolicyException>>,
    device_enrolments: Vec<(Hash, Arc<DeviceEnrolment>)>,
    upstreams: Vec<KeptUpstream>,
    access_tokens: Vec<(Hash, Arc<AccessToken>)>,
    api_keys: Vec<(Hash, Arc<ApiKey>)>,
    revoked_grants: Vec<(GrantId, Timestamp)>,
}

impl Serialize for Workspace {
    /// All that decides, the keys of upstreams included: to be sealed, and never an answer.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fn hashed<T>(map: &crate::Map<TokenHash, Arc<T>>) -> Vec<(Hash, Arc<T>)> {
            map.iter().map(|(hash, value)| (Hash(*hash), value.clone())).collect()
        }
        let Self {
            id,
            version,
            settings,
            granted_by_settings: _,
            members,
            groups,
            groups_with_roles: _,
            roles,
            default_role_id,
            policies,
            policy_rules,
            policy_exceptions,
            device_enrolments,
            upstreams,
            models: _,
            access_tokens,
            api_keys,
            revoked_grants,
        } = self;
        let kept = Kept {
            id: *id,
            version: *version,
            settings: settings.clone(),
            members: members.values().cloned().collect(),
            groups: groups.values().cloned().collect(),
            roles: roles.values().cloned().collect(),
            default_role_id: *default_role_id,
            policies: policies.values().cloned().collect(),
            rules: policy_rules.rules.clone(),
            fallback: policy_rules.fallback,
            policy_exceptions: policy_exceptions.values().cloned().collect(),
            device_enrolments: hashed(device_enrolments),
            upstreams: upstreams.values().map(|upstream| KeptUpstream::from(upstream.as_ref())).collect(),
            access_tokens: hashed(access_tokens),
            api_keys: hashed(api_keys),
            revoked_grants: revoked_grants.iter().map(|(id, until)| (*id, *until)).collect(),
        };
        kept.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Workspace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kept = Kept::deserialize(deserializer)?;
        let mut workspace = Self::new(kept.id);
        workspace.version = kept.version;
        workspace.set_settings(Settings::clone(&kept.settings));
        workspace.set_default_role(kept.default_role_id);
        // What groups and members are granted follows from the roles, so those come first.
        for group in kept.groups {
            workspace.set_group(group.id, Some(Arc::unwrap_or_clone(group)));
        }
        for role in kept.roles {
            workspace.set_role(role.id, Some(Arc::unwrap_or_clone(role)));
        }
        for member in kept.members {
            workspace.set_member(Arc::unwrap_or_clone(member));
        }
        workspace.policies = kept.policies.into_iter().map(|policy| (policy.id, policy)).collect();
        workspace.policy_rules = PolicyRules::new(kept.rules, kept.fallback);
        workspace.policy_exceptions =
            kept.policy_exceptions.into_iter().map(|exception| (exception.member_id, exception)).collect();
        workspace.device_enrolments = kept.device_enrolments.into_iter().map(|(hash, found)| (hash.0, found)).collect();
        for upstream in kept.upstreams {
            workspace.set_upstream(upstream.id, Some(upstream.into()));
        }
        workspace.access_tokens = kept.access_tokens.into_iter().map(|(hash, token)| (hash.0, token)).collect();
        workspace.api_keys = kept.api_keys.into_iter().map(|(hash, key)| (hash.0, key)).collect();
        workspace.revoked_grants = kept.revoked_grants.into_iter().collect();
        Ok(workspace)
    }
}

/// A policy without the bundle, which is rendered from it.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptPolicy {
    id: PolicyId,
    name: Arc<str>,
    version: u32,
    contents: Arc<str>,
    defaults: Option<Arc<str>>,
    rollout: Option<Arc<Rollout>>,
}

impl From<Policy> for KeptPolicy {
    fn from(policy: Policy) -> Self {
        let Policy { id, name, version, contents, defaults, bundle: _, rollout } = policy;
        Self { id, name, version, contents, defaults, rollout }
    }
}

impl From<KeptPolicy> for Policy {
    fn from(kept: KeptPolicy) -> Self {
        let policy = Self::new(kept.id, &kept.name, kept.version, &kept.contents, kept.defaults.as_deref());
        Self { rollout: kept.rollout, ..policy }
    }
}

/// An upstream with its key: a type of its own, so that [`Upstream`] itself turns into no text.
#[derive(Serialize, Deserialize)]
struct KeptUpstream {
    id: UpstreamId,
    name: Arc<str>,
    base_url: Arc<str>,
    api_key: Option<Arc<str>>,
    models: Arc<[Model]>,
}

impl From<&Upstream> for KeptUpstream {
    fn from(upstream: &Upstream) -> Self {
        let Upstream { id, name, base_url, api_key, models } = upstream.clone();
        Self { id, name, base_url, api_key, models }
    }
}

impl From<KeptUpstream> for Upstream {
    fn from(kept: KeptUpstream) -> Self {
        let KeptUpstream { id, name, base_url, api_key, models } = kept;
        Self { id, name, base_url, api_key, models }
    }
}

/// A hash as 64 hexadecimal digits.
struct Hash(TokenHash);

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let pairs = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        serializer.serialize_str(&pairs.map(|digit| char::from(DIGITS[usize::from(digit)])).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let mut hash = TokenHash::default();
        for (index, place) in hash.iter_mut().enumerate() {
            *place = byte(2 * index).ok_or_else(|| D::Error::custom("not a hash"))?;
        }
        Ok(Self(hash))
    }
}
