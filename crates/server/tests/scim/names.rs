//! One person has one name, however it is written.

use http::{Method, StatusCode};
use provost_testkit::server::Server;
use serde_json::json;

use super::{BOTH, GROUPS, USERS, call, filter, group, key, patch, status, user};

/// Spellings that name the same as the first.
const SAME: [&str; 4] =
    ["zo\u{eb}@acme.example", "ZO\u{cb}@ACME.example", "zoe\u{308}@acme.example", "zo\u{eb}@\u{ff41}cme.example"];

#[tokio::test]
async fn letter_case_and_unicode_form_do_not_make_another() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let id = call(&server, &key, Method::POST, USERS, Some(user(SAME[0]))).await.text("id");
        let other = call(&server, &key, Method::POST, USERS, Some(user("other@acme.example"))).await.text("id");
        for same in SAME {
            let again = call(&server, &key, Method::POST, USERS, Some(user(same))).await;
            assert_eq!(status(&again), "409 uniqueness", "{same}: {}", again.body);
            assert!(again.text("detail").contains("userName"));
            let mut by_email = user("another@acme.example");
            by_email["emails"][0]["value"] = json!(same);
            let again = call(&server, &key, Method::POST, USERS, Some(by_email)).await;
            assert_eq!(status(&again), "409 uniqueness", "{same}: {}", again.body);
            assert!(again.text("detail").contains("e-mail"));
            let rename = patch(json!([{ "op": "replace", "path": "userName", "value": same }]));
            let renamed = call(&server, &key, Method::PATCH, &format!("{USERS}/{other}"), Some(rename)).await;
            assert_eq!(status(&renamed), "409 uniqueness", "{same}: {}", renamed.body);
            let found =
                call(&server, &key, Method::GET, &filter(USERS, &format!("userName eq \"{same}\"")), None).await;
            assert_eq!(found.body["totalResults"], 1, "{same}");
            assert_eq!(found.body["Resources"][0]["id"], id.as_str(), "{same}");
        }
        // Who writes their own name otherwise stays who they are.
        let rename = patch(json!([{ "op": "replace", "path": "userName", "value": SAME[1] }]));
        let renamed = call(&server, &key, Method::PATCH, &format!("{USERS}/{id}"), Some(rename)).await;
        assert_eq!((renamed.status, &renamed.body["userName"]), (StatusCode::OK, &json!(SAME[1])));
        call(&server, &key, Method::POST, GROUPS, Some(group("Zo\u{eb}", &[]))).await.ok();
        let again = call(&server, &key, Method::POST, GROUPS, Some(group("ZOE\u{308}", &[]))).await;
        assert_eq!(status(&again), "409 uniqueness");
    }
}

#[tokio::test]
async fn a_rename_keeps_who_they_are() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let id = call(&server, &key, Method::POST, USERS, Some(user("mia@acme.example"))).await.text("id");
        let role =
            server.post("/api/v1/roles", json!({ "name": "r", "permissions": ["members.read"] })).await.text("id");
        server.put(&format!("/api/v1/roles/{role}/members/{id}"), json!(null)).await.ok();
        let renamed =
            call(&server, &key, Method::PUT, &format!("{USERS}/{id}"), Some(user("meier@acme.example"))).await;
        assert_eq!(renamed.ok()["id"], id.as_str());
        let member = server.get(&format!("/api/v1/members/{id}")).await.ok();
        assert_eq!(member["email"], "meier@acme.example");
        let permissions = server.get(&format!("/api/v1/members/{id}/permissions")).await.ok();
        assert!(permissions.to_string().contains("members.read"), "{permissions}");
    }
}
