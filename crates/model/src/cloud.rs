//! Whether a member may go on to Codex cloud.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{Member, Permission, Workspace};

/// Why a member may not use Codex cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
pub enum CloudRefusal {
    /// They are suspended.
    Suspended,
    /// Nothing grants them `codex.cloud.use`.
    NotPermitted,
    /// They can sign in with a password and have no second factor.
    SecondFactorMissing,
}

impl Serialize for CloudRefusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl CloudRefusal {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::NotPermitted => "not_permitted",
            Self::SecondFactorMissing => "second_factor_missing",
        }
    }
}

impl Workspace {
    /// Whether a member may go on to Codex cloud. Who signs in with a password, or could as well as
    /// through a provider, needs a second factor for it, whatever the workspace requires otherwise; of who
    /// comes through a provider alone, the provider asks it.
    pub fn cloud_gate(&self, member: &Member) -> Result<(), CloudRefusal> {
        if !member.active {
            return Err(CloudRefusal::Suspended);
        }
        if !self.permissions(member).contains(Permission::CodexCloudUse) {
            return Err(CloudRefusal::NotPermitted);
        }
        if member.has_password && !member.has_second_factor {
            return Err(CloudRefusal::SecondFactorMissing);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::{BuiltinRole, Email, MemberId, PermissionSet, Settings, WorkspaceId};

    #[test]
    fn who_has_a_password_needs_a_second_factor() {
        let mut workspace = Workspace::new(WorkspaceId::new(Timestamp::UNIX_EPOCH));
        let member = |active, has_password, has_second_factor| Member {
            id: MemberId::new(Timestamp::UNIX_EPOCH),
            email: Email::try_from("mia@acme.example".to_owned()).expect("an address"),
            name: Arc::from(""),
            active,
            builtin_role: BuiltinRole::Member,
            has_password,
            has_second_factor,
            groups: Arc::default(),
            roles: Arc::default(),
            granted: PermissionSet::NONE,
        };
        assert_eq!(workspace.cloud_gate(&member(true, true, true)), Err(CloudRefusal::NotPermitted));
        workspace.set_settings(Settings { codex_cloud: true, ..Settings::default() });
        assert_eq!(workspace.cloud_gate(&member(true, true, true)), Ok(()));
        assert_eq!(workspace.cloud_gate(&member(true, false, false)), Ok(()), "the provider asks");
        assert_eq!(workspace.cloud_gate(&member(true, true, false)), Err(CloudRefusal::SecondFactorMissing));
        assert_eq!(workspace.cloud_gate(&member(false, true, true)), Err(CloudRefusal::Suspended));
    }
}
