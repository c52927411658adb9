//! SCIM, as identity providers speak it.

mod attacks;
mod bulk;
mod concurrency;
mod follow;
mod groups;
mod isolation;
mod large_group;
mod malformed;
mod names;
mod owners;
mod replay;
mod search;
mod suite;
mod users;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, Method};
use provost_testkit::server::{Answer, Server};
use serde_json::{Value, json};

use crate::api::stage::{BOTH, play};

const USERS: &str = "/scim/v2/Users";
const GROUPS: &str = "/scim/v2/Groups";

/// A user with nothing but a name, which is an address.
fn user(user_name: &str) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": user_name,
        "emails": [{ "value": user_name, "type": "work", "primary": true }], "active": true })
}

/// A group with these members.
fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members })
}

/// A change of a resource.
fn patch(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// A filter, as a query of a list.
fn filter(list: &str, filter: &str) -> String {
    let query: String =
        reqwest::Url::parse_with_params("http://x/", [("filter", filter)]).unwrap().query().unwrap().into();
    format!("{list}?{query}")
}

/// A key with these scopes.
async fn key(server: &Server, scopes: &[&str]) -> String {
    server.post("/api/v1/api-keys", json!({ "name": "idp", "scopes": scopes })).await.text("key")
}

/// Calls as a provider does.
async fn call(server: &Server, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    call_with(server, key, method, path, body, &[]).await
}

/// The same with more headers.
async fn call_with(
    server: &Server,
    key: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
    headers: &[(HeaderName, &str)],
) -> Answer {
    let mut request = server.request(method, path).header(AUTHORIZATION, format!("Bearer {key}"));
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    if let Some(body) = body {
        request = request.header(CONTENT_TYPE, "application/scim+json").body(body.to_string());
    }
    server.send(request).await
}

/// The status of an answer and, of an error, its `scimType`.
fn status(answer: &Answer) -> String {
    let scim_type = answer.body["scimType"].as_str().map(|text| format!(" {text}")).unwrap_or_default();
    format!("{}{scim_type}", answer.status.as_u16())
}
