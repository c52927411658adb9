//! What every resource has (RFC 7643 §3.1).

use super::{Attribute, AttributeType, Returned};

pub(super) const SCHEMAS: Attribute = Attribute {
    returned: Returned::Always,
    ..Attribute::reference("schemas", &["uri"], "The schemas that the resource follows.").many().required()
};

pub(super) const ID: Attribute = Attribute {
    returned: Returned::Always,
    ..Attribute::text("id", "The id that the server gave the resource.").case_exact().read_only().unique()
};

pub(super) const EXTERNAL_ID: Attribute =
    Attribute::text("externalId", "The id that the provider gave the resource.").case_exact();

pub(super) const META: Attribute = Attribute::complex(
    "meta",
    &[
        Attribute::text("resourceType", "The kind of the resource.").case_exact().read_only(),
        Attribute::new("created", AttributeType::DateTime, "When it was made.").read_only(),
        Attribute::new("lastModified", AttributeType::DateTime, "When it last changed.").read_only(),
        Attribute::reference("location", &["uri"], "Where it is.").read_only(),
        Attribute::text("version", "Its entity tag.").case_exact().read_only(),
    ],
    "What the server knows of the resource.",
)
.read_only();

/// What every resource has. `/Schemas` does not list it.
pub(super) static COMMON: [Attribute; 4] = [SCHEMAS, ID, EXTERNAL_ID, META];
