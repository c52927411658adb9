//! Another workspace's people are nobody here.

use http::Method;
use provost_testkit::server::{As, Server};
use serde_json::json;

use super::{BOTH, GROUPS, USERS, call, filter, group, key, patch, status, user};
use crate::api::tenants::second_workspace;

#[tokio::test]
async fn what_another_workspace_has_is_not_there() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let (other_owner, As::Key(other)) = second_workspace(&server).await else { unreachable!("a key") };
        let ours = key(&server, &["scim"]).await;
        let mia = call(&server, &ours, Method::POST, USERS, Some(user("mia@acme.example"))).await.text("id");
        let ops = call(&server, &ours, Method::POST, GROUPS, Some(group("Ops", &[&mia]))).await.text("id");
        for (path, body) in
            [(format!("{USERS}/{mia}"), user("x@acme.example")), (format!("{GROUPS}/{ops}"), group("x", &[]))]
        {
            let nothing = json!([{ "op": "replace", "path": "externalId", "value": "x" }]);
            for (method, body) in [
                (Method::GET, None),
                (Method::PUT, Some(body)),
                (Method::PATCH, Some(patch(nothing))),
                (Method::DELETE, None),
            ] {
                assert_eq!(status(&call(&server, &other, method.clone(), &path, body).await), "404", "{method} {path}");
            }
        }
        for search in [
            filter(USERS, "userName eq \"mia@acme.example\""),
            filter(USERS, "emails.value eq \"mia@acme.example\""),
            filter(USERS, &format!("id eq \"{mia}\"")),
            filter(USERS, "userName sw \"mia\""),
            filter(GROUPS, "displayName eq \"Ops\""),
            filter(GROUPS, &format!("members.value eq \"{mia}\"")),
            GROUPS.to_owned(),
        ] {
            let found = call(&server, &other, Method::GET, &search, None).await.ok();
            assert_eq!(found["totalResults"], 0, "{search}");
        }
        let all = call(&server, &other, Method::GET, USERS, None).await.ok();
        assert_eq!((&all["totalResults"], &all["Resources"][0]["id"]), (&json!(1), &json!(other_owner)));
        // A member of ours is no member of a group of theirs.
        let answer = call(&server, &other, Method::POST, GROUPS, Some(group("Theirs", &[&mia]))).await;
        assert_eq!(status(&answer), "400 invalidValue");
        assert!(answer.text("detail").contains(&mia), "{}", answer.body);
        let theirs = call(&server, &other, Method::POST, GROUPS, Some(group("Theirs", &[]))).await.text("id");
        let add = patch(json!([{ "op": "add", "path": "members", "value": [{ "value": mia }] }]));
        let answer = call(&server, &other, Method::PATCH, &format!("{GROUPS}/{theirs}"), Some(add)).await;
        assert_eq!(status(&answer), "400 invalidValue");
        // Names are each workspace's own.
        assert_eq!(status(&call(&server, &other, Method::POST, USERS, Some(user("mia@acme.example"))).await), "201");
        assert_eq!(status(&call(&server, &other, Method::POST, GROUPS, Some(group("Ops", &[]))).await), "201");
        let bulk = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
            { "method": "DELETE", "path": format!("/Users/{mia}") },
        ] });
        let answer = call(&server, &other, Method::POST, "/scim/v2/Bulk", Some(bulk)).await.ok();
        assert_eq!(answer["Operations"][0]["status"], "404");
        assert_eq!(status(&call(&server, &ours, Method::GET, &format!("{USERS}/{mia}"), None).await), "200");
    }
}
