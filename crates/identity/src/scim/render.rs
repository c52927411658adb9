//! How members and groups look as SCIM resources (RFC 7643 §3, §4).

use jiff::Timestamp;
use provost_model::scim::{GROUP, USER};
use provost_model::{GroupId, MemberId};
use provost_store::tables::scim_groups::ScimGroupRow;
use provost_store::tables::scim_users::ScimUserRow;
use serde_json::{Map, Value, json};

use super::answer::tag;

/// A resource, ready to be shown.
pub(crate) struct Resource {
    pub(crate) value: Map<String, Value>,
    pub(crate) version: String,
    pub(crate) location: String,
}

/// The attributes of a member that a provider may change: what it said last, or what there is to say
/// of a member who was made by hand.
pub(crate) fn user_attributes(row: &ScimUserRow) -> Map<String, Value> {
    let member = &row.member;
    let said = row.scim.as_deref().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    // A provider that took `active` away does not see it again, unless the member is suspended here.
    let shows_active = !member.active || said.as_ref().is_none_or(|said| said.contains_key("active"));
    let mut document = said.unwrap_or_else(|| {
        let mut document = Map::new();
        document.insert("schemas".into(), json!([USER.id]));
        document.insert("emails".into(), json!([{ "value": member.email, "type": "work", "primary": true }]));
        if !member.name.is_empty() {
            document.insert("displayName".into(), json!(member.name));
        }
        document
    });
    document.insert("userName".into(), row.user_name.as_str().into());
    if shows_active {
        document.insert("active".into(), member.active.into());
    }
    document
}

/// A member, with the groups that they are in.
pub(crate) fn user(base: &str, row: &ScimUserRow, groups: &[(GroupId, String)]) -> Resource {
    let mut value = user_attributes(row);
    let id = row.member.id.to_string();
    // The address of the server is no part of what the tag names.
    let named = (&id, row.member.updated_at, &value, groups);
    let version = tag(&serde_json::to_vec(&named).expect("a resource turns into JSON"));
    if !groups.is_empty() {
        let group = |(id, name): &(GroupId, String)| {
            json!({ "value": id, "$ref": format!("{base}/Groups/{id}"), "display": name, "type": "direct" })
        };
        value.insert("groups".to_owned(), groups.iter().map(group).collect());
    }
    let location = format!("{base}/Users/{id}");
    value.insert("id".to_owned(), id.into());
    let meta = meta("User", row.member.created_at, row.member.updated_at, &location, &version);
    value.insert("meta".to_owned(), meta);
    Resource { value, version, location }
}

/// A group, with its members or without.
pub(crate) fn group(base: &str, row: &ScimGroupRow, members: Option<&[MemberId]>) -> Resource {
    let said = row.scim.as_deref().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let mut value = said.unwrap_or_default();
    value.entry("schemas").or_insert_with(|| json!([GROUP.id]));
    let id = row.id.to_string();
    value.insert("displayName".to_owned(), row.name.as_str().into());
    set_members(base, &mut value, members.unwrap_or_default());
    let version = group_version(row);
    let location = format!("{base}/Groups/{id}");
    value.insert("id".to_owned(), id.into());
    value.insert("meta".to_owned(), meta("Group", row.created_at, row.updated_at, &location, &version));
    Resource { value, version, location }
}

/// Says who is in a group. A list of nobody is no list (RFC 7643 §2.5).
pub(crate) fn set_members(base: &str, group: &mut Map<String, Value>, members: &[MemberId]) {
    if members.is_empty() {
        group.remove("members");
    } else {
        group.insert("members".to_owned(), members.iter().map(|id| member(base, *id)).collect());
    }
}

/// The tag of a group. Every change of it, and of who is in it, has a time of its own, so its members
/// need not be read to know it.
pub(crate) fn group_version(row: &ScimGroupRow) -> String {
    tag(format!("{} {}", row.id, row.updated_at.as_microsecond()).as_bytes())
}

fn member(base: &str, id: MemberId) -> Value {
    json!({ "value": id, "$ref": format!("{base}/Users/{id}"), "type": "User" })
}

fn meta(kind: &str, created: Timestamp, modified: Timestamp, location: &str, version: &str) -> Value {
    json!({
        "resourceType": kind, "created": created, "lastModified": modified, "location": location, "version": version,
    })
}
