use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{GroupId, PermissionSet, RoleId};

/// A custom role: a named set of permissions, given to groups and members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Its name.
    pub name: Arc<str>,
    /// What it is for; may be empty.
    pub description: Arc<str>,
    /// What it grants.
    pub permissions: PermissionSet,
    /// The groups that have it, sorted.
    pub groups: Arc<[GroupId]>,
}
