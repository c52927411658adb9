//! The core schema of users (RFC 7643 §4.1, §8.7.1).

use super::{Attribute, AttributeType, Mutability, Returned, Schema};

const PRIMARY: Attribute = Attribute::boolean("primary", "Whether it is the preferred one; at most one is.");
const DISPLAY: Attribute = Attribute::text("display", "What to show for it.");
const TYPE: Attribute = Attribute::text("type", "What it is for.");

/// The core schema of users.
pub static USER: Schema = Schema {
    id: "urn:ietf:params:scim:schemas:core:2.0:User",
    name: "User",
    description: "A member of the workspace.",
    attributes: &[
        Attribute::text("userName", "The name by which the provider knows the user.").required().unique(),
        Attribute::complex(
            "name",
            &[
                Attribute::text("formatted", "The whole name, ready to be shown."),
                Attribute::text("familyName", "The family name."),
                Attribute::text("givenName", "The given name."),
                Attribute::text("middleName", "The middle names."),
                Attribute::text("honorificPrefix", "Titles before the name."),
                Attribute::text("honorificSuffix", "Titles after the name."),
            ],
            "The parts of the user's name.",
        ),
        Attribute::text("displayName", "The name to show."),
        Attribute::text("nickName", "How the user is addressed."),
        Attribute::reference("profileUrl", &["external"], "A page about the user."),
        Attribute::text("title", "The user's title in the organization."),
        Attribute::text("userType", "How the user belongs to the organization."),
        Attribute::text("preferredLanguage", "As in Accept-Language."),
        Attribute::text("locale", "How dates and numbers are written for the user, such as `en-US`."),
        Attribute::text("timezone", "The time zone, such as `Europe/Berlin`."),
        Attribute::boolean("active", "Whether the user may sign in."),
        Attribute {
            mutability: Mutability::WriteOnly,
            returned: Returned::Never,
            ..Attribute::text("password", "Accepted, and never kept: users sign in with their provider.").case_exact()
        },
        Attribute::complex(
            "emails",
            &[
                Attribute::text("value", "The address.").required(),
                DISPLAY,
                TYPE.usually(&["work", "home", "other"]),
                PRIMARY,
            ],
            "E-mail addresses.",
        )
        .many()
        .required(),
        Attribute::complex(
            "phoneNumbers",
            &[
                Attribute::text("value", "The number."),
                DISPLAY,
                TYPE.usually(&["work", "home", "mobile", "fax", "pager", "other"]),
                PRIMARY,
            ],
            "Telephone numbers.",
        )
        .many(),
        Attribute::complex(
            "ims",
            &[
                Attribute::text("value", "The address."),
                DISPLAY,
                TYPE.usually(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
                PRIMARY,
            ],
            "Addresses of instant messaging.",
        )
        .many(),
        Attribute::complex(
            "photos",
            &[
                Attribute::reference("value", &["external"], "Where it is."),
                DISPLAY,
                TYPE.usually(&["photo", "thumbnail"]),
                PRIMARY,
            ],
            "Pictures of the user.",
        )
        .many(),
        Attribute::complex(
            "addresses",
            &[
                Attribute::text("formatted", "The whole address, ready to be shown."),
                Attribute::text("streetAddress", "Street, house, floor."),
                Attribute::text("locality", "City."),
                Attribute::text("region", "State or region."),
                Attribute::text("postalCode", "Postal code."),
                Attribute::text("country", "Country, as ISO 3166-1 writes it in two letters."),
                TYPE.usually(&["work", "home", "other"]),
                PRIMARY,
            ],
            "Postal addresses.",
        )
        .many(),
        Attribute::complex(
            "groups",
            &[
                Attribute::text("value", "The group's id.").case_exact().read_only(),
                Attribute::reference("$ref", &["Group"], "Where the group is.").read_only(),
                Attribute::text("display", "The group's name.").read_only(),
                Attribute::text("type", "How the user is in it.").usually(&["direct", "indirect"]).read_only(),
            ],
            "The groups that the user is in; they change at the group.",
        )
        .many()
        .read_only(),
        Attribute::complex(
            "entitlements",
            &[Attribute::text("value", "The entitlement."), DISPLAY, TYPE, PRIMARY],
            "What the user may have.",
        )
        .many(),
        Attribute::complex(
            "roles",
            &[Attribute::text("value", "The role."), DISPLAY, TYPE, PRIMARY],
            "What the user is, as the provider sees it.",
        )
        .many(),
        Attribute::complex(
            "x509Certificates",
            &[
                Attribute::new("value", AttributeType::Binary, "The certificate, DER in base64.").case_exact(),
                DISPLAY,
                TYPE,
                PRIMARY,
            ],
            "Certificates of the user.",
        )
        .many(),
    ],
};
