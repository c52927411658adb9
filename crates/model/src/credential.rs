use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AccessTokenId, AllowedIps, ApiKeyId, MemberId, Permission, PermissionSet};

/// SHA-256 of a bearer secret: what is stored and looked up. The secrets carry 256 random bits, so
/// an unsalted fast hash is enough, and looking one up by hash leaks nothing through timing.
pub type TokenHash = [u8; 32];

/// A member's personal access token (`at-…`), for programmatic use of Codex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// Its id.
    pub id: AccessTokenId,
    /// Whose it is: usage counts as this member's.
    pub member_id: MemberId,
    /// When this secret of it stops working; none is never.
    pub expires_at: Option<Timestamp>,
    /// From where it works.
    pub allowed_ips: AllowedIps,
}

/// An API key of the workspace (`pk-…`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: Arc<str>,
    /// What it may be used for.
    pub scopes: Arc<[Scope]>,
    /// Whether it works yet.
    pub status: ApiKeyStatus,
    /// When this secret of it stops working; none is never.
    pub expires_at: Option<Timestamp>,
    /// From where it works.
    pub allowed_ips: AllowedIps,
}

impl ApiKey {
    /// What it may do.
    pub fn permissions(&self) -> PermissionSet {
        self.scopes.iter().fold(PermissionSet::NONE, |set, scope| set.union(scope.granted()))
    }
}

/// Whether an API key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyStatus {
    /// It works.
    Active,
    /// It waits for a second person.
    PendingApproval,
}

impl ApiKeyStatus {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PendingApproval => "pending_approval",
        }
    }
}

/// What an API key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// The admin API, whole.
    #[serde(rename = "admin")]
    Admin,
    /// The Analytics API.
    #[serde(rename = "analytics.read")]
    AnalyticsRead,
    /// Reading the Compliance API.
    #[serde(rename = "compliance.read")]
    ComplianceRead,
    /// Deleting through the Compliance API.
    #[serde(rename = "compliance.delete")]
    ComplianceDelete,
    /// SCIM provisioning.
    #[serde(rename = "scim")]
    Scim,
    /// Reading events.
    #[serde(rename = "events.read")]
    EventsRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::AnalyticsRead, Self::ComplianceRead, Self::ComplianceDelete, Self::Scim, Self::EventsRead];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::AnalyticsRead => "analytics.read",
            Self::ComplianceRead => "compliance.read",
            Self::ComplianceDelete => "compliance.delete",
            Self::Scim => "scim",
            Self::EventsRead => "events.read",
        }
    }

    /// The permissions that it stands for. A key is nobody's own Codex: it may administer, never
    /// use Codex itself. The data of compliance is behind its own scopes, also for `admin`.
    pub fn granted(self) -> PermissionSet {
        use Permission::*;
        match self {
            Self::Admin => [
                CodexAdminister,
                CodexSecurityUse,
                CodexSecurityAdminister,
                WorkspaceSettingsWrite,
                MembersRead,
                MembersWrite,
                RolesWrite,
                ApiKeysWrite,
                AnalyticsRead,
                EventsRead,
            ]
            .into_iter()
            .collect(),
            Self::AnalyticsRead => [AnalyticsRead].into_iter().collect(),
            Self::ComplianceRead => [ComplianceRead].into_iter().collect(),
            Self::ComplianceDelete => [ComplianceDelete].into_iter().collect(),
            // SCIM has its own surface; it is no way into the admin API.
            Self::Scim => PermissionSet::NONE,
            Self::EventsRead => [EventsRead].into_iter().collect(),
        }
    }
}
