//! `/api/v1/deprovisions`: who leaves is out, of everything, and the receipt says so.

use http::header::{AUTHORIZATION, SET_COOKIE};
use http::{Method, StatusCode};
use provost_testkit::server::{Answer, As, PASSWORD, Server};
use serde_json::{Value, json};

use super::issuer::{BUNDLE, bundle_status, code as browser_code, exchange, form, sign_in_client};
use super::tenants::second_workspace;
use super::{BOTH, PATIENT, status};

/// The receipt that an answer names.
async fn receipt(server: &Server, answer: &Answer) -> Value {
    assert!(answer.status.is_success(), "{}: {}", answer.status, answer.body);
    let id = answer.headers["x-provost-deprovision"].to_str().unwrap();
    server.get(&format!("/api/v1/deprovisions/{id}")).await.ok()
}

/// Everything that an admin can have: `mia@acme.example`.
struct Leaver {
    id: String,
    session: As,
    client: String,
    refresh: String,
    access_token: String,
    api_key: String,
}

async fn leaver(server: &Server) -> Leaver {
    server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
    let body = json!({ "email": "mia@acme.example", "password": PASSWORD, "builtin_role": "admin" });
    let id = server.post("/api/v1/members", body).await.text("id");
    let session = server.sign_in("mia@acme.example").await;
    let tokens = sign_in_client(server, &session).await;
    let body = json!({ "name": "laptop", "expires_in_days": 1 });
    let token = server.call(&session, Method::POST, "/api/v1/access-tokens", Some(body)).await.text("token");
    let body = json!({ "name": "mia's job", "scopes": ["analytics.read"] });
    let key = server.call(&session, Method::POST, "/api/v1/api-keys", Some(body)).await.text("key");
    Leaver { id, session, client: tokens.access, refresh: tokens.refresh, access_token: token, api_key: key }
}

impl Leaver {
    /// Which of what they had still lets somebody in.
    async fn works(&self, server: &Server) -> Vec<&'static str> {
        let mut works = Vec::new();
        let session = server.call(&self.session, Method::GET, "/api/v1/session", None).await;
        let renewed = server
            .call(
                &As::Nobody,
                Method::POST,
                "/oauth/token",
                Some(json!({ "grant_type": "refresh_token", "refresh_token": self.refresh })),
            )
            .await;
        let key = server.call(&As::Key(self.api_key.clone()), Method::GET, "/api/v1/settings", None).await;
        for (what, status) in [
            ("session", session.status),
            ("client session", bundle_status(server, &self.client).await),
            ("refresh token", renewed.status),
            ("access token", bundle_status(server, &self.access_token).await),
            ("API key", key.status),
        ] {
            if status.is_success() {
                works.push(what);
            }
        }
        works
    }
}

#[tokio::test]
async fn who_is_suspended_is_out_of_everything_and_the_receipt_names_it() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let mia = leaver(&server).await;
        let path = format!("/api/v1/members/{}", mia.id);
        let suspended = server.patch(&path, json!({ "active": false })).await;
        assert_eq!(suspended.body["active"], false, "the answer keeps its shape: {}", suspended.body);
        let receipt = settled(&server, &suspended).await;
        assert_eq!(receipt["member"], json!({ "id": mia.id, "email": "mia@acme.example" }));
        assert_eq!(receipt["cause"], "suspended");
        let ended = json!({
            "sessions": 1, "client_sessions": 1, "access_tokens": 1, "api_keys": 0, "api_key_requests": 0,
            "workload_identities": 0, "links": 0, "device_logins": 0, "authorization_codes": 0,
        });
        assert_eq!(receipt["ended"], ended);
        let items: Vec<_> = receipt["items"].as_array().unwrap().iter().map(|item| &item["kind"]).collect();
        assert_eq!(items, ["session", "client_session", "access_token"]);
        assert_eq!(receipt["items"][2]["name"], "laptop");
        assert_eq!(receipt["items"][2]["ended_at"], receipt["at"]);
        // The key is the workspace's: an owner decides.
        assert_eq!(mia.works(&server).await, ["API key"]);
        let left = &receipt["api_keys_left"][0];
        assert_eq!((&left["name"], &left["scopes"]), (&json!("mia's job"), &json!(["analytics.read"])));
        // One node runs, and says when it had let go.
        assert_eq!(receipt["nodes"].as_array().unwrap().len(), 1, "{receipt}");
        assert!((0..1_000).contains(&receipt["nodes"][0]["after_ms"].as_i64().unwrap()), "{receipt}");
        assert_eq!(receipt["nodes"][0]["streams_ended"], 0);

        // The ledger has it too, without anything that is secret.
        let events = server.events("member.deprovisioned").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["details"]["deprovision_id"], receipt["id"]);
        assert_eq!(events[0]["details"]["ended"]["access_tokens"], 1);
        let everything = format!("{events:?} {receipt}");
        for secret in [&mia.client, &mia.refresh, &mia.access_token, &mia.api_key] {
            assert!(!everything.contains(secret));
        }

        // Let back in, nothing comes back with them.
        server.patch(&path, json!({ "active": true })).await.ok();
        assert_eq!(mia.works(&server).await, ["API key"]);
        server.sign_in("mia@acme.example").await;

        // An owner decides.
        let revoke = format!("/api/v1/deprovisions/{}/revoke-api-keys", receipt["id"].as_str().unwrap());
        let revoked = server.post(&revoke, Value::Null).await.ok();
        assert_eq!(revoked["revoked"][0]["name"], "mia's job");
        assert!(mia.works(&server).await.is_empty());
        assert_eq!(server.post(&revoke, Value::Null).await.ok()["revoked"], json!([]), "twice is once");
        assert_eq!(server.events("api_key.revoked").await.len(), 1);
        assert_eq!(settled(&server, &suspended).await["api_keys_left"], json!([]));
    }
}

#[tokio::test]
async fn who_is_deleted_leaves_a_receipt_and_with_the_setting_no_api_key() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "leaver_api_keys": "revoke" })).await.ok();
        let mia = leaver(&server).await;
        let deleted = server.delete(&format!("/api/v1/members/{}", mia.id)).await;
        assert_eq!((deleted.status, &deleted.body), (StatusCode::NO_CONTENT, &Value::Null));
        let receipt = settled(&server, &deleted).await;
        assert_eq!((&receipt["cause"], &receipt["ended"]["api_keys"]), (&json!("deleted"), &json!(1)));
        assert_eq!(receipt["items"][3]["kind"], "api_key");
        assert_eq!(receipt["api_keys_left"], json!([]));
        assert!(mia.works(&server).await.is_empty());
        let list = server.get(&format!("/api/v1/deprovisions?member_id={}", mia.id)).await.ok();
        assert_eq!(list["data"], json!([receipt]), "the member is gone, the receipt stays");
        assert_eq!(server.get("/api/v1/deprovisions?member_id=nobody").await.ok()["data"], json!([]));
    }
}

/// What waits to be used ends as well: an invitation, a device that was approved, a code.
#[tokio::test]
async fn what_is_in_flight_ends_too() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        server.patch("/api/v1/settings", json!({ "device_code_login": true })).await.ok();
        let invited = server.post("/api/v1/members", json!({ "email": "new@acme.example" })).await;
        let link = invited.text("invite_url");
        let path = format!("/api/v1/members/{}", invited.text("id"));
        let suspended = server.patch(&path, json!({ "active": false })).await;
        assert_eq!(receipt(&server, &suspended).await["ended"]["links"], 1);
        server.patch(&path, json!({ "active": true })).await.ok();
        let link = link.trim_start_matches(server.url());
        let request = server.request(Method::POST, link).header("content-type", "application/x-www-form-urlencoded");
        let used = server.send(request.body("password=correct+horse+battery+staple")).await;
        assert_eq!(used.status, StatusCode::NOT_FOUND, "the invitation works no more: {}", used.body);

        let id = server.member("mia@acme.example").await;
        let mia = server.sign_in("mia@acme.example").await;
        let started = server
            .call(
                &As::Nobody,
                Method::POST,
                "/api/accounts/deviceauth/usercode",
                Some(json!({ "client_id": "app_test" })),
            )
            .await;
        let (device, code) = (started.text("device_auth_id"), started.text("user_code"));
        let approve = format!("/api/v1/device-logins/{code}/approve");
        server.call(&mia, Method::POST, &approve, Some(json!({}))).await.ok();
        let path = format!("/api/v1/members/{id}");
        let suspended = server.patch(&path, json!({ "active": false })).await;
        assert_eq!(receipt(&server, &suspended).await["ended"]["device_logins"], 1);
        server.patch(&path, json!({ "active": true })).await.ok();
        // Nor does a code that a browser is bringing to its client.
        let session = server.sign_in("mia@acme.example").await;
        let code_in_flight = browser_code(&server, &session).await;
        let suspended = server.patch(&path, json!({ "active": false })).await;
        assert_eq!(receipt(&server, &suspended).await["ended"]["authorization_codes"], 1);
        server.patch(&path, json!({ "active": true })).await.ok();
        let exchanged = form(&server, "/oauth/token", &exchange(&code_in_flight)).await;
        assert_eq!((exchanged.status, exchanged.text("error")), (StatusCode::BAD_REQUEST, "invalid_grant".to_owned()));

        let body = json!({ "device_auth_id": device, "user_code": code });
        let polled = server.call(&As::Nobody, Method::POST, "/api/accounts/deviceauth/token", Some(body)).await;
        assert_eq!(polled.status, StatusCode::GONE, "{}", polled.body);
    }
}

/// A workspace in which a role grants Codex to two groups, and the toggle does not.
async fn two_groups(server: &Server, members: &[&str]) -> [String; 2] {
    let settings = json!({ "codex_local": false, "codex_access_tokens": true });
    server.patch("/api/v1/settings", settings).await.ok();
    let body = json!({ "name": "Codex", "permissions": ["codex.local.use"] });
    let role = server.post("/api/v1/roles", body).await.text("id");
    let groups = [server.group("Eng", members).await, server.group("Data", members).await];
    for group in &groups {
        server.put(&format!("/api/v1/roles/{role}/groups/{group}"), Value::Null).await.ok();
    }
    groups
}

/// Whether a token may start a turn: with no such model, 404 is yes.
async fn may_use(server: &Server, token: &str) -> bool {
    let request = server.request(Method::POST, "/v1/responses").header(AUTHORIZATION, format!("Bearer {token}"));
    let answer = server.send(request.json(&json!({ "model": "none", "input": "hi" }))).await;
    match answer.status {
        StatusCode::NOT_FOUND => true,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => false,
        other => panic!("{other}: {}", answer.body),
    }
}

#[tokio::test]
async fn only_leaving_the_last_granting_group_ends_everything() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let mia = server.member("mia@acme.example").await;
        let [eng, data] = two_groups(&server, &[&mia, &server.owner_id]).await;
        let other = server.group("Chess", &[&mia]).await;
        let token = server.access_token("mia@acme.example").await;
        assert!(may_use(&server, &token).await);
        // Neither a group that grants nothing, nor one of two that grant.
        for group in [&other, &eng] {
            let left = server.delete(&format!("/api/v1/groups/{group}/members/{mia}")).await;
            assert_eq!(left.status, StatusCode::NO_CONTENT);
            assert!(!left.headers.contains_key("x-provost-deprovision"));
            assert!(may_use(&server, &token).await);
        }
        let left = server.delete(&format!("/api/v1/groups/{data}/members/{mia}")).await;
        assert_eq!(left.status, StatusCode::NO_CONTENT);
        let receipt = settled(&server, &left).await;
        assert_eq!((&receipt["cause"], &receipt["group_id"]), (&json!("last_granting_group"), &json!(data)));
        assert_eq!(receipt["ended"]["access_tokens"], 1);
        assert!(!may_use(&server, &token).await);
        // Still a member, who signs in anew; back in the group, the old token stays dead.
        assert_eq!(server.get(&format!("/api/v1/members/{mia}")).await.ok()["active"], true);
        server.sign_in("mia@acme.example").await;
        server.put(&format!("/api/v1/groups/{data}/members/{mia}"), Value::Null).await.ok();
        assert!(!may_use(&server, &token).await);
        // An owner holds everything by the built-in role, whatever groups they leave.
        for group in [&eng, &data] {
            let left = server.delete(&format!("/api/v1/groups/{group}/members/{}", server.owner_id)).await;
            assert!(!left.headers.contains_key("x-provost-deprovision"));
        }
        assert_eq!(server.events("member.deprovisioned").await.len(), 1);
    }
}

#[tokio::test]
async fn a_deleted_group_is_left_by_everybody_who_was_in_it() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (mia, max) = (server.member("mia@acme.example").await, server.member("max@acme.example").await);
        let [eng, data] = two_groups(&server, &[&mia]).await;
        server.put(&format!("/api/v1/groups/{data}/members/{max}"), Value::Null).await.ok();
        let (mias, maxs) =
            (server.access_token("mia@acme.example").await, server.access_token("max@acme.example").await);
        server.delete(&format!("/api/v1/groups/{data}")).await;
        assert!(may_use(&server, &mias).await, "there is another group");
        assert!(!may_use(&server, &maxs).await);
        let receipts = server.get("/api/v1/deprovisions").await.ok();
        let who: Vec<_> = receipts["data"].as_array().unwrap().iter().map(|row| &row["member"]["id"]).collect();
        assert_eq!(who, [&json!(max)]);
        // While the toggle grants it to everybody, no group is anybody's last.
        server.patch("/api/v1/settings", json!({ "codex_local": true })).await.ok();
        server.delete(&format!("/api/v1/groups/{eng}")).await;
        assert!(may_use(&server, &mias).await);
        assert_eq!(server.events("member.deprovisioned").await.len(), 1);
    }
}

#[tokio::test]
async fn a_default_role_that_grants_is_no_group_to_lose() {
    let server = Server::start_with(BOTH[0], PATIENT).await;
    let mia = server.member("mia@acme.example").await;
    let [eng, data] = two_groups(&server, &[&mia]).await;
    let body = json!({ "name": "Everybody", "permissions": ["codex.local.use"] });
    let role = server.post("/api/v1/roles", body).await.text("id");
    server.put("/api/v1/default-role", json!({ "role_id": role })).await.ok();
    let token = server.access_token("mia@acme.example").await;
    for group in [eng, data] {
        server.delete(&format!("/api/v1/groups/{group}/members/{mia}")).await;
        assert!(may_use(&server, &token).await);
    }
    assert!(server.events("member.deprovisioned").await.is_empty());
}

#[tokio::test]
async fn a_receipt_is_for_its_workspace_and_for_who_may_read_members() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (_, other) = second_workspace(&server).await;
        let mia = leaver(&server).await;
        let max = server.member("max@acme.example").await;
        let suspended = server.patch(&format!("/api/v1/members/{}", mia.id), json!({ "active": false })).await;
        let id = suspended.headers["x-provost-deprovision"].to_str().unwrap();
        let one = format!("/api/v1/deprovisions/{id}");
        let revoke = format!("{one}/revoke-api-keys");
        for (method, path) in [(Method::GET, &one), (Method::POST, &revoke)] {
            let answer = server.call(&other, method, path, None).await;
            assert_eq!(status(&answer), "404 not_found", "{path}");
        }
        let list = format!("/api/v1/deprovisions?member_id={}", mia.id);
        for path in ["/api/v1/deprovisions", &list] {
            assert_eq!(server.call(&other, Method::GET, path, None).await.ok()["data"], json!([]));
        }
        let session = server.sign_in("max@acme.example").await;
        for (method, path) in [(Method::GET, &one), (Method::GET, &list), (Method::POST, &revoke)] {
            let answer = server.call(&session, method, path, None).await;
            assert_eq!(status(&answer), "403 forbidden", "{path}");
        }
        assert_eq!(mia.works(&server).await, ["API key"]);
        // The other workspace's people go on.
        assert!(server.get(&format!("/api/v1/members/{max}")).await.status.is_success());
        assert_eq!(client_status(&server, &session).await, StatusCode::OK);
    }
}

async fn client_status(server: &Server, session: &As) -> StatusCode {
    let tokens = sign_in_client(server, session).await;
    super::client(server, &tokens.access, BUNDLE).await.status
}

/// A sign-in whose password was right before the suspension, and whose session would begin after it.
#[tokio::test]
async fn a_sign_in_that_races_with_the_suspension_leaves_no_session_behind() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let id = server.member("mia@acme.example").await;
        let path = format!("/api/v1/members/{id}");
        let body = json!({ "email": "mia@acme.example", "password": PASSWORD });
        let sign_in = server.call(&As::Nobody, Method::POST, "/api/v1/sessions", Some(body));
        let (signed_in, suspended) = tokio::join!(sign_in, server.patch(&path, json!({ "active": false })));
        suspended.ok();
        server.patch(&path, json!({ "active": true })).await.ok();
        if let Some(cookie) = signed_in.headers.get(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let session = As::Session { member_id: id, cookie, csrf_token: String::new() };
            let answer = server.call(&session, Method::GET, "/api/v1/session", None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
    }
}

/// The receipt, once every node has said that it has let go.
pub(super) async fn settled(server: &Server, answer: &Answer) -> Value {
    let settled = async {
        loop {
            let receipt = receipt(server, answer).await;
            if receipt["complete"] == true {
                return receipt;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), settled).await.expect("every node says so")
}
