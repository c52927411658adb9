//! Whatever is sent: no panic, and what is printed reads the same.

use proptest::prelude::*;
use provost_model::scim::{
    BulkRequest, Filter, Group, GroupPatch, PatchRequest, Path, Projection, ResourceKind, ScimError, Sort, User,
    patch_user,
};
use serde_json::{Map, Value, json};

use super::{ENTERPRISE, babs, map, patch};

const PIECES: &str = "(userName|emails|type|value|name\\.givenName|urn:ietf:params:scim:schemas:core:2\\.0:User:title| |\
                      eq|ne|co|pr|and|or|not|\\(|\\)|\\[|\\]|\\.|:|\"a\"|\"|\\\\|1e9|true|null|\u{e4}|\u{1f600}){0,20}";

fn attribute() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("userName".to_owned()),
        Just("emails.type".to_owned()),
        Just("meta.lastModified".to_owned()),
        Just(format!("{ENTERPRISE}:department")),
        Just("unknown".to_owned()),
    ]
}

fn comparison(name: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let text = "\\PC{0,12}".prop_map(|text| Value::from(text).to_string());
    let literal = prop_oneof![3 => text, 1 => any::<i64>().prop_map(|n| n.to_string()), 1 => Just("null".to_owned())];
    (name, prop_oneof![Just("eq"), Just("NE")], literal)
        .prop_map(|(name, op, literal)| format!("{name} {op} {literal}"))
}

fn nested(leaf: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    leaf.prop_recursive(5, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| all.join(" and ")),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|any| any.join(" Or ")),
            inner.clone().prop_map(|inner| format!("not ({inner})")),
            inner.prop_map(|inner| format!("( {inner} )")),
        ]
    })
}

/// Filters that follow the grammar.
fn filter() -> impl Strategy<Value = String> {
    let sub = prop_oneof![Just("value".to_owned()), Just("display".to_owned()), Just("TYPE".to_owned())];
    let within = nested(comparison(sub).boxed());
    let leaf = prop_oneof![
        4 => comparison(attribute()),
        1 => attribute().prop_map(|name| format!("{name} pr")),
        1 => within.prop_map(|filter| format!("emails[{filter}]")),
    ];
    nested(leaf.boxed())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!("True")),
        Just(json!("a@x.org")),
    ];
    let key = prop_oneof![
        "(userName|USERNAME|active|name|emails|value|type|primary|members|displayName|externalId|schemas|password|id)",
        Just(ENTERPRISE.to_owned()),
        Just("name.givenName".to_owned()),
        Just("emails[type eq \"work\"].value".to_owned()),
        Just("__proto__".to_owned()),
        "\\PC{0,8}",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    value().prop_map(|value| match value {
        Value::Object(map) => map,
        other => map(json!({ "userName": "x", "displayName": "x", "emails": other })),
    })
}

fn is_refusal(error: &ScimError) {
    assert!((400..500).contains(&error.status) && !error.detail.is_empty() && error.detail.len() < 500, "{error:?}");
}

fn read_everything(text: &str) {
    let user = babs().attributes;
    match Filter::parse(text) {
        Ok(filter) => {
            assert_eq!(Filter::parse(&filter.to_string()), Ok(filter.clone()), "{filter}");
            let _ = ResourceKind::ALL.map(|kind| filter.matches(kind, &user));
        }
        Err(error) => is_refusal(&error),
    }
    match Path::parse(text) {
        Ok(path) => assert_eq!(Path::parse(&path.to_string()), Ok(path.clone()), "{path}"),
        Err(error) => is_refusal(&error),
    }
    if let Ok(projection) = Projection::parse(None, Some(text)) {
        projection.apply(ResourceKind::User, user.clone());
    }
    if let Ok(sort) = Sort::parse(text, None) {
        sort.key(ResourceKind::User, &user);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        read_everything(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        read_everything(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_of_pieces(text in PIECES) {
        read_everything(&text);
    }

    #[test]
    fn a_filter_that_follows_the_grammar_is_read_and_prints_the_same(text in filter()) {
        prop_assume!(text.len() < 4096);
        let filter = Filter::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let printed = filter.to_string();
        let again = Filter::parse(&printed).unwrap_or_else(|error| panic!("{text}: {printed}: {error}"));
        prop_assert_eq!(&again, &filter);
        let user = babs().attributes;
        prop_assert_eq!(filter.matches(ResourceKind::User, &user), again.matches(ResourceKind::User, &user));
        let not = Filter::parse(&format!("not ({printed})")).unwrap();
        prop_assert_ne!(filter.matches(ResourceKind::User, &user), not.matches(ResourceKind::User, &user));
    }

    #[test]
    fn any_resource_reads_the_same_again(body in object()) {
        match User::parse(body.clone()) {
            Ok(user) => prop_assert_eq!(User::parse(user.attributes.clone()).unwrap(), user),
            Err(error) => is_refusal(&error),
        }
        match Group::parse(body) {
            Ok(group) => prop_assert_eq!(Group::parse(group.attributes).unwrap().display_name, group.display_name),
            Err(error) => is_refusal(&error),
        }
    }

    #[test]
    fn any_change(op in "(add|Remove|replace)", path in proptest::option::of(PIECES), value in value()) {
        let operation = json!([{ "op": op, "path": path, "value": value }]);
        let Ok(request) = patch(operation) else { return Ok(()) };
        match patch_user(&babs(), &request) {
            Ok(user) => prop_assert_eq!(User::parse(user.attributes.clone()).unwrap(), user),
            Err(error) => is_refusal(&error),
        }
        if let Err(error) = GroupPatch::parse(&request) {
            is_refusal(&error);
        }
    }

    #[test]
    fn what_is_added_and_removed_again_leaves_no_trace(number in "[0-9]{1,9}", kind in "(fax|pager|other)") {
        let path = format!("phoneNumbers[type eq \"{kind}\"]");
        let request = patch(json!([
            { "op": "add", "path": format!("{path}.value"), "value": number },
            { "op": "add", "path": "nickName", "value": number },
            { "op": "remove", "path": path },
            { "op": "remove", "path": "nickName" },
        ])).unwrap();
        prop_assert_eq!(patch_user(&babs(), &request).unwrap(), babs());
    }

    #[test]
    fn any_bulk_request(body in object(), data in object()) {
        let operation = json!({ "method": "POST", "path": "/Users", "bulkId": "x", "data": data });
        let request = BulkRequest::parse(map(json!({ "schemas": [BulkRequest::SCHEMA], "Operations": [operation] })));
        prop_assert_eq!(request.unwrap().schedule().order, vec![0]);
        if let Err(error) = PatchRequest::parse(body) {
            is_refusal(&error);
        }
    }
}
