//! Changes of users (RFC 7644 §3.5.2), also as Entra and Okta word them.

use provost_model::scim::{PatchRequest, ScimError, User, patch_user};
use serde_json::{Value, json};

use super::{ENTERPRISE, babs, map, patch, said};

fn change(operations: Value) -> Result<Value, ScimError> {
    patch(operations).and_then(|request| patch_user(&babs(), &request)).map(|user| {
        let mut read = user.clone();
        // Where it was taken away it counts as true, and is said again by whoever reads the user.
        read.attributes.entry("active").or_insert(json!(true));
        assert_eq!(User::parse(user.attributes.clone()).unwrap(), read, "what was changed reads the same");
        Value::Object(user.attributes)
    })
}

/// What an operation makes of one attribute of the user.
fn after(operation: Value, pointer: &str) -> Value {
    let user = change(json!([operation])).unwrap_or_else(|error| panic!("{operation}: {error}"));
    user.pointer(pointer).cloned().unwrap_or(Value::Null)
}

#[test]
fn the_standard() {
    let home = json!({ "value": "babs@jensen.org", "type": "home" });
    let department = format!("{ENTERPRISE}:department");
    let at_department = format!("/{ENTERPRISE}/department");
    for (operation, pointer, expected) in [
        // Add.
        (json!({ "op": "add", "path": "nickName", "value": "Babs" }), "/nickName", json!("Babs")),
        (json!({ "op": "add", "value": { "nickName": "Babs", "emails": [home] } }), "/emails/2", Value::Null),
        (
            json!({ "op": "add", "path": "emails", "value": [{ "value": "c@x.org" }] }),
            "/emails/2/value",
            json!("c@x.org"),
        ),
        (
            json!({ "op": "add", "path": "emails", "value": { "value": "c@x.org" } }),
            "/emails/2/value",
            json!("c@x.org"),
        ),
        (
            json!({ "op": "add", "path": "emails", "value": [{ "value": "c@x.org", "primary": true }] }),
            "/emails/0/primary",
            json!(false),
        ),
        (
            json!({ "op": "add", "path": "name", "value": { "middleName": "J" } }),
            "/name",
            json!({ "givenName": "Barbara", "familyName": "Jensen", "middleName": "J" }),
        ),
        (
            json!({ "op": "add", "path": "emails[type eq \"home\"]", "value": { "display": "x" } }),
            "/emails/1/display",
            json!("x"),
        ),
        (json!({ "op": "add", "path": department, "value": "R&D" }), at_department.as_str(), json!("R&D")),
        (
            json!({ "op": "add", "path": ENTERPRISE, "value": { "department": "R&D" } }),
            at_department.as_str(),
            json!("R&D"),
        ),
        (json!({ "op": "add", "path": "photos.value", "value": "https://x" }), "/photos/0/value", json!("https://x")),
        // Remove.
        (json!({ "op": "remove", "path": "title" }), "/title", Value::Null),
        (json!({ "op": "remove", "path": "displayName" }), "/displayName", Value::Null),
        (json!({ "op": "remove", "path": "emails" }), "/emails", Value::Null),
        (json!({ "op": "remove", "path": "name.givenName" }), "/name", json!({ "familyName": "Jensen" })),
        (json!({ "op": "remove", "path": "emails[type eq \"work\"]" }), "/emails", json!([home])),
        (
            json!({ "op": "remove", "path": "emails[type eq \"work\" and value ew \"example.com\"]" }),
            "/emails",
            json!([home]),
        ),
        (
            json!({ "op": "remove", "path": "addresses[type eq \"home\"].locality" }),
            "/addresses/1/locality",
            Value::Null,
        ),
        (json!({ "op": "remove", "path": "emails.type" }), "/emails/0/type", Value::Null),
        (json!({ "op": "remove", "path": ENTERPRISE }), "/schemas/1", Value::Null),
        (json!({ "op": "remove", "path": "active" }), "/active", json!(null)),
        // Replace.
        (json!({ "op": "replace", "path": "emails", "value": [home] }), "/emails", json!([home])),
        (
            json!({ "op": "replace", "path": "addresses[type eq \"work\"]", "value": { "type": "work", "locality": "Rome", "primary": true } }),
            "/addresses/0",
            json!({ "type": "work", "locality": "Rome", "primary": true }),
        ),
        (
            json!({ "op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "911" }),
            "/addresses/0/streetAddress",
            json!("911"),
        ),
        (
            json!({ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }),
            "/emails/0/primary",
            json!(false),
        ),
        (json!({ "op": "replace", "value": { "emails": [home], "nickName": "Babs" } }), "/emails", json!([home])),
        (
            json!({ "op": "replace", "path": "name", "value": { "givenName": "B" } }),
            "/name/familyName",
            json!("Jensen"),
        ),
        (json!({ "op": "replace", "path": "title", "value": null }), "/title", Value::Null),
        (json!({ "op": "replace", "path": "password", "value": "hunter2" }), "/password", Value::Null),
    ] {
        assert_eq!(after(operation.clone(), pointer), expected, "{operation}");
    }
}

#[test]
fn the_dialects() {
    let manager = format!("{ENTERPRISE}:manager");
    let at_manager = format!("/{ENTERPRISE}/manager/value");
    for (operation, pointer, expected) in [
        // Entra.
        (json!({ "op": "Replace", "path": "active", "value": "False" }), "/active", json!(false)),
        (json!({ "op": "Replace", "value": { "active": "False" } }), "/active", json!(false)),
        (
            json!({ "op": "Replace", "path": "displayName", "value": [{ "$ref": null, "value": "B" }] }),
            "/displayName",
            json!("B"),
        ),
        (
            json!({ "op": "Add", "path": "emails[type eq \"other\"].value", "value": "o@x.org" }),
            "/emails/2",
            json!({ "type": "other", "value": "o@x.org" }),
        ),
        (
            json!({ "op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1" }),
            "/phoneNumbers/0",
            json!({ "type": "mobile", "value": "1" }),
        ),
        (
            json!({ "op": "Add", "path": "roles[primary eq \"True\"].value", "value": "dev" }),
            "/roles/0",
            json!({ "primary": true, "value": "dev" }),
        ),
        (
            json!({ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "new@x.org" }),
            "/emails/0/value",
            json!("new@x.org"),
        ),
        (json!({ "op": "Remove", "path": "emails[type eq \"work\"].value" }), "/emails/0/type", json!("home")),
        (
            json!({ "op": "Remove", "path": "emails", "value": [{ "value": "babs@jensen.org" }] }),
            "/emails/1",
            Value::Null,
        ),
        (json!({ "op": "Replace", "path": manager.as_str(), "value": "99" }), at_manager.as_str(), json!("99")),
        (json!({ "op": "Add", "value": { manager: "99" } }), at_manager.as_str(), json!("99")),
        (
            json!({ "op": "Add", "value": { "name.givenName": "Babs", "name.familyName": "J" } }),
            "/name",
            json!({ "givenName": "Babs", "familyName": "J" }),
        ),
        (
            json!({ "op": "Add", "value": { "emails[type eq \"other\"].value": "o@x.org" } }),
            "/emails/2/value",
            json!("o@x.org"),
        ),
        // Okta.
        (json!({ "op": "replace", "value": { "active": false } }), "/active", json!(false)),
        (
            json!({ "op": "replace", "value": { "id": "x", "active": true, "groups": [], "unknown": 1 } }),
            "/id",
            Value::Null,
        ),
    ] {
        assert_eq!(after(operation.clone(), pointer), expected, "{operation}");
    }
}

#[test]
fn what_cannot_be_changed_is_refused() {
    for (operation, expected) in [
        (json!({ "op": "remove" }), "400 noTarget"),
        (
            json!({ "op": "replace", "path": "addresses[type eq \"other\"]", "value": { "locality": "x" } }),
            "400 noTarget",
        ),
        (json!({ "op": "replace", "path": "emails[type eq \"nobody's\"].value", "value": "x@x.org" }), "400 noTarget"),
        (
            json!({ "op": "replace", "path": "emails[type ne \"work\" and type ne \"home\"].value", "value": "x@x.org" }),
            "400 noTarget",
        ),
        (json!({ "op": "remove", "path": "emails[type eq \"other\"]" }), "400 noTarget"),
        (json!({ "op": "replace", "path": "nothing", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "name.nothing", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "emails[type eq \"work\"].nothing", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "urn:nobody:knows:x", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "title[value eq \"x\"]", "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": 7, "value": "x" }), "400 invalidPath"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "400 mutability"),
        (json!({ "op": "replace", "path": "meta.version", "value": "x" }), "400 mutability"),
        (json!({ "op": "add", "path": "groups", "value": [{ "value": "x" }] }), "400 mutability"),
        (json!({ "op": "remove", "path": "userName" }), "400 mutability"),
        (
            json!({ "op": "replace", "path": format!("{ENTERPRISE}:manager.displayName"), "value": "x" }),
            "400 mutability",
        ),
        (json!({ "op": "replace", "path": "userName", "value": 7 }), "400 invalidValue"),
        (json!({ "op": "replace", "path": "userName", "value": "" }), "400 invalidValue"),
        (json!({ "op": "replace", "path": "active", "value": "perhaps" }), "400 invalidValue"),
        (json!({ "op": "replace", "path": "emails", "value": "x@x.org" }), "400 invalidValue"),
        (json!({ "op": "replace", "path": "emails.primary", "value": true }), "400 invalidValue"),
        (json!({ "op": "replace", "path": "emails", "value": [{ "value": "no address" }] }), "400 invalidValue"),
        (json!({ "op": "replace", "path": ENTERPRISE, "value": "x" }), "400 invalidValue"),
        (json!({ "op": "add", "path": "title" }), "400 invalidValue"),
        (json!({ "op": "add", "value": ["x"] }), "400 invalidValue"),
        (json!({ "op": "move", "path": "title", "value": "x" }), "400 invalidSyntax"),
        (json!({ "path": "title", "value": "x" }), "400 invalidSyntax"),
        (json!(1), "400 invalidSyntax"),
    ] {
        let error = change(json!([operation])).expect_err(&operation.to_string());
        assert_eq!(said(&error), expected, "{operation}: {error}");
    }
}

#[test]
fn requests_that_are_no_changes_are_refused() {
    let fine = json!({ "op": "remove", "path": "title" });
    for body in [
        json!({}),
        json!({ "Operations": [fine] }),
        json!({ "schemas": ["x"], "Operations": [fine] }),
        json!({ "schemas": [PatchRequest::SCHEMA] }),
        json!({ "schemas": [PatchRequest::SCHEMA], "Operations": [] }),
        json!({ "schemas": [PatchRequest::SCHEMA], "Operations": fine }),
    ] {
        assert_eq!(said(&PatchRequest::parse(map(body.clone())).unwrap_err()), "400 invalidSyntax", "{body}");
    }
    assert_eq!(said(&patch(vec![fine; 1001].into()).unwrap_err()), "413");
}

#[test]
fn all_of_it_is_done_or_nothing() {
    let operations = json!([
        { "op": "replace", "path": "title", "value": "Chief" },
        { "op": "replace", "path": "id", "value": "x" },
    ]);
    let (before, request) = (babs(), patch(operations).unwrap());
    let error = patch_user(&before, &request).unwrap_err();
    assert!(error.detail.starts_with("operation 2: "), "{error}");
    assert_eq!(before, babs());
}
