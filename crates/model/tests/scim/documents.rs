//! What the server says of itself (RFC 7643 §5–7).

use provost_model::scim::{
    ScimError, ScimType, resource_type, resource_types, schema, schemas, service_provider_config,
};
use serde_json::json;

use super::ENTERPRISE;

const BASE: &str = "https://provost.example/scim/v2";

#[test]
fn schemas_describe_what_is_taken() {
    let all = schemas(BASE);
    assert_eq!(all["totalResults"], 3);
    let user = schema(BASE, "urn:ietf:params:scim:schemas:core:2.0:User").unwrap();
    assert_eq!(user["meta"]["location"], format!("{BASE}/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"));
    let names: Vec<_> = user["attributes"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    // RFC 7643 §4.1, in its order.
    assert_eq!(
        names,
        [
            "userName",
            "name",
            "displayName",
            "nickName",
            "profileUrl",
            "title",
            "userType",
            "preferredLanguage",
            "locale",
            "timezone",
            "active",
            "password",
            "emails",
            "phoneNumbers",
            "ims",
            "photos",
            "addresses",
            "groups",
            "entitlements",
            "roles",
            "x509Certificates"
        ]
    );
    let user_name = &user["attributes"][0];
    assert_eq!(
        (&user_name["required"], &user_name["caseExact"], &user_name["uniqueness"]),
        (&json!(true), &json!(false), &json!("server"))
    );
    assert_eq!(user["attributes"][11]["returned"], "never");
    let emails = &user["attributes"][12];
    assert_eq!(emails["subAttributes"][2]["canonicalValues"], json!(["work", "home", "other"]));
    assert!(schema(BASE, &ENTERPRISE.to_lowercase()).is_some() && schema(BASE, "urn:nobody:knows").is_none());
}

#[test]
fn types_and_abilities() {
    let types = resource_types(BASE);
    assert_eq!(types["Resources"][0]["schemaExtensions"], json!([{ "schema": ENTERPRISE, "required": false }]));
    assert_eq!(types["Resources"][1], resource_type(BASE, "Group").unwrap());
    assert!(resource_type(BASE, "Device").is_none());
    let config = service_provider_config(BASE);
    assert_eq!(config["bulk"], json!({ "supported": true, "maxOperations": 1000, "maxPayloadSize": 1_048_576 }));
    assert_eq!(config["filter"]["maxResults"], 200);
    assert_eq!(config["changePassword"]["supported"], false);
}

#[test]
fn errors_have_the_body_of_the_standard() {
    let error = ScimError::new(ScimType::Uniqueness, "taken");
    let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
    let expected = json!({ "schemas": [schema], "status": "409", "scimType": "uniqueness", "detail": "taken" });
    assert_eq!(serde_json::to_value(&error).unwrap(), expected);
    let expected = json!({ "schemas": [schema], "status": "404", "detail": "gone" });
    assert_eq!(serde_json::to_value(ScimError::other(404, "gone")).unwrap(), expected);
}
