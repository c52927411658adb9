//! What was allowed when it came and is not any more when its turn comes: changes of a workspace stand
//! in line, so a request may wait while its caller is shut out. It must leave nothing behind.

use std::time::Duration;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_model::event::{Actor, EventType, Origin};
use provost_model::{ApiKeyId, MemberId};
use provost_store::tables::{api_keys, members};
use provost_store::{Change, Touched};
use provost_testkit::server::{Answer, As, Server};
use serde_json::{Value, json};

use super::issuer::{authorize, authorize_query, device, location};
use super::{BOTH, PATIENT, status};

/// A request comes in and waits; meanwhile something happens; then it is its turn.
pub(super) async fn overtaken<T>(
    server: &Server,
    request: impl Future<Output = T>,
    meanwhile: impl AsyncFnOnce(&mut Change),
) -> T {
    let ws = server.workspace_id.parse().unwrap();
    let mut change = server.node.app.store.change(ws, Actor::system(), Origin::default()).await.unwrap();
    let first = async {
        // So long takes nothing but waiting for the change.
        tokio::time::sleep(Duration::from_millis(200)).await;
        meanwhile(&mut change).await;
        change.record(EventType::SettingsUpdated, None, json!({}));
        change.commit().await.unwrap();
    };
    tokio::join!(request, first).0
}

async fn revoke(change: &mut Change, key: &Answer) {
    let (ws, now, id) = (change.workspace_id(), change.at(), key.text("id").parse::<ApiKeyId>().unwrap());
    api_keys::revoke(change, ws, id, now).await.unwrap();
    change.touch(Touched::ApiKey(id));
}

pub(super) async fn suspend(change: &mut Change, member: &str) {
    let (ws, id) = (change.workspace_id(), member.parse::<MemberId>().unwrap());
    let row = members::get(change, ws, id).await.unwrap().unwrap();
    members::update(change, ws, &members::MemberRow { active: false, ..row }).await.unwrap();
    change.touch(Touched::Member(id));
}

async fn key(server: &Server, scope: &str, more: Value) -> Answer {
    let mut body = json!({ "name": scope, "scopes": [scope] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.post("/api/v1/api-keys", body).await
}

fn as_key(key: &Answer) -> As {
    As::Key(key.text("key"))
}

/// Makes a member as an identity provider does.
async fn provision(server: &Server, key: &Answer, name: &str) -> StatusCode {
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
        "emails": [{ "value": name, "type": "work", "primary": true }], "active": true });
    let request = server.request(Method::POST, "/scim/v2/Users").bearer_auth(key.text("key"));
    let request = request.header("content-type", "application/scim+json").body(body.to_string());
    server.send(request).await.status
}

async fn emails(server: &Server) -> Vec<String> {
    let members = server.get("/api/v1/members").await.ok();
    members["data"].as_array().unwrap().iter().map(|row| row["email"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_that_is_revoked_while_its_request_waits_changes_nothing() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let key = key(&server, "admin", json!({})).await;
        let body = json!({ "name": "a key to stay", "scopes": ["admin"] });
        let caller = as_key(&key);
        let request = server.call(&caller, Method::POST, "/api/v1/api-keys", Some(body));
        let answer = overtaken(&server, request, async |change| revoke(change, &key).await).await;
        assert_eq!(status(&answer), "401 unauthorized");
        let keys = server.get("/api/v1/api-keys").await.ok();
        assert_eq!(keys["data"].as_array().unwrap().len(), 1, "{keys}");
        assert_eq!(server.events("api_key.created").await.len(), 2, "the first key, and the one that is revoked");
    }
}

#[tokio::test]
async fn a_key_that_ends_while_its_request_waits_changes_nothing() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let key = key(&server, "admin", json!({ "expires_in_days": 1 })).await;
        let scim = self::key(&server, "scim", json!({ "expires_in_days": 1 })).await;
        let caller = as_key(&key);
        let body = Some(json!({ "email": "api@acme.example" }));
        let both = async {
            let request = server.call(&caller, Method::POST, "/api/v1/members", body);
            tokio::join!(request, provision(&server, &scim, "scim@acme.example"))
        };
        let meanwhile = async |_: &mut Change| server.advance(SignedDuration::from_hours(25));
        let (answer, provisioned) = overtaken(&server, both, meanwhile).await;
        assert_eq!((status(&answer).as_str(), provisioned.as_u16()), ("401 unauthorized", 401));
        assert_eq!(emails(&server).await, ["owner@acme.example"]);
    }
}

/// Several wait for one commit: who is shut out holds back none of the others.
#[tokio::test]
async fn a_provider_whose_key_is_revoked_while_its_requests_wait_changes_nothing() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (bad, good) = (key(&server, "scim", json!({})).await, key(&server, "scim", json!({})).await);
        let requests = async {
            tokio::join!(
                provision(&server, &good, "a@acme.example"),
                provision(&server, &bad, "b@acme.example"),
                provision(&server, &good, "c@acme.example"),
                provision(&server, &bad, "d@acme.example"),
            )
        };
        let answers = overtaken(&server, requests, async |change| revoke(change, &bad).await).await;
        let numbers = (answers.0.as_u16(), answers.1.as_u16(), answers.2.as_u16(), answers.3.as_u16());
        assert_eq!(numbers, (201, 401, 201, 401));
        let mut emails = emails(&server).await;
        emails.sort();
        assert_eq!(emails, ["a@acme.example", "c@acme.example", "owner@acme.example"]);
    }
}

#[tokio::test]
async fn who_is_suspended_while_they_let_a_client_in_lets_none_in() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "device_code_login": true })).await.ok();
        let mia = server.member("mia@acme.example").await;
        let path = format!("/api/v1/members/{mia}");
        // A device.
        let session = server.sign_in("mia@acme.example").await;
        let (_, code) = device::start(&server).await;
        let approve = format!("/api/v1/device-logins/{code}/approve");
        let request = server.call(&session, Method::POST, &approve, None);
        let answer = overtaken(&server, request, async |change| suspend(change, &mia).await).await;
        assert_eq!(status(&answer), "401 unauthorized");
        assert!(server.events("device_login.approved").await.is_empty());
        // A browser, that brings a code to a client on its machine.
        server.patch(&path, json!({ "active": true })).await.ok();
        let query = authorize_query();
        let request = authorize(&server, &session, &query);
        let answer = overtaken(&server, request, async |change| suspend(change, &mia).await).await;
        let (to, query) = location(&answer);
        assert_eq!((to.as_str(), query.get("code")), ("/sign-in", None), "{query:?}");
    }
}
