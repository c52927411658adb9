//! What resources are made of (RFC 7643).

mod common;
mod documents;
mod enterprise;
mod group;
mod kind;
mod user;

use serde_json::{Value, json};

pub use documents::{resource_type, resource_types, schema, schemas, service_provider_config};
pub use enterprise::ENTERPRISE_USER;
pub use group::GROUP;
pub(super) use kind::Place;
pub use kind::ResourceKind;
pub use user::USER;

/// A schema: what a resource, or an extension of it, may hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its URN.
    pub id: &'static str,
    /// Its name, for people.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it holds.
    pub attributes: &'static [Attribute],
}

/// What one attribute may hold, and who may change it (RFC 7643 §2.2, §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// The name, in the spelling in which it is kept and shown.
    pub name: &'static str,
    /// What it holds.
    pub description: &'static str,
    /// The type of a value.
    pub value_type: AttributeType,
    /// Whether it is a list.
    pub multi_valued: bool,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether letter case tells two values apart.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// When it is shown.
    pub returned: Returned,
    /// Among whom a value is unique.
    pub uniqueness: Uniqueness,
    /// Values that providers usually send; others are taken too.
    pub canonical_values: &'static [&'static str],
    /// What a reference may point to.
    pub reference_types: &'static [&'static str],
    /// What a complex value is made of.
    pub sub_attributes: &'static [Attribute],
}

/// The type of a value (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// A text.
    String,
    /// True or false.
    Boolean,
    /// A number.
    Decimal,
    /// A whole number.
    Integer,
    /// A moment, as RFC 3339 writes it.
    DateTime,
    /// Bytes in base64.
    Binary,
    /// A URI.
    Reference,
    /// Made of sub-attributes.
    Complex,
}

/// Who may change an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// Only the server.
    ReadOnly,
    /// The provider.
    ReadWrite,
    /// The provider, once.
    Immutable,
    /// The provider, and nobody reads it.
    WriteOnly,
}

/// When an attribute is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Whatever was asked for.
    Always,
    /// Never.
    Never,
    /// Unless something else was asked for.
    Default,
}

/// Among whom a value is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// It need not be.
    None,
    /// In the workspace.
    Server,
}

impl Attribute {
    const fn new(name: &'static str, value_type: AttributeType, description: &'static str) -> Self {
        Self {
            name,
            description,
            value_type,
            multi_valued: false,
            required: false,
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: &[],
            reference_types: &[],
            sub_attributes: &[],
        }
    }

    const fn text(name: &'static str, description: &'static str) -> Self {
        Self::new(name, AttributeType::String, description)
    }

    const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new(name, AttributeType::Boolean, description)
    }

    const fn reference(name: &'static str, types: &'static [&'static str], description: &'static str) -> Self {
        // RFC 7643 §2.3.7: references are case-exact.
        Self { reference_types: types, case_exact: true, ..Self::new(name, AttributeType::Reference, description) }
    }

    const fn complex(name: &'static str, sub_attributes: &'static [Self], description: &'static str) -> Self {
        Self { sub_attributes, ..Self::new(name, AttributeType::Complex, description) }
    }

    const fn many(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn case_exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    const fn read_only(self) -> Self {
        Self { mutability: Mutability::ReadOnly, ..self }
    }

    const fn immutable(self) -> Self {
        Self { mutability: Mutability::Immutable, ..self }
    }

    const fn unique(self) -> Self {
        Self { uniqueness: Uniqueness::Server, ..self }
    }

    const fn usually(self, canonical_values: &'static [&'static str]) -> Self {
        Self { canonical_values, ..self }
    }

    /// The sub-attribute of that name, whatever its letter case.
    pub fn sub(&self, name: &str) -> Option<&'static Self> {
        find(self.sub_attributes, name)
    }

    /// As `/Schemas` shows it.
    fn document(&self) -> Value {
        let mut document = json!({
            "name": self.name,
            "type": self.value_type.as_str(),
            "multiValued": self.multi_valued,
            "description": self.description,
            "required": self.required,
            "mutability": self.mutability.as_str(),
            "returned": self.returned.as_str(),
        });
        if self.value_type == AttributeType::Complex {
            document["subAttributes"] = self.sub_attributes.iter().map(Self::document).collect();
            return document;
        }
        document["caseExact"] = self.case_exact.into();
        document["uniqueness"] = self.uniqueness.as_str().into();
        if !self.canonical_values.is_empty() {
            document["canonicalValues"] = json!(self.canonical_values);
        }
        if !self.reference_types.is_empty() {
            document["referenceTypes"] = json!(self.reference_types);
        }
        document
    }
}

/// The attribute of that name, whatever its letter case.
fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

impl AttributeType {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

impl Mutability {
    fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

impl Returned {
    fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
        }
    }
}

impl Uniqueness {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
        }
    }
}
