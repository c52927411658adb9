use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Email, GroupId, MemberId, Permission, PermissionSet, RoleId};

/// A person of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub id: MemberId,
    /// Its address: how it signs in, and how it is shown.
    pub email: Email,
    /// Its name; may be empty.
    pub name: Arc<str>,
    /// Whether it may do anything at all. A suspended member keeps its groups and roles.
    pub active: bool,
    /// Its built-in role.
    pub builtin_role: BuiltinRole,
    /// Whether it has a password here, by which it can sign in without an identity provider.
    pub has_password: bool,
    /// Whether it has set up a second factor here.
    pub has_second_factor: bool,
    /// Its groups, sorted.
    pub groups: Arc<[GroupId]>,
    /// The custom roles assigned to it directly, sorted.
    pub roles: Arc<[RoleId]>,
    /// What its custom roles grant it, directly and through its groups, or the default role if it
    /// has none. Derived when the snapshot is made ([`crate::Workspace::set_member`]), so that a
    /// decision is a few ORs.
    #[serde(skip)]
    pub granted: PermissionSet,
}

/// The roles that every workspace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuiltinRole {
    /// Nothing beyond the toggles and custom roles.
    #[default]
    Member,
    /// Reads analytics.
    AnalyticsViewer,
    /// Runs the workspace day to day; cannot administer Codex or read compliance data unless a
    /// custom role says so.
    Admin,
    /// Holds everything.
    Owner,
}

impl BuiltinRole {
    /// Every built-in role, weakest first.
    pub const ALL: [Self; 4] = [Self::Member, Self::AnalyticsViewer, Self::Admin, Self::Owner];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::AnalyticsViewer => "analytics_viewer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Member => "Member",
            Self::AnalyticsViewer => "Analytics viewer",
            Self::Admin => "Admin",
            Self::Owner => "Owner",
        }
    }

    /// What it grants.
    pub fn granted(self) -> PermissionSet {
        use Permission::*;
        match self {
            Self::Member => PermissionSet::NONE,
            Self::AnalyticsViewer => [AnalyticsRead].into_iter().collect(),
            Self::Admin => {
                [WorkspaceSettingsWrite, MembersRead, MembersWrite, RolesWrite, ApiKeysWrite, AnalyticsRead, EventsRead]
                    .into_iter()
                    .collect()
            }
            Self::Owner => PermissionSet::all(),
        }
    }
}

impl std::str::FromStr for BuiltinRole {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("there is no built-in role `{text}`"))
    }
}
