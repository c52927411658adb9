//! What organizations add to users (RFC 7643 §4.3).

use super::{Attribute, Schema};

/// The enterprise extension of users.
pub static ENTERPRISE_USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name: "EnterpriseUser",
    description: "Where a member stands in their organization.",
    attributes: &[
        Attribute::text("employeeNumber", "The number that the organization gave the user."),
        Attribute::text("costCenter", "Who pays for the user."),
        Attribute::text("organization", "The organization."),
        Attribute::text("division", "The division."),
        Attribute::text("department", "The department."),
        Attribute::complex(
            "manager",
            &[
                Attribute::text("value", "The manager's id.").case_exact(),
                Attribute::reference("$ref", &["User"], "Where the manager is."),
                Attribute::text("displayName", "The manager's name.").read_only(),
            ],
            "The user's manager.",
        ),
    ],
};
