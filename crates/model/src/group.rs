use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{GroupId, PermissionSet};

/// A named set of members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: Arc<str>,
    /// Who says who is in it.
    pub source: GroupSource,
    /// What the roles assigned to it grant, together. Derived from the roles when the snapshot is
    /// made, so that a decision needs no role at all.
    #[serde(skip)]
    pub granted: PermissionSet,
}

/// The one authoritative source of a group's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupSource {
    /// Admins, by hand.
    #[default]
    Manual,
    /// The identity provider, through SCIM; read-only elsewhere.
    Scim,
}

impl GroupSource {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Scim => "scim",
        }
    }
}

impl std::str::FromStr for GroupSource {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "manual" => Ok(Self::Manual),
            "scim" => Ok(Self::Scim),
            _ => Err(format!("there is no group source `{text}`")),
        }
    }
}
