use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{MemberId, PolicyExceptionId, PolicyId};

/// Another policy for one member, for a time: approved, and not ended. It goes before every rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyException {
    /// Its id.
    pub id: PolicyExceptionId,
    /// Whose it is.
    pub member_id: MemberId,
    /// What they get while it lasts.
    pub policy_id: PolicyId,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}
