//! `/scim/v2/Groups`.

use http::header::{ETAG, IF_MATCH};
use http::{Method, StatusCode};
use insta::assert_snapshot;
use provost_testkit::server::Server;
use serde_json::{Value, json};

use super::{BOTH, GROUPS, USERS, call, call_with, filter, group, key, patch, play, status, user};

#[tokio::test]
async fn groups_and_who_is_in_them() {
    let transcript = play(async |s| {
        let mia = s.server.post(USERS, user("mia@acme.example")).await.text("id");
        let max = s.server.post(USERS, user("max@acme.example")).await.text("id");
        s.server.group("By hand", &[&mia]).await;
        let mut ops = group("Ops", &[&mia]);
        ops["externalId"] = json!("idp-ops");
        let id = s.post(GROUPS, ops).await.text("id");
        let path = format!("{GROUPS}/{id}");
        s.get(&filter(GROUPS, r#"displayName eq "OPS""#)).await;
        s.get(&filter(GROUPS, r#"externalId eq "idp-ops""#)).await;
        s.get(&format!("{}&excludedAttributes=members", filter(GROUPS, &format!("members.value eq \"{mia}\"")))).await;
        s.says("What a change answers");
        s.patch(&path, patch(json!([{ "op": "Add", "path": "members", "value": [{ "value": max }] }]))).await;
        let without = format!("members[value eq \"{mia}\"]");
        s.patch(&format!("{path}?attributes=members"), patch(json!([{ "op": "Remove", "path": without }]))).await;
        s.patch(&path, patch(json!([{ "op": "replace", "value": { "id": id, "displayName": "Operations" } }]))).await;
        s.get(&path).await;
        s.get(&format!("{USERS}/{max}?attributes=groups")).await;
        s.says("Read-only elsewhere");
        s.get("/api/v1/groups").await;
        s.patch(&format!("/api/v1/groups/{id}"), json!({ "name": "x" })).await;
        s.call(&s.server.admin(), Method::PUT, &format!("/api/v1/groups/{id}/members/{mia}"), None).await;
        s.says("What cannot be");
        s.post(GROUPS, group("by HAND", &[])).await;
        s.post(GROUPS, group("operations", &[])).await;
        s.post(GROUPS, group("New", &[&format!("mem_{}", "0".repeat(32))])).await;
        s.post(GROUPS, group("New", &["somebody"])).await;
        s.post(GROUPS, json!({ "members": [] })).await;
        s.patch(&path, patch(json!([{ "op": "add", "path": "members", "value": [{ "value": "x" }] }]))).await;
        s.patch(&path, patch(json!([{ "op": "remove", "path": "displayName" }]))).await;
        s.says("Replaced, and gone");
        s.put(&path, group("Operations", &[&mia, &max])).await;
        s.delete(&path).await;
        s.get(&path).await;
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn a_group_made_by_hand_is_not_of_this_surface() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let id = server.group("By hand", &[]).await;
        let path = format!("{GROUPS}/{id}");
        assert_eq!(call(&server, &key, Method::GET, GROUPS, None).await.ok()["totalResults"], 0);
        let rename = patch(json!([{ "op": "replace", "path": "displayName", "value": "Mine" }]));
        for (method, body) in [
            (Method::GET, None),
            (Method::DELETE, None),
            (Method::PUT, Some(group("Mine", &[]))),
            (Method::PATCH, Some(rename)),
        ] {
            assert_eq!(status(&call(&server, &key, method, &path, body).await), "404");
        }
        assert_eq!(server.get(&format!("/api/v1/groups/{id}")).await.ok()["name"], "By hand");
    }
}

#[tokio::test]
async fn one_event_says_who_came_and_who_went() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let mut ids = Vec::new();
        for name in 0..130 {
            let made = call(&server, &key, Method::POST, USERS, Some(user(&format!("u{name}@acme.example")))).await;
            ids.push(made.text("id"));
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let made = call(&server, &key, Method::POST, GROUPS, Some(group("Ops", &ids[..10]))).await;
        let path = format!("{GROUPS}/{}", made.text("id"));
        call(&server, &key, Method::PUT, &path, Some(group("Ops", &ids[5..]))).await.ok();
        // Nothing changes, nothing is said.
        call(&server, &key, Method::PUT, &path, Some(group("Ops", &ids[5..]))).await.ok();
        let events = server.events("group.members_updated").await;
        let seen: Vec<_> = events.iter().map(|event| &event["details"]).collect();
        let counts: Vec<_> =
            seen.iter().map(|details| (details["added"].clone(), details["removed"].clone())).collect();
        assert_eq!(counts, [(json!(10), json!(0)), (json!(120), json!(5))]);
        assert_eq!(seen[1]["added_member_ids"].as_array().unwrap().len(), 100);
        assert_eq!(seen[1]["removed_member_ids"].as_array().unwrap().len(), 5);
        assert_eq!(events[1]["actor"]["kind"], "api_key");
    }
}

#[tokio::test]
async fn a_group_s_tag_names_its_members_too() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let mia = call(&server, &key, Method::POST, USERS, Some(user("mia@acme.example"))).await.text("id");
        let made = call(&server, &key, Method::POST, GROUPS, Some(group("Ops", &[]))).await;
        let path = format!("{GROUPS}/{}", made.text("id"));
        let tag = made.headers[ETAG].to_str().unwrap().to_owned();
        let add = || Some(patch(json!([{ "op": "add", "path": "members", "value": [{ "value": mia }] }])));
        let first = call_with(&server, &key, Method::PATCH, &path, add(), &[(IF_MATCH, &tag)]).await;
        assert_eq!((first.status, &first.body), (StatusCode::NO_CONTENT, &Value::Null));
        assert_ne!(first.headers[ETAG].to_str().unwrap(), tag);
        let second = call_with(&server, &key, Method::PATCH, &path, add(), &[(IF_MATCH, &tag)]).await;
        assert_eq!(status(&second), "412");
    }
}
