use serde_json::{Map, Value};

use super::common::COMMON;
use super::{Attribute, ENTERPRISE_USER, GROUP, Mutability, Schema, USER, find};
use crate::scim::AttributePath;

static USER_EXTENSIONS: [&Schema; 1] = [&ENTERPRISE_USER];

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A member of the workspace.
    User,
    /// A group.
    Group,
}

/// What a path names in the resources of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scim) struct Place {
    /// The extension that holds it; none is the resource itself.
    pub(in crate::scim) extension: Option<&'static Schema>,
    /// The attribute; none is the extension as a whole.
    pub(in crate::scim) attribute: Option<&'static Attribute>,
    /// The sub-attribute, where the path names one.
    pub(in crate::scim) sub: Option<&'static Attribute>,
}

impl ResourceKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// The name in `meta.resourceType`.
    pub fn name(self) -> &'static str {
        self.schema().name
    }

    /// Where the resources are, below the base address.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// The core schema.
    pub fn schema(self) -> &'static Schema {
        match self {
            Self::User => &USER,
            Self::Group => &GROUP,
        }
    }

    /// What extends the core schema.
    pub fn extensions(self) -> &'static [&'static Schema] {
        match self {
            Self::User => &USER_EXTENSIONS,
            Self::Group => &[],
        }
    }

    /// The extension of that URN, whatever its letter case.
    pub(in crate::scim) fn extension(self, urn: &str) -> Option<&'static Schema> {
        self.extensions().iter().copied().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// The attribute of that name in the resource itself, whatever its letter case.
    pub(in crate::scim) fn attribute(self, name: &str) -> Option<&'static Attribute> {
        find(self.schema().attributes, name).or_else(|| find(&COMMON, name))
    }

    /// What the path names, if these resources have it.
    pub(in crate::scim) fn place(self, path: &AttributePath) -> Option<Place> {
        let extension = match path.schema() {
            Some(urn) if !urn.eq_ignore_ascii_case(self.schema().id) => Some(self.extension(urn)?),
            _ => None,
        };
        if path.name().is_empty() {
            extension?;
            return Some(Place { extension, attribute: None, sub: None });
        }
        let attribute = match extension {
            Some(schema) => find(schema.attributes, path.name())?,
            None => self.attribute(path.name())?,
        };
        let sub = match path.sub() {
            Some(name) => Some(attribute.sub(name)?),
            None => None,
        };
        Some(Place { extension, attribute: Some(attribute), sub })
    }
}

impl Place {
    /// The values of the attribute in a resource: the elements of a list, or the one value.
    pub(in crate::scim) fn values(self, resource: &Map<String, Value>) -> impl Iterator<Item = &Value> {
        let value = match (self.extension, self.attribute) {
            (Some(schema), Some(attribute)) => resource.get(schema.id).and_then(|value| value.get(attribute.name)),
            (Some(schema), None) => resource.get(schema.id),
            (None, Some(attribute)) => resource.get(attribute.name),
            (None, None) => None,
        };
        match value {
            Some(Value::Array(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        }
        .iter()
    }

    /// Whether a provider may not change it.
    pub(in crate::scim) fn is_read_only(&self) -> bool {
        let read_only = |attribute: Option<&Attribute>| attribute.is_some_and(|a| a.mutability == Mutability::ReadOnly);
        read_only(self.attribute) || read_only(self.sub)
    }
}
