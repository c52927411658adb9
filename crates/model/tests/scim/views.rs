//! How resources are shown, sorted and searched for.

use std::cmp::Ordering;

use provost_model::scim::{Projection, ResourceKind, SearchRequest, Sort, SortKey};
use serde_json::{Value, json};

use super::{ENTERPRISE, babs, map, said};

fn keys(only: Option<&str>, without: Option<&str>) -> Value {
    let mut user = babs().attributes;
    user.insert("id".into(), json!("7"));
    Value::Object(Projection::parse(only, without).unwrap().apply(ResourceKind::User, user))
}

#[test]
fn attributes_are_picked_and_left_out() {
    let schemas = babs().attributes["schemas"].clone();
    let number = format!("userName,{ENTERPRISE}:employeeNumber,nothing");
    for (only, expected) in [
        ("userName", json!({ "id": "7", "schemas": schemas, "userName": "bjensen@example.com" })),
        (" USERNAME , ", json!({ "id": "7", "schemas": schemas, "userName": "bjensen@example.com" })),
        ("name.givenName", json!({ "id": "7", "schemas": schemas, "name": { "givenName": "Barbara" } })),
        ("emails.type", json!({ "id": "7", "schemas": schemas, "emails": [{ "type": "work" }, { "type": "home" }] })),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:title",
            json!({ "id": "7", "schemas": schemas, "title": "Tour Guide" }),
        ),
        (
            &number,
            json!({ "id": "7", "schemas": schemas, "userName": "bjensen@example.com", ENTERPRISE: { "employeeNumber": "701984" } }),
        ),
    ] {
        assert_eq!(keys(Some(only), None), expected, "{only}");
    }
    assert_eq!(keys(Some(ENTERPRISE), None)[ENTERPRISE]["manager"]["value"], "26118915");
    assert_eq!(keys(Some("name,name.givenName"), None)["name"]["familyName"], "Jensen");
    let without = format!("id,schemas,name.givenName,emails.value,{ENTERPRISE}:manager,addresses,title");
    let left = keys(None, Some(&without));
    assert_eq!((&left["id"], &left["schemas"]), (&json!("7"), &schemas));
    assert_eq!(left["name"], json!({ "familyName": "Jensen" }));
    assert_eq!(left["emails"], json!([{ "type": "work", "primary": true }, { "type": "home" }]));
    assert_eq!(left[ENTERPRISE], json!({ "employeeNumber": "701984" }));
    assert!(left.get("addresses").is_none() && left.get("title").is_none());
    assert!(keys(None, Some(ENTERPRISE)).get(ENTERPRISE).is_none());
    assert_eq!(said(&Projection::parse(Some("a"), Some("b")).unwrap_err()), "400 invalidValue");
    assert_eq!(said(&Projection::parse(Some("a b"), None).unwrap_err()), "400 invalidValue");
    let includes = |only, without, name| Projection::parse(only, without).unwrap().includes(ResourceKind::Group, name);
    assert!(!includes(Some("displayName"), None, "members") && !includes(None, Some("MEMBERS"), "members"));
    assert!(includes(None, Some("members.value"), "members") && includes(Some("members.value"), None, "members"));
    assert!(includes(None, None, "members") && includes(Some("displayName"), None, "id"));
}

#[test]
fn resources_have_an_order() {
    let key = |by: &str, body: Value| Sort::parse(by, None).unwrap().key(ResourceKind::User, &map(body));
    assert_eq!(key("userName", json!({ "userName": "MIA" })), SortKey::Text("mia".into()));
    assert_eq!(key("externalId", json!({ "externalId": "MIA" })), SortKey::Text("MIA".into()));
    assert_eq!(
        key("emails", json!({ "emails": [{ "value": "a" }, { "value": "b", "primary": true }] })),
        SortKey::Text("b".into())
    );
    assert_eq!(
        key("emails.value", json!({ "emails": [{ "value": "c" }, { "value": "b" }] })),
        SortKey::Text("c".into())
    );
    assert_eq!(key("displayName", json!({})), SortKey::Missing);
    let (early, late) = (
        json!({ "meta": { "created": "2026-01-01T00:00:00.5Z" } }),
        json!({ "meta": { "created": "2026-01-01T01:00:00+00:00" } }),
    );
    assert!(key("meta.created", early) < key("meta.created", late.clone()));
    assert!(key("meta.created", late) < SortKey::Missing);
    let (up, down) =
        (Sort::parse("title", Some("Ascending")).unwrap(), Sort::parse("title", Some("descending")).unwrap());
    let (a, none) = (SortKey::Text("a".into()), SortKey::Missing);
    assert_eq!((up.compare(&a, &none), down.compare(&a, &none)), (Ordering::Less, Ordering::Greater));
    for (by, order, expected) in [
        ("nothing", None, "400 invalidPath"),
        ("name", None, "400 invalidPath"),
        ("a b", None, "400 invalidPath"),
        (ENTERPRISE, None, "400 invalidPath"),
        ("title", Some("sideways"), "400 invalidValue"),
    ] {
        assert_eq!(said(&Sort::parse(by, order).unwrap_err()), expected, "{by}");
    }
}

#[test]
fn a_search_is_read_whole() {
    let body = |extra: Value| {
        let mut body = map(json!({ "schemas": [SearchRequest::SCHEMA] }));
        body.extend(map(extra));
        SearchRequest::parse(body)
    };
    let search = body(json!({
        "attributes": ["displayName", "userName"], "filter": "displayName sw \"smith\"", "sortBy": "userName",
        "sortOrder": "descending", "startIndex": 1, "count": 10,
    }));
    let search = search.unwrap();
    assert_eq!((search.start_index, search.count), (1, 10));
    assert_eq!(search.filter.unwrap().to_string(), "displayName sw \"smith\"");
    assert!(search.sort.unwrap().is_descending());
    let rest = body(json!({ "startIndex": -7, "count": -1 })).unwrap();
    assert_eq!((rest.start_index, rest.count, rest.filter, rest.sort), (1, 0, None, None));
    assert_eq!(body(json!({ "count": 1_000_000 })).unwrap().count, 200);
    for (extra, expected) in [
        (json!({ "filter": "(" }), "400 invalidFilter"),
        (json!({ "filter": 7 }), "400 invalidSyntax"),
        (json!({ "attributes": "userName" }), "400 invalidSyntax"),
        (json!({ "attributes": ["a"], "excludedAttributes": ["b"] }), "400 invalidValue"),
        (json!({ "count": "ten" }), "400 invalidValue"),
        (json!({ "sortBy": "nothing" }), "400 invalidPath"),
        (json!({ "schemas": [] }), "400 invalidSyntax"),
    ] {
        assert_eq!(said(&body(extra.clone()).unwrap_err()), expected, "{extra}");
    }
}
