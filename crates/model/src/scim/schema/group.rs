//! The core schema of groups (RFC 7643 §4.2).

use super::{Attribute, Schema};

/// The core schema of groups.
pub static GROUP: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:Group",
    name: "Group",
    description: "Members of the workspace who are treated alike.",
    attributes: &[
        Attribute::text("displayName", "The name of the group.").required().unique(),
        Attribute::complex(
            "members",
            &[
                Attribute::text("value", "The member's id.").case_exact().immutable(),
                Attribute::reference("$ref", &["User"], "Where the member is.").immutable(),
                Attribute::text("display", "The member's name.").read_only(),
                Attribute::text("type", "What the member is: a user.").usually(&["User"]).immutable(),
            ],
            "Who is in the group.",
        )
        .many(),
    ],
};
