use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// A request that SCIM refuses. It serializes to the body that says so (RFC 7644 §3.12).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// What kind of mistake it is, where the RFC has a word for it.
    pub scim_type: Option<ScimType>,
    /// What is wrong and where, for who runs the identity provider.
    pub detail: String,
}

/// What kind of mistake a request makes (RFC 7644 §3.12, table 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimType {
    /// The filter does not follow the grammar, or compares what cannot be compared.
    InvalidFilter,
    /// More would have to be looked at or returned than one request may cost.
    TooMany,
    /// Somebody else has the value already.
    Uniqueness,
    /// The attribute is read-only, immutable, or required and cannot go.
    Mutability,
    /// The body does not have the shape of the message.
    InvalidSyntax,
    /// The path does not follow the grammar, or names no attribute.
    InvalidPath,
    /// The path names nothing that could be worked on.
    NoTarget,
    /// A required value is missing, or a value does not fit its attribute.
    InvalidValue,
    /// The protocol's version is not spoken.
    InvalidVers,
    /// The request holds what does not belong into a URL.
    Sensitive,
}

impl ScimType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
        }
    }

    /// The status that goes with it.
    fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            Self::Sensitive => 403,
            _ => 400,
        }
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ScimError {
    /// The `schemas` of the body.
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:Error";

    /// A mistake of a kind, with the status that the RFC gives it.
    pub fn new(scim_type: ScimType, detail: impl Into<String>) -> Self {
        Self { status: scim_type.status(), scim_type: Some(scim_type), detail: detail.into() }
    }

    /// A refusal that the RFC has no word for.
    pub fn other(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::new(ScimType::InvalidValue, detail)
    }

    pub(super) fn syntax(detail: impl Into<String>) -> Self {
        Self::new(ScimType::InvalidSyntax, detail)
    }

    pub(super) fn path(detail: impl Into<String>) -> Self {
        Self::new(ScimType::InvalidPath, detail)
    }

    pub(super) fn filter(detail: impl Into<String>) -> Self {
        Self::new(ScimType::InvalidFilter, detail)
    }
}

impl Serialize for ScimError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Error", 3 + usize::from(self.scim_type.is_some()))?;
        body.serialize_field("schemas", &[Self::SCHEMA])?;
        // A text, says the RFC.
        body.serialize_field("status", &self.status.to_string())?;
        if let Some(scim_type) = self.scim_type {
            body.serialize_field("scimType", scim_type.as_str())?;
        }
        body.serialize_field("detail", &self.detail)?;
        body.end()
    }
}

/// A text of somebody else, short enough to be shown in an error.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let short: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() { format!("{short}…") } else { short }
}
