//! SCIM as data: every example of RFC 7644, the dialects of Entra and Okta, and whatever else somebody sends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod arbitrary;
mod bulk;
mod documents;
mod filters;
mod groups;
mod patches;
mod paths;
mod users;
mod views;

use provost_model::scim::{PatchRequest, ScimError, User};
use serde_json::{Map, Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The object that a JSON text stands for.
fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("no object: {value}") };
    map
}

/// What an error looks like in short: `400 invalidFilter`.
fn said(error: &ScimError) -> String {
    let body = serde_json::to_value(error).unwrap();
    assert_eq!(body["schemas"], json!([ScimError::SCHEMA]));
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    [body["status"].as_str(), body["scimType"].as_str()].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn user(value: Value) -> User {
    User::parse(map(value)).unwrap()
}

fn patch(operations: Value) -> Result<PatchRequest, ScimError> {
    PatchRequest::parse(map(json!({ "schemas": [PatchRequest::SCHEMA], "Operations": operations })))
}

/// A user with something in every corner (after RFC 7643 §8.2 and §8.3).
fn babs() -> User {
    user(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": "bjensen@example.com",
        "externalId": "Bjensen",
        "name": { "givenName": "Barbara", "familyName": "Jensen" },
        "title": "Tour Guide",
        "userType": "Employee",
        "emails": [
            { "value": "bjensen@example.com", "type": "work", "primary": true },
            { "value": "babs@jensen.org", "type": "home" },
        ],
        "addresses": [
            { "type": "work", "streetAddress": "100 Universal City Plaza", "locality": "Hollywood", "primary": true },
            { "type": "home", "streetAddress": "456 Hollywood Blvd", "locality": "Hollywood" },
        ],
        ENTERPRISE: { "employeeNumber": "701984", "manager": { "value": "26118915" } },
    }))
}
