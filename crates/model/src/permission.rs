use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $wire:tt;)*) => {
        /// One thing that a caller may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $wire)] $name,)*
        }

        impl Permission {
            /// Every permission, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $wire),* }
            }
        }
    };
}

permissions! {
    /// Use Codex on one's own machine: CLI, app, IDE extension.
    CodexLocalUse = "codex.local.use";
    /// Sign a client in with a device code.
    CodexLocalDeviceCode = "codex.local.device_code";
    /// Create personal access tokens.
    CodexAccessTokensCreate = "codex.access_tokens.create";
    /// Run tasks in Codex cloud.
    CodexCloudUse = "codex.cloud.use";
    /// Let the agent of an environment reach the internet.
    CodexCloudInternetAccess = "codex.cloud.internet_access";
    /// Have answers posted to Slack when a task completes.
    CodexSlackPostAnswers = "codex.slack.post_answers";
    /// Administer Codex: analytics, policies, environments. Whoever holds it is a *Codex Admin*.
    CodexAdminister = "codex.administer";
    /// Use Codex Security: see scans and findings.
    CodexSecurityUse = "codex.security.use";
    /// Administer Codex Security: create and change scans.
    CodexSecurityAdminister = "codex.security.administer";
    /// Change the settings of the workspace, and its upstreams.
    WorkspaceSettingsWrite = "workspace.settings.write";
    /// See members, groups and roles.
    MembersRead = "members.read";
    /// Change members and groups.
    MembersWrite = "members.write";
    /// Change roles and who has them.
    RolesWrite = "roles.write";
    /// Create and revoke API keys.
    ApiKeysWrite = "api_keys.write";
    /// Read analytics.
    AnalyticsRead = "analytics.read";
    /// Read compliance data.
    ComplianceRead = "compliance.read";
    /// Delete compliance data.
    ComplianceDelete = "compliance.delete";
    /// Read the events of the workspace.
    EventsRead = "events.read";
}

impl Permission {
    /// Whether it rules over others rather than over one's own use of Codex. Nobody may hand out
    /// such a permission without holding it: that is what keeps an admin from becoming an owner.
    pub fn is_administrative(self) -> bool {
        !matches!(
            self,
            Self::CodexLocalUse
                | Self::CodexLocalDeviceCode
                | Self::CodexAccessTokensCreate
                | Self::CodexCloudUse
                | Self::CodexCloudInternetAccess
                | Self::CodexSlackPostAnswers
                | Self::CodexSecurityUse
        )
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no permission `{0}`")]
pub struct UnknownPermission(pub String);

impl FromStr for Permission {
    type Err = UnknownPermission;
    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let found = Self::ALL.iter().copied().find(|p| p.as_str() == text);
        found.ok_or_else(|| UnknownPermission(text.to_owned()))
    }
}

/// A set of permissions: one bit each, so that a decision is a few ORs.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet(u32);

impl PermissionSet {
    /// No permission.
    pub const NONE: Self = Self(0);

    /// Every permission.
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Whether it holds this one.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u32) != 0
    }

    /// Both together: the most permissive wins.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is here and not there.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Adds one.
    pub const fn insert(&mut self, permission: Permission) {
        self.0 |= 1 << permission as u32;
    }

    /// Its permissions, in their order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |p| self.contains(*p))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let mut set = Self::NONE;
        permissions.into_iter().for_each(|p| set.insert(p));
        set
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

impl Serialize for PermissionSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PermissionSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}
