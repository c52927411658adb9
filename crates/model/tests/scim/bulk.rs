//! Many requests in one (RFC 7644 §3.7).

use std::collections::HashMap;

use provost_model::scim::{BulkRequest, ResourceKind, ScimError};
use serde_json::{Value, json};

use super::{map, said};

fn bulk(operations: Value) -> Result<BulkRequest, ScimError> {
    BulkRequest::parse(map(json!({ "schemas": [BulkRequest::SCHEMA], "failOnErrors": 1, "Operations": operations })))
}

fn names(id: &str, others: &[&str]) -> Value {
    let members: Vec<Value> = others.iter().map(|name| json!({ "value": format!("bulkId:{name}") })).collect();
    json!({ "method": "post", "path": "/Groups", "bulkId": id, "data": { "displayName": id, "members": members } })
}

#[test]
fn what_is_named_comes_first() {
    let schedule =
        bulk(json!([names("a", &["c", "c"]), names("b", &[]), names("c", &["b"]), names("d", &["unknown"])]));
    let schedule = schedule.unwrap().schedule();
    assert_eq!((schedule.order, schedule.circular), (vec![1, 2, 0, 3], vec![]));
    let ring =
        bulk(json!([names("a", &["b"]), names("b", &["a"]), names("c", &["a"]), names("d", &["d"]), names("e", &[])]));
    let schedule = ring.unwrap().schedule();
    assert_eq!((schedule.order, schedule.circular), (vec![4], vec![0, 1, 2, 3]));
}

#[test]
fn ids_are_put_where_names_stand() {
    let request =
        bulk(json!([{ "method": "PATCH", "path": "/Groups/bulkId:g", "version": "W/\"1\"", "data": { "Operations": [
        { "op": "add", "path": "members", "value": [{ "value": "bulkId:u", "display": "not bulkId:u" }] },
        { "op": "remove", "path": "members[value eq \"bulkId:u\"]" },
    ] } }]));
    let mut operation = request.unwrap().operations.remove(0);
    assert_eq!(operation.references(), ["g", "u", "u"]);
    let mut made = HashMap::from([("g".to_owned(), "G1".to_owned())]);
    let error = operation.clone().resolve(&made).unwrap_err();
    assert_eq!((error.status, error.detail.contains("`u`")), (409, true), "{error}");
    made.insert("u".to_owned(), "U1".to_owned());
    operation.resolve(&made).unwrap();
    assert_eq!(operation.path, "/Groups/G1");
    let operations = &operation.data.as_ref().unwrap()["Operations"];
    assert_eq!(operations[0]["value"][0], json!({ "value": "U1", "display": "not bulkId:u" }));
    assert_eq!(operations[1]["path"], "members[value eq \"U1\"]");
    let target = operation.target().unwrap();
    assert_eq!((target.kind, target.id.as_deref()), (ResourceKind::Group, Some("G1")));
}

#[test]
fn what_is_wrong_is_said_of_the_request_or_of_its_operation() {
    for operations in [
        json!({}),
        json!([1]),
        json!([{ "path": "/Users" }]),
        json!([{ "method": "POST" }]),
        json!([{ "method": "POST", "path": "/Users", "data": [] }]),
        json!([names("a", &[]), names("a", &[])]),
    ] {
        assert_eq!(said(&bulk(operations.clone()).unwrap_err()), "400 invalidSyntax", "{operations}");
    }
    assert_eq!(said(&bulk(vec![names("", &[]); 1001].into()).unwrap_err()), "413");
    for (method, path, expected) in [
        ("POST", "/Users", "400 invalidSyntax"),
        ("POST", "/Users/7", "405"),
        ("GET", "/Users/7", "405"),
        ("DELETE", "/Users", "405"),
        ("DELETE", "/Users/", "404"),
        ("DELETE", "/Users/7/8", "404"),
        ("DELETE", "/users/7", "404"),
        ("POST", "", "404"),
        ("POST", "https://x/Users", "404"),
    ] {
        let request = bulk(json!([{ "method": method, "path": path }])).unwrap();
        assert_eq!(said(&request.operations[0].target().unwrap_err()), expected, "{method} {path}");
    }
}
