use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AllowedIps, DeviceEnrolmentId, GroupId};

/// An address with a secret in its path, at which machines without a signed-in member get the policy
/// of a group (`/device/{token}/codex/config/bundle`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEnrolment {
    /// Its id.
    pub id: DeviceEnrolmentId,
    /// Its name.
    pub name: Arc<str>,
    /// Whose policy it gives: as somebody gets it who is in this group and no other.
    pub group_id: GroupId,
    /// When it stops; none is never.
    pub expires_at: Option<Timestamp>,
    /// From where it works.
    pub allowed_ips: AllowedIps,
}
