//! What the server says of itself (RFC 7643 §5–7, RFC 7644 §4). Each takes the base address, such as
//! `https://provost.example/scim/v2`.

use serde_json::{Value, json};

use super::{Attribute, ResourceKind, Schema};
use crate::scim::{BULK_MAX_OPERATIONS, BULK_MAX_PAYLOAD_BYTES, MAX_RESULTS};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// All schemas, as `/Schemas` lists them.
pub fn schemas(base_url: &str) -> Value {
    list(every_schema().map(|schema| document(base_url, schema)).collect())
}

/// One schema by its URN, as `/Schemas/{id}` shows it.
pub fn schema(base_url: &str, id: &str) -> Option<Value> {
    every_schema().find(|schema| schema.id.eq_ignore_ascii_case(id)).map(|schema| document(base_url, schema))
}

/// All kinds of resources, as `/ResourceTypes` lists them.
pub fn resource_types(base_url: &str) -> Value {
    list(ResourceKind::ALL.into_iter().map(|kind| type_document(base_url, kind)).collect())
}

/// One kind of resources by its name, as `/ResourceTypes/{name}` shows it.
pub fn resource_type(base_url: &str, name: &str) -> Option<Value> {
    ResourceKind::ALL.into_iter().find(|kind| kind.name() == name).map(|kind| type_document(base_url, kind))
}

/// What the server can do, as `/ServiceProviderConfig` shows it.
pub fn service_provider_config(base_url: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": {
            "supported": true,
            "maxOperations": BULK_MAX_OPERATIONS,
            "maxPayloadSize": BULK_MAX_PAYLOAD_BYTES,
        },
        "filter": { "supported": true, "maxResults": MAX_RESULTS },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "An API key of the workspace with the scope `scim`, as a bearer token (RFC 6750).",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base_url}/ServiceProviderConfig") },
    })
}

fn every_schema() -> impl Iterator<Item = &'static Schema> {
    ResourceKind::ALL
        .into_iter()
        .flat_map(|kind| std::iter::once(kind.schema()).chain(kind.extensions().iter().copied()))
}

fn document(base_url: &str, schema: &Schema) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(Attribute::document).collect::<Vec<_>>(),
        "meta": { "resourceType": "Schema", "location": format!("{base_url}/Schemas/{}", schema.id) },
    })
}

fn type_document(base_url: &str, kind: ResourceKind) -> Value {
    let extension = |schema: &&Schema| json!({ "schema": schema.id, "required": false });
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": kind.name(),
        "name": kind.name(),
        "description": kind.schema().description,
        "endpoint": kind.endpoint(),
        "schema": kind.schema().id,
        "schemaExtensions": kind.extensions().iter().map(extension).collect::<Vec<_>>(),
        "meta": { "resourceType": "ResourceType", "location": format!("{base_url}/ResourceTypes/{}", kind.name()) },
    })
}

/// Always all of them: they are few, and RFC 7644 §4 has them ignore what lists are asked with.
fn list(resources: Vec<Value>) -> Value {
    json!({
        "schemas": [LIST],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}
