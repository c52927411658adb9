//! `/scim/v2/Bulk`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{GROUPS, USERS, group, patch, play, user};

fn bulk(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
}

#[tokio::test]
async fn many_operations_in_one_request() {
    let transcript =
        play(async |s| {
            let path = "/scim/v2/Bulk";
            s.says("The group waits for its member, and each answer stands in its place");
            let answer = s.post(path, bulk(json!([
            { "method": "POST", "path": "/Groups", "bulkId": "g", "data": group("Ops", &["bulkId:mia"]) },
            { "method": "POST", "path": "/Users", "bulkId": "mia", "data": user("mia@acme.example") },
            { "method": "POST", "path": "/Users", "bulkId": "again", "data": user("MIA@acme.example") },
            { "method": "PATCH", "path": "/Users/bulkId:mia",
              "data": patch(json!([{ "op": "replace", "path": "displayName", "value": "Mia" }])) },
            { "method": "POST", "path": "/Groups", "bulkId": "h", "data": group("None", &["bulkId:nobody"]) },
            { "method": "DELETE", "path": "/Users/nobody" },
            { "method": "GET", "path": "/Users" },
        ]))).await;
            let made =
                answer.body["Operations"][1]["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            s.get(&format!("{USERS}/{made}")).await;
            s.get(&format!("{GROUPS}?excludedAttributes=meta")).await;
            s.says("After so many errors the rest is left");
            let mut request = bulk(json!([
                { "method": "DELETE", "path": "/Users/nobody" },
                { "method": "DELETE", "path": format!("/Users/{made}") },
            ]));
            request["failOnErrors"] = json!(1);
            s.post(path, request).await;
            s.get(&format!("{USERS}/{made}?attributes=userName")).await;
            s.says("What cannot be");
            s.post(path, json!({ "Operations": [] })).await;
            s.post(path, bulk(json!("x"))).await;
            s.post(path, bulk(json!([{ "method": "POST", "path": "/Users", "data": user("x@acme.example") }]))).await;
        });
    assert_snapshot!(transcript.await);
}
