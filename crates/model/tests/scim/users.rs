//! Users as providers send them.

use provost_model::scim::User;
use serde_json::{Value, json};

use super::{ENTERPRISE, babs, map, said, user};

#[test]
fn names_come_in_any_case_and_are_kept_in_the_schemas_own() {
    let user = user(json!({
        "SCHEMAS": ["URN:ietf:params:scim:schemas:core:2.0:User"],
        "USERNAME": "mia", "Active": "False", "id": "mine", "meta": { "version": "x" }, "groups": [{ "value": "g" }],
        "password": "t1meMa$heen", "favouriteColour": "blue", "__proto__": { "active": true }, "title": null, "ims": [],
        "NAME": { "GivenName": "Mia", "familyname": "Meier", "age": 7 },
        "emails": { "VALUE": "mia@acme.example", "Primary": "True", "x": [[[]]] },
        ENTERPRISE.to_uppercase(): { "DEPARTMENT": "R&D", "manager": "7", "unknown": {} },
        "urn:somebody:elses:User": { "a": 1 },
    }));
    let expected = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": "mia",
        "active": false,
        "name": { "givenName": "Mia", "familyName": "Meier" },
        "emails": [{ "value": "mia@acme.example", "primary": true }],
        ENTERPRISE: { "department": "R&D", "manager": { "value": "7" } },
    });
    assert_eq!(Value::Object(user.attributes.clone()), expected);
    assert!(!user.active);
    assert_eq!(User::parse(user.attributes.clone()).unwrap(), user, "what was read reads the same");
}

#[test]
fn who_they_are_is_found_where_providers_say_it() {
    let names = [
        (json!({ "displayName": "D", "name": { "formatted": "F" } }), Some("D")),
        (json!({ "displayName": "", "name": { "formatted": "F", "givenName": "G" } }), Some("F")),
        (json!({ "name": { "givenName": "G", "familyName": "N" } }), Some("G N")),
        (json!({ "name": { "familyName": "N" } }), Some("N")),
        (json!({ "name": { "honorificPrefix": "Dr" } }), None),
        (json!({}), None),
    ];
    for (body, expected) in names {
        let mut body = map(body);
        body.insert("userName".into(), json!("x"));
        assert_eq!(User::parse(body.clone()).unwrap().display_name.as_deref(), expected, "{body:?}");
    }
    let emails = [
        (json!([{ "value": "a@x.org" }, { "value": "b@x.org", "primary": true }]), Some("b@x.org")),
        (json!([{ "value": "a@x.org" }, { "value": "b@x.org" }]), Some("a@x.org")),
        (json!([{ "type": "work", "primary": true }, { "value": "b@x.org" }]), Some("b@x.org")),
        (json!([]), Some("mia@x.org")),
        (Value::Null, Some("mia@x.org")),
    ];
    for (emails, expected) in emails {
        let user = user(json!({ "userName": "mia@x.org", "emails": emails }));
        assert_eq!(user.email.as_ref().map(|email| email.as_str()), expected, "{emails}");
    }
    assert_eq!(user(json!({ "userName": "mia" })).email, None);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let large: Vec<Value> = (0..40).map(|n| json!({ "value": format!("{n}{}", "x".repeat(4000)) })).collect();
    for (body, expected, named) in [
        (json!({}), "400 invalidValue", "userName"),
        (json!({ "userName": "" }), "400 invalidValue", "userName"),
        (json!({ "userName": " \t" }), "400 invalidValue", "userName"),
        (json!({ "userName": null }), "400 invalidValue", "userName"),
        (json!({ "userName": 7 }), "400 invalidValue", "userName"),
        (json!({ "userName": ["x"] }), "400 invalidValue", "userName"),
        (json!({ "userName": "x\u{0}y" }), "400 invalidValue", "userName"),
        (json!({ "userName": "x".repeat(5000) }), "400 invalidValue", "userName"),
        (json!({ "userName": "x", "username": "y" }), "400 invalidSyntax", "userName"),
        (json!({ "userName": "x", "active": "perhaps" }), "400 invalidValue", "active"),
        (json!({ "userName": "x", "active": 1 }), "400 invalidValue", "active"),
        (json!({ "userName": "x", "name": "x" }), "400 invalidValue", "name"),
        (json!({ "userName": "x", "emails": "x@x.org" }), "400 invalidValue", "emails"),
        (json!({ "userName": "x", "emails": ["x@x.org"] }), "400 invalidValue", "emails"),
        (json!({ "userName": "x", "emails": [{ "value": "no address" }] }), "400 invalidValue", "emails"),
        (json!({ "userName": "x", "emails": [{ "value": { "a": 1 } }] }), "400 invalidValue", "value"),
        (
            json!({ "userName": "x", "ims": [{ "value": "a", "primary": true }, { "value": "b", "primary": "true" }] }),
            "400 invalidValue",
            "ims",
        ),
        (json!({ "userName": "x", "x509Certificates": [{ "value": "not base64!" }] }), "400 invalidValue", "value"),
        (json!({ "userName": "x", ENTERPRISE: "x" }), "400 invalidValue", ENTERPRISE),
        (json!({ "userName": "x", "roles": large }), "400 invalidValue", "larger"),
        (json!({ "userName": "x", "schemas": ["urn:x"] }), "400 invalidSyntax", "schemas"),
        (
            json!({ "userName": "x", "schemas": "urn:ietf:params:scim:schemas:core:2.0:User" }),
            "400 invalidSyntax",
            "schemas",
        ),
    ] {
        let error = User::parse(map(body.clone())).expect_err(&body.to_string());
        assert_eq!(said(&error), expected, "{body:.200}: {error}");
        assert!(error.detail.contains(named), "{named}: {error}");
    }
}

#[test]
fn a_password_is_never_kept() {
    let user = user(json!({ "userName": "x", "password": "hunter2", "PASSWORD": "hunter2" }));
    assert!(!format!("{user:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&babs().attributes).unwrap().contains("password"));
}
