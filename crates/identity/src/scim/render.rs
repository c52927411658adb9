//! How members and groups look as SCIM resources (RFC 7643 §3, §4).

use jiff::Timestamp;
use provost_model::{GroupId, MemberId};
use provost_store::tables::scim_groups::ScimGroupRow;
use provost_store::tables::scim_users::ScimUserRow;
use serde_json::{Map, Value, json};

use super::answer::tag;

pub(crate) const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A resource, ready to be shown.
pub(crate) struct Resource {
    pub(crate) value: Value,
    pub(crate) version: String,
    pub(crate) location: String,
}

/// The attributes of a member that a provider may change: what it said last, or what there is to say
/// of a member who was made by hand.
pub(crate) fn user_document(row: &ScimUserRow) -> Value {
    let member = &row.member;
    let said = row.scim.as_deref().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let mut document = said.unwrap_or_else(|| {
        let mut document = Map::new();
        document.insert("schemas".into(), json!([USER_SCHEMA]));
        document.insert("emails".into(), json!([{ "value": member.email, "type": "work", "primary": true }]));
        if !member.name.is_empty() {
            document.insert("displayName".into(), json!(member.name));
        }
        document
    });
    document.insert("userName".into(), row.user_name.as_str().into());
    document.insert("active".into(), member.active.into());
    Value::Object(document)
}

/// A member, with the groups that they are in.
pub(crate) fn user(base: &str, row: &ScimUserRow, groups: &[(GroupId, String)]) -> Resource {
    user_from(base, user_document(row), row, groups)
}

/// The same where the document is at hand.
pub(crate) fn user_from(base: &str, mut value: Value, row: &ScimUserRow, groups: &[(GroupId, String)]) -> Resource {
    let id = row.member.id.to_string();
    value["id"] = id.as_str().into();
    if !groups.is_empty() {
        let group = |(id, name): &(GroupId, String)| {
            json!({ "value": id, "$ref": format!("{base}/Groups/{id}"), "display": name, "type": "direct" })
        };
        value["groups"] = groups.iter().map(group).collect();
    }
    // The address of the server is no part of what a tag names.
    let named: Vec<_> = groups.iter().map(|(id, name)| json!([id, name])).collect();
    let before = value.get("groups").is_some().then(|| value["groups"].take());
    let seen = serde_json::to_vec(&json!([&value, named])).expect("a resource turns into JSON");
    if let Some(groups) = before {
        value["groups"] = groups;
    }
    let version = tag(&seen);
    let location = format!("{base}/Users/{id}");
    value["meta"] = meta("User", row.member.created_at, row.member.updated_at, &location, &version);
    Resource { value, version, location }
}

/// A group, with its members or without.
pub(crate) fn group(base: &str, row: &ScimGroupRow, members: Option<&[MemberId]>) -> Resource {
    let said = row.scim.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut value = said.unwrap_or_else(|| json!({ "schemas": [GROUP_SCHEMA] }));
    let id = row.id.to_string();
    value["id"] = id.as_str().into();
    value["displayName"] = row.name.as_str().into();
    if let Some(members) = members.filter(|members| !members.is_empty()) {
        value["members"] = members.iter().map(|id| member(base, *id)).collect();
    }
    let version = group_version(row);
    let location = format!("{base}/Groups/{id}");
    value["meta"] = meta("Group", row.created_at, row.updated_at, &location, &version);
    Resource { value, version, location }
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
