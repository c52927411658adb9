//! Typed identifiers. On the wire each is an opaque string with a prefix that says what it names
//! (`mem_0198…`); inside it is sixteen bytes, so that sets and maps of them stay small and fast.
//! A string with a foreign prefix is not an id: what carries one is answered 404.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::{NoContext, Uuid};

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0} id")]
pub struct InvalidId(pub &'static str);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal, $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: UUID version 7, so that ids sort by creation.
            pub fn new(at: Timestamp) -> Self {
                let seconds = u64::try_from(at.as_second()).unwrap_or(0);
                let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or(0);
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos)))
            }

            /// What such an id names, for error messages.
            pub const NOUN: &'static str = $noun;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if $prefix.is_empty() {
                    write!(f, "{}", self.0.hyphenated())
                } else {
                    write!(f, concat!($prefix, "{}"), self.0.simple())
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let body = text.strip_prefix($prefix).ok_or(InvalidId($noun))?;
                let id = Self(Uuid::try_parse(body).map_err(|_| InvalidId($noun))?);
                let mut buffer = Uuid::encode_buffer();
                let printed = match $prefix.is_empty() {
                    true => id.0.hyphenated().encode_lower(&mut buffer),
                    false => id.0.simple().encode_lower(&mut buffer),
                };
                // One spelling only: an id that prints differently would be a second name.
                if *printed == *body { Ok(id) } else { Err(InvalidId($noun)) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                String::schema()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

ids! {
    /// A workspace: the tenant. A plain UUID, as the hosted product shows it; clients call it
    /// `chatgpt_account_id`.
    WorkspaceId, "", "workspace";
    /// A member; clients call it `chatgpt_user_id`.
    MemberId, "mem_", "member";
    /// A group.
    GroupId, "grp_", "group";
    /// A custom role.
    RoleId, "role_", "role";
    /// A policy.
    PolicyId, "pol_", "policy";
    /// An upstream.
    UpstreamId, "up_", "upstream";
    /// An access token (`at-…` is its secret, this is its name).
    AccessTokenId, "atk_", "access token";
    /// An API key (`pk-…` is its secret, this is its name).
    ApiKeyId, "key_", "API key";
    /// One sign-in of one client: the family of refresh tokens that descend from it.
    GrantId, "grant_", "client session";
    /// An event.
    EventId, "evt_", "event";
    /// A device sign-in that waits for its member.
    DeviceLoginId, "dev_", "device sign-in";
    /// A member's session in the browser (the cookie is its secret, this is its name).
    SessionId, "ses_", "session";
    /// A connection to an identity provider.
    ConnectionId, "conn_", "connection";
    /// An e-mail domain of the workspace.
    DomainId, "dom_", "domain";
    /// A second factor of a member.
    SecondFactorId, "mfa_", "second factor";
    /// The receipt of a deprovisioning.
    DeprovisionId, "dep_", "deprovisioning";
    /// A running node: one process that serves.
    NodeId, "node_", "node";
    /// A workload identity: whose tokens may be exchanged for access.
    WorkloadIdentityId, "wid_", "workload identity";
    /// A change of policies that waits for a second person.
    PolicyProposalId, "prop_", "policy proposal";
    /// A log file of the Compliance API: the prefix is the hosted product's (inventory §11.3).
    LogFileId, "eclf_", "log file";
    /// A version of a policy on its way to everybody.
    RolloutId, "roll_", "rollout";
    /// Another policy for one member, for a time.
    PolicyExceptionId, "exc_", "policy exception";
    /// Machines that get a policy without a signed-in member.
    DeviceEnrolmentId, "enr_", "device enrolment";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_one_spelling() {
        let at = Timestamp::from_second(1_700_000_000).expect("in range");
        let id = MemberId::new(at);
        assert_eq!(id.to_string().parse(), Ok(id));
        let upper = format!("mem_{}", id.to_string()[4..].to_uppercase());
        for foreign in ["", "mem_", "grp_0198", upper.as_str(), "0198c1f0-0000-7000-8000-000000000000"] {
            assert_eq!(foreign.parse::<MemberId>(), Err(InvalidId("member")), "{foreign}");
        }
    }
}
