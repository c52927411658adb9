//! Who did something to a policy, by name.

use provost_model::{ApiKeyId, MemberId, Workspace};
use serde::Serialize;
use utoipa::ToSchema;

/// A member or an API key, as they are called now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Author {
    id: String,
    /// Of a member; null for a key.
    email: Option<String>,
    /// May be empty.
    name: String,
}

impl Author {
    /// The member or key with this id; none if it is gone.
    pub(crate) fn of(id: &str, workspace: &Workspace) -> Option<Self> {
        if let Ok(member) = id.parse::<MemberId>() {
            let member = workspace.members.get(&member)?;
            return Some(Self {
                id: id.to_owned(),
                email: Some(member.email.to_string()),
                name: member.name.to_string(),
            });
        }
        let id: ApiKeyId = id.parse().ok()?;
        let key = workspace.api_keys.values().find(|key| key.id == id)?;
        Some(Self { id: id.to_string(), email: None, name: key.name.to_string() })
    }
}
