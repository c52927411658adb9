//! Groups, and changes of them.

use provost_model::scim::{Group, GroupPatch, GroupStep, MAX_MEMBERS, ScimError};
use serde_json::{Value, json};

use super::{map, patch, said};

fn steps(operations: Value) -> Result<Vec<GroupStep>, ScimError> {
    patch(operations).and_then(|request| GroupPatch::parse(&request)).map(|patch| patch.steps)
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn a_group_is_read_with_its_members_each_once() {
    let group = Group::parse(map(json!({
        "DisplayName": "Ops", "externalId": "", "id": "x", "unknown": 1,
        "Members": [{ "value": "b", "display": "B" }, { "VALUE": "a", "type": "User" }, { "value": "b" }],
    })));
    let group = group.unwrap();
    assert_eq!((group.display_name.as_str(), group.external_id.as_deref()), ("Ops", None));
    assert_eq!(group.members.iter().map(|member| member.value.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert!(!group.attributes.contains_key("members") && !group.attributes.contains_key("id"));
}

#[test]
fn what_cannot_be_a_group_is_refused() {
    for (body, named) in [
        (json!({}), "displayName"),
        (json!({ "displayName": "  " }), "displayName"),
        (json!({ "displayName": "x", "members": "x" }), "members"),
        (json!({ "displayName": "x", "members": ["x"] }), "members"),
        (json!({ "displayName": "x", "members": [{}] }), "members.value"),
        (json!({ "displayName": "x", "members": [{ "value": 7 }] }), "members.value"),
        (json!({ "displayName": "x", "members": [{ "value": "x".repeat(300) }] }), "members.value"),
        (json!({ "displayName": "x", "members": [{ "value": "g", "type": "Group" }] }), "is a group"),
        (json!({ "displayName": "x", "members": [{ "value": "g", "$ref": "https://x/v2/Groups/g" }] }), "is a group"),
    ] {
        let error = Group::parse(map(body.clone())).unwrap_err();
        assert_eq!(said(&error), "400 invalidValue", "{body}");
        assert!(error.detail.contains(named), "{error}");
    }
    let many: Vec<Value> = (0..=MAX_MEMBERS).map(|n| json!({ "value": n.to_string() })).collect();
    assert_eq!(Group::parse(map(json!({ "displayName": "x", "members": many }))).unwrap_err().status, 413);
}

#[test]
fn changes_are_steps_in_the_order_in_which_they_were_said() {
    use GroupStep::{Add, Remove, Rename, Replace, SetExternalId};
    for (operations, expected) in [
        // RFC 7644 §3.5.2.1 to §3.5.2.3.
        (
            json!([{ "op": "add", "path": "members", "value": [{ "display": "Babs", "value": "a" }] }]),
            vec![Add(ids(&["a"]))],
        ),
        (json!([{ "op": "remove", "path": "members[value eq \"a\"]" }]), vec![Remove(ids(&["a"]))]),
        (json!([{ "op": "remove", "path": "members" }]), vec![Replace(vec![])]),
        (
            json!([
                { "op": "remove", "path": "members[value eq \"a\"]" },
                { "op": "add", "path": "members", "value": [{ "value": "b" }] },
            ]),
            vec![Remove(ids(&["a"])), Add(ids(&["b"]))],
        ),
        (
            json!([{ "op": "replace", "path": "members", "value": [{ "value": "a" }, { "value": "b" }] }]),
            vec![Replace(ids(&["a", "b"]))],
        ),
        // Entra.
        (
            json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": "a" }] }]),
            vec![Add(ids(&["a"]))],
        ),
        (
            json!([{ "op": "Remove", "path": "members", "value": [{ "value": "a" }, { "value": "b" }] }]),
            vec![Remove(ids(&["a", "b"]))],
        ),
        (json!([{ "op": "Remove", "path": "members", "value": [] }]), vec![Remove(vec![])]),
        (json!([{ "op": "Replace", "path": "displayName", "value": "New" }]), vec![Rename("New".into())]),
        (
            json!([{ "op": "Replace", "path": "displayName", "value": [{ "$ref": null, "value": "New" }] }]),
            vec![Rename("New".into())],
        ),
        (
            json!([{ "op": "Add", "value": { "externalId": "e", "displayName": "N" } }]),
            vec![Rename("N".into()), SetExternalId(Some("e".into()))],
        ),
        // Okta.
        (json!([{ "op": "replace", "value": { "id": "g", "displayName": "New" } }]), vec![Rename("New".into())]),
        (json!([{ "op": "replace", "value": { "members": [{ "value": "a" }] } }]), vec![Replace(ids(&["a"]))]),
        // And the rest of the grammar.
        (json!([{ "OP": "ADD", "PATH": "Members", "VALUE": { "value": "a" } }]), vec![Add(ids(&["a"]))]),
        (
            json!([{ "op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]" }]),
            vec![Remove(ids(&["a", "b"]))],
        ),
        (
            json!([{ "op": "remove", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:externalId" }]),
            vec![SetExternalId(None)],
        ),
        (json!([{ "op": "replace", "path": "externalId", "value": null }]), vec![SetExternalId(None)]),
        (json!([{ "op": "replace", "value": { "unknown": 1, "schemas": [], "meta": {} } }]), vec![]),
    ] {
        assert_eq!(steps(operations.clone()).unwrap(), expected, "{operations}");
    }
}

#[test]
fn changes_that_cannot_be_are_refused() {
    for (operation, expected) in [
        (json!({ "op": "replace", "path": "nothing", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "userName", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "displayName[a eq 1]", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "400 mutability"),
        (json!({ "op": "replace", "path": "meta.version", "value": "x" }), "400 mutability"),
        (json!({ "op": "remove", "path": "displayName" }), "400 mutability"),
        (json!({ "op": "replace", "path": "displayName", "value": null }), "400 mutability"),
        (json!({ "op": "replace", "path": "displayName", "value": 7 }), "400 invalidValue"),
        (json!({ "op": "replace", "path": "displayName", "value": " " }), "400 invalidValue"),
        (json!({ "op": "replace", "path": "displayName" }), "400 invalidValue"),
        (json!({ "op": "add", "path": "members", "value": "x" }), "400 invalidValue"),
        (json!({ "op": "add", "path": "members", "value": [{ "value": "g", "type": "group" }] }), "400 invalidValue"),
        (json!({ "op": "add", "path": "members" }), "400 invalidValue"),
        (json!({ "op": "remove", "path": "members[display eq \"x\"]" }), "400 invalidFilter"),
        (json!({ "op": "remove", "path": "members[not (value eq \"x\")]" }), "400 invalidFilter"),
        (json!({ "op": "replace", "path": "members[value eq \"x\"]", "value": { "value": "y" } }), "400 mutability"),
        (json!({ "op": "replace", "path": "members.value", "value": "y" }), "400 mutability"),
        (json!({ "op": "remove" }), "400 noTarget"),
        (json!({ "op": "add", "value": "x" }), "400 invalidValue"),
    ] {
        let fine = json!({ "op": "add", "path": "members", "value": [{ "value": "a" }] });
        let error = steps(json!([fine, operation])).expect_err(&operation.to_string());
        assert_eq!(said(&error), expected, "{operation}: {error}");
        assert!(error.detail.starts_with("operation 2: "), "{error}");
    }
}
