//! `/scim/v2/Users`.

use http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use insta::assert_snapshot;
use provost_testkit::server::{As, Server};
use serde_json::json;

use super::{BOTH, USERS, call, call_with, filter, key, patch, play, status, user};

#[tokio::test]
async fn users_come_change_and_go() {
    let transcript = play(async |s| {
        s.says("Whoever is here already is found, and linked by the first write");
        let max = s.server.member("max@acme.example").await;
        s.get(&filter(USERS, r#"userName eq "MAX@acme.example""#)).await;
        let link = json!([{ "op": "add", "path": "externalId", "value": "idp-max" }]);
        s.patch(&format!("{USERS}/{max}"), patch(link)).await;
        s.says("A user with everything");
        let mut mia = user("mia@acme.example");
        mia["externalId"] = json!("idp-mia");
        mia["name"] = json!({ "givenName": "Mia", "familyName": "Meier", "formatted": "Mia Meier" });
        mia["displayName"] = json!("Mia M.");
        mia["title"] = json!("Engineer");
        mia["password"] = json!("never kept");
        mia["id"] = json!("chosen-by-me");
        mia["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] =
            json!({ "employeeNumber": "7", "department": "R&D", "manager": { "value": max } });
        mia["schemas"] = json!([
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
        ]);
        let id = s.post(USERS, mia.clone()).await.text("id");
        let path = format!("{USERS}/{id}");
        s.get(&format!("{path}?attributes=userName,name.givenName")).await;
        s.get(&format!("{path}?excludedAttributes=emails,name,meta,id")).await;
        s.says("Replaced, renamed, suspended, back");
        mia["userName"] = json!("mia.meier@acme.example");
        mia["emails"] = json!([{ "value": "mia.meier@acme.example" }]);
        s.put(&path, mia).await;
        s.patch(&path, patch(json!([{ "op": "Replace", "value": { "active": "False" } }]))).await;
        s.get(&format!("/api/v1/members/{id}")).await;
        s.patch(&path, patch(json!([{ "op": "replace", "path": "active", "value": true }]))).await;
        s.says("What cannot be");
        s.post(USERS, user("MIA.meier@acme.example")).await;
        s.post(USERS, json!({ "userName": "x" })).await;
        s.post(USERS, json!({ "emails": [{ "value": "x@acme.example" }] })).await;
        s.patch(&path, patch(json!([{ "op": "replace", "path": "userName", "value": "max@acme.example" }]))).await;
        s.patch(&path, patch(json!([{ "op": "replace", "path": "id", "value": "x" }]))).await;
        s.says("Gone");
        s.delete(&path).await;
        s.get(&path).await;
        s.delete(&path).await;
        s.get("/scim/v2/Users?count=0").await;
        for event in s.server.events("member.created").await.iter().filter(|event| event["actor"]["kind"] == "api_key")
        {
            assert_eq!(event["target"]["kind"], "member");
        }
    });
    assert_snapshot!(transcript.await);
}

#[tokio::test]
async fn what_happened_is_recorded_with_the_key_as_its_actor() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let made = call(&server, &key, Method::POST, USERS, Some(user("mia@acme.example"))).await;
        let path = format!("{USERS}/{}", made.text("id"));
        for active in [false, true] {
            let body = patch(json!([{ "op": "replace", "path": "active", "value": active }]));
            call(&server, &key, Method::PATCH, &path, Some(body)).await.ok();
        }
        let rename = patch(json!([{ "op": "replace", "path": "displayName", "value": "Mia" }]));
        call(&server, &key, Method::PATCH, &path, Some(rename.clone())).await.ok();
        call(&server, &key, Method::PATCH, &path, Some(rename)).await.ok();
        assert_eq!(call(&server, &key, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
        for (kind, count) in [("created", 1), ("suspended", 1), ("reactivated", 1), ("updated", 1), ("deleted", 1)] {
            let events = server.events(&format!("member.{kind}")).await;
            let ours: Vec<_> = events.iter().filter(|event| event["details"]["source"] == "scim").collect();
            assert_eq!(ours.len(), count, "{kind}: {events:?}");
            assert_eq!(ours[0]["actor"]["kind"], "api_key");
            assert_eq!(ours[0]["target"]["name"], "mia@acme.example");
        }
    }
}

#[tokio::test]
async fn the_owners_who_keep_the_door_stay() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let owner = format!("{USERS}/{}", server.owner_id);
        let off = || Some(patch(json!([{ "op": "replace", "path": "active", "value": false }])));
        let refused = async |what: &str| {
            let suspended = call(&server, &key, Method::PATCH, &owner, off()).await;
            let deleted = call(&server, &key, Method::DELETE, &owner, None).await;
            for answer in [suspended, deleted] {
                assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
                assert!(answer.text("detail").contains(what), "{}", answer.body);
            }
        };
        refused("last owner").await;
        let second = json!({ "email": "second@acme.example", "builtin_role": "owner" });
        server.post("/api/v1/members", second).await.ok();
        let session = crate::api::stage::owner(&server).await;
        let settings = json!({ "break_glass_owner_ids": [server.owner_id] });
        server.call(&session, Method::PATCH, "/api/v1/settings", Some(settings)).await.ok();
        refused("break_glass_owner_ids").await;
        let renamed =
            patch(json!([{ "op": "replace", "path": "emails", "value": [{ "value": "evil@acme.example" }] }]));
        let answer = call(&server, &key, Method::PATCH, &owner, Some(renamed)).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.body);
        let member = server.get(&format!("/api/v1/members/{}", server.owner_id)).await.ok();
        assert_eq!((&member["active"], &member["email"]), (&json!(true), &json!("owner@acme.example")));
        assert_eq!(member["builtin_role"], "owner");
    }
}

#[tokio::test]
async fn of_two_who_change_a_user_the_second_is_told() {
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let made = call(&server, &key, Method::POST, USERS, Some(user("mia@acme.example"))).await;
        let path = format!("{USERS}/{}", made.text("id"));
        let tag = made.headers[ETAG].to_str().unwrap().to_owned();
        assert_eq!(made.body["meta"]["version"], tag.as_str());
        assert!(tag.starts_with("W/\""), "{tag}");
        let seen = call_with(&server, &key, Method::GET, &path, None, &[(IF_NONE_MATCH, &tag)]).await;
        assert_eq!(seen.status, StatusCode::NOT_MODIFIED);
        let rename = |name: &str| Some(patch(json!([{ "op": "replace", "path": "displayName", "value": name }])));
        let first = call_with(&server, &key, Method::PATCH, &path, rename("A"), &[(IF_MATCH, &tag)]).await;
        assert_eq!(first.status, StatusCode::OK);
        for method in [Method::PATCH, Method::PUT, Method::DELETE] {
            let body = match method {
                Method::PATCH => rename("B"),
                Method::PUT => Some(user("mia@acme.example")),
                _ => None,
            };
            let second = call_with(&server, &key, method, &path, body, &[(IF_MATCH, &tag)]).await;
            assert_eq!(status(&second), "412");
        }
        let seen = call_with(&server, &key, Method::GET, &path, None, &[(IF_NONE_MATCH, &tag)]).await;
        assert_eq!((seen.status, &seen.body["displayName"]), (StatusCode::OK, &json!("A")));
    }
}

#[tokio::test]
async fn every_error_has_scim_s_shape() {
    let server = Server::start().await;
    let scim = key(&server, &["scim"]).await;
    let admin = key(&server, &["admin"]).await;
    let scim_json = "application/scim+json";
    for (who, method, path, content_type, wanted) in [
        (None, Method::GET, "/scim/v2/Users", scim_json, 401),
        (Some("pk-unknown"), Method::GET, "/scim/v2/Users", scim_json, 401),
        (Some(admin.as_str()), Method::GET, "/scim/v2/Users", scim_json, 403),
        (Some(admin.as_str()), Method::POST, "/scim/v2/Users", scim_json, 403),
        (Some(scim.as_str()), Method::GET, "/scim/v2/Nothing", scim_json, 404),
        (Some(scim.as_str()), Method::GET, "/scim/v2", scim_json, 404),
        (Some(scim.as_str()), Method::GET, "/scim/v2/Users/1", scim_json, 404),
        (Some(scim.as_str()), Method::GET, "/scim/v2/Users/1/2", scim_json, 404),
        (Some(scim.as_str()), Method::DELETE, "/scim/v2/Users", scim_json, 405),
        (Some(scim.as_str()), Method::POST, "/scim/v2/Schemas", scim_json, 405),
        (Some(scim.as_str()), Method::POST, "/scim/v2/Users", "text/plain", 415),
        (Some(scim.as_str()), Method::POST, "/scim/v2/Users", scim_json, 400),
        (Some(scim.as_str()), Method::GET, "/scim/v2/Me", scim_json, 501),
        (Some(scim.as_str()), Method::GET, "/scim/v2/Users?count=x", scim_json, 400),
    ] {
        let mut request = server.request(method.clone(), path).header(CONTENT_TYPE, content_type).body("{");
        if let Some(key) = who {
            request = request.bearer_auth(key);
        }
        let answer = server.send(request).await;
        assert_eq!(answer.status.as_u16(), wanted, "{method} {path}: {}", answer.body);
        assert_eq!(answer.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{method} {path}");
        assert_eq!(answer.body["status"], wanted.to_string());
        assert!(!answer.text("detail").is_empty());
        assert_eq!(answer.headers[CONTENT_TYPE], "application/scim+json");
        assert_eq!(answer.headers.contains_key(WWW_AUTHENTICATE), wanted == 401);
    }
    // A member's session is no way in either.
    let session = crate::api::stage::owner(&server).await;
    let answer = server.call(&session, Method::GET, USERS, None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.call(&As::Nobody, Method::GET, USERS, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.events("request.refused").await.len(), 2);
}
