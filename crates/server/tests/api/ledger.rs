//! Every change leaves one event, in the same transaction; no event, log line or error holds a secret.

use std::io;
use std::sync::{Arc, Mutex};

use http::Method;
use provost_model::WorkspaceId;
use provost_store::ledger;
use provost_testkit::server::{Answer, As, PASSWORD, Server};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use super::issuer::{self, BUNDLE, sign_in_client};
use super::{BOTH, PATIENT, client, stage};

const POLICY: &str = "allowed_approval_policies = [\"on-request\"]\n";

/// A server whose new events are looked at after each call.
struct Watched {
    server: Server,
    last: i64,
    /// What callers were told.
    errors: String,
}

impl Watched {
    /// The events since the last look.
    async fn news(&mut self) -> Vec<Value> {
        assert!(self.server.node.app.store.flush(std::time::Duration::from_secs(10)).await);
        let events = self.server.get(&format!("/api/v1/events?after={}&limit=1000", self.last)).await.ok();
        let events = events["data"].as_array().unwrap().clone();
        self.last = events.last().map_or(self.last, |event| event["seq"].as_i64().unwrap());
        events
    }

    /// Calls, and wants exactly these events (or none) from this actor about this target.
    async fn call(&mut self, who: &As, method: Method, path: &str, body: Value, wanted: &str, target: &str) -> Answer {
        let path = format!("/api/v1/{path}");
        let body = (!body.is_null()).then_some(body);
        let answer = self.server.call(who, method.clone(), &path, body).await;
        if !answer.status.is_success() {
            self.errors.push_str(&answer.body.to_string());
        }
        let news = self.news().await;
        let types: Vec<_> = news.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected: Vec<_> = wanted.split_terminator(' ').collect();
        assert_eq!(types, expected, "{method} {path} → {} {}", answer.status, answer.body);
        if let Some(event) = news.first() {
            let kind = if matches!(who, As::Key(_)) { "api_key" } else { "member" };
            assert_eq!(event["actor"]["kind"], kind, "{method} {path}");
            assert_eq!(event["target"]["kind"].as_str().unwrap_or(""), target, "{method} {path}");
            assert!(event["origin"]["request_id"].as_str().unwrap().starts_with("req_"));
            assert_eq!(event["origin"]["request_id"], answer.headers["x-request-id"].to_str().unwrap());
        }
        answer
    }
}

#[tokio::test]
async fn every_change_leaves_one_event_and_what_fails_leaves_none() {
    for database in BOTH {
        let server = Server::start_with(database, PATIENT).await;
        let (key, owner) = (server.admin(), stage::owner(&server).await);
        let mut w = Watched { server, last: 0, errors: String::new() };
        w.news().await;
        let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
        let none = json!(null);

        let turned_on = json!({ "codex_access_tokens": true });
        w.call(&key, patch.clone(), "settings", turned_on.clone(), "settings.updated", "workspace").await;
        w.call(&key, patch.clone(), "settings", turned_on, "", "").await;
        w.call(&key, patch.clone(), "settings", json!({ "codex_local": 1 }), "", "").await;

        let body = json!({ "email": "mia@acme.example", "password": PASSWORD });
        let mia = w.call(&owner, post.clone(), "members", body.clone(), "member.created", "member").await.text("id");
        w.call(&owner, post.clone(), "members", body, "", "").await;
        let mia_path = format!("members/{mia}");
        w.call(&key, patch.clone(), &mia_path, json!({ "name": "Mia" }), "member.updated", "member").await;
        w.call(&key, patch.clone(), &mia_path, json!({ "name": "Mia" }), "", "").await;

        let ops =
            w.call(&key, post.clone(), "groups", json!({ "name": "Ops" }), "group.created", "group").await.text("id");
        w.call(&key, post.clone(), "groups", json!({ "name": "ops" }), "", "").await;
        let ops_path = format!("groups/{ops}");
        w.call(&key, patch.clone(), &ops_path, json!({ "name": "Opers" }), "group.updated", "group").await;
        w.call(&key, patch.clone(), &ops_path, json!({ "name": "Opers" }), "", "").await;
        let in_group = format!("groups/{ops}/members/{mia}");
        w.call(&key, put.clone(), &in_group, none.clone(), "group.member_added", "group").await;
        w.call(&key, put.clone(), &in_group, none.clone(), "", "").await;

        let body = json!({ "name": "Pilots", "permissions": ["codex.cloud.use"] });
        let role = w.call(&key, post.clone(), "roles", body.clone(), "role.created", "role").await.text("id");
        w.call(&key, post.clone(), "roles", body, "", "").await;
        let role_path = format!("roles/{role}");
        w.call(&key, patch.clone(), &role_path, json!({ "permissions": [] }), "role.updated", "role").await;
        for path in [format!("roles/{role}/groups/{ops}"), format!("roles/{role}/members/{mia}")] {
            w.call(&key, put.clone(), &path, none.clone(), "role.assigned", "role").await;
            w.call(&key, put.clone(), &path, none.clone(), "", "").await;
            w.call(&key, delete.clone(), &path, none.clone(), "role.unassigned", "role").await;
            w.call(&key, delete.clone(), &path, none.clone(), "", "").await;
        }
        let default = json!({ "role_id": role });
        w.call(&key, put.clone(), "default-role", default, "default_role.updated", "role").await;
        w.call(&key, delete.clone(), &role_path, none.clone(), "", "").await;
        w.call(&key, put.clone(), "default-role", json!({ "role_id": null }), "default_role.updated", "").await;
        w.call(&key, delete.clone(), &role_path, none.clone(), "role.deleted", "role").await;

        let body = json!({ "name": "Strict", "contents": POLICY });
        let policy = w.call(&key, post.clone(), "policies", body.clone(), "policy.created", "policy").await.text("id");
        let bad = json!({ "name": "Bad", "contents": "allowed_sandbox_modes = [\"workspace-write\"]" });
        w.call(&key, post.clone(), "policies", bad, "", "").await;
        w.call(&key, post.clone(), "policies/lint", json!({ "contents": POLICY }), "", "").await;
        let policy_path = format!("policies/{policy}");
        w.call(&key, put.clone(), &policy_path, body, "", "").await;
        let body = json!({ "name": "Stricter", "contents": POLICY });
        w.call(&key, put.clone(), &policy_path, body, "policy.updated", "policy").await;
        let rules = json!({ "rules": [{ "group_id": ops, "policy_id": policy }], "fallback_policy_id": policy });
        w.call(&key, put.clone(), "policy-rules", rules.clone(), "policy_rules.updated", "workspace").await;
        w.call(&key, put.clone(), "policy-rules", rules, "", "").await;
        w.call(&key, delete.clone(), &policy_path, none.clone(), "", "").await;
        let rules = json!({ "rules": [], "fallback_policy_id": null });
        w.call(&key, put.clone(), "policy-rules", rules, "policy_rules.updated", "workspace").await;
        w.call(&key, delete.clone(), &policy_path, none.clone(), "policy.deleted", "policy").await;

        let body = json!({ "name": "Up", "base_url": "https://x.example", "models": [{ "slug": "a" }] });
        let up = w.call(&key, post.clone(), "upstreams", body, "upstream.created", "upstream").await.text("id");
        let up = format!("upstreams/{up}");
        w.call(&key, patch.clone(), &up, json!({ "api_key": "sk-x" }), "upstream.updated", "upstream").await;
        w.call(&key, patch.clone(), &up, json!({ "models": [] }), "", "").await;
        w.call(&key, delete.clone(), &up, none.clone(), "upstream.deleted", "upstream").await;

        let body = json!({ "name": "k", "scopes": ["events.read"] });
        let made = w.call(&owner, post.clone(), "api-keys", body, "api_key.created", "api_key").await.text("id");
        w.call(&owner, delete.clone(), &format!("api-keys/{made}"), none.clone(), "api_key.revoked", "api_key").await;

        let body = json!({ "email": "mia@acme.example", "password": PASSWORD });
        let session = w.server.sign_in("mia@acme.example").await;
        let news = w.news().await;
        assert_eq!((news.len(), &news[0]["type"]), (1, &json!("sign_in.succeeded")));
        w.server
            .call(
                &As::Nobody,
                post.clone(),
                "/api/v1/sessions",
                Some(json!({ "email": "mia@acme.example", "password": "wrong" })),
            )
            .await;
        let news = w.news().await;
        assert_eq!(
            (news.len(), &news[0]["type"], &news[0]["details"]["reason"]),
            (1, &json!("sign_in.failed"), &json!("wrong_password"))
        );
        assert_eq!((&news[0]["actor"]["kind"], &news[0]["actor"]["email"]), (&json!("anonymous"), &body["email"]));
        w.server
            .call(
                &As::Nobody,
                post.clone(),
                "/api/v1/sessions",
                Some(json!({ "email": "x@acme.example", "password": "wrong" })),
            )
            .await;
        assert_eq!(w.news().await[0]["details"]["reason"], "unknown_account");
        let token = json!({ "name": "ci", "expires_in_days": 1 });
        let token = w
            .call(&session, post.clone(), "access-tokens", token, "access_token.created", "access_token")
            .await
            .text("id");
        let token = format!("access-tokens/{token}");
        w.call(&session, delete.clone(), &token, none.clone(), "access_token.revoked", "access_token").await;
        w.call(&session, get.clone(), "members", none.clone(), "request.refused", "").await;
        w.call(&session, post.clone(), "groups", json!({ "name": "Mine" }), "request.refused", "").await;
        w.call(&session, delete.clone(), "session", none.clone(), "sign_in.ended", "").await;

        w.call(&key, delete.clone(), &in_group, none.clone(), "group.member_removed", "group").await;
        w.call(&key, delete.clone(), &in_group, none.clone(), "", "").await;
        w.call(
            &key,
            patch.clone(),
            &mia_path,
            json!({ "active": false }),
            "member.deprovisioned member.suspended",
            "member",
        )
        .await;
        w.call(&key, patch.clone(), &mia_path, json!({ "active": true }), "member.reactivated", "member").await;
        w.call(&key, delete.clone(), &mia_path, none.clone(), "member.deprovisioned member.deleted", "member").await;
        w.call(&key, delete.clone(), &mia_path, none.clone(), "", "").await;
        w.call(&key, delete.clone(), &ops_path, none.clone(), "group.deleted", "group").await;

        verify(&w.server).await;
    }
}

/// The chain of the whole ledger holds.
async fn verify(server: &Server) {
    let workspace: WorkspaceId = server.workspace_id.parse().unwrap();
    let mut tx = server.node.app.store.read().await.unwrap();
    let length = ledger::verify(&mut tx, workspace).await.unwrap().expect("the chain holds");
    assert!(length > 10);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_in_an_event_a_log_line_or_an_error() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("provost=trace,sqlx=trace,tower=trace,axum=trace"))
        .with_writer(move || writer.clone())
        .finish();
    // While there is only one subscriber, a line that another thread meets first would count as
    // wanted by nobody; so there is a second one.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    // The test's runtime has this one thread, so this sees what the server logs.
    let _guard = tracing::subscriber::set_default(subscriber);
    for database in BOTH {
        lines.0.lock().unwrap().clear();
        let server = Server::start_with(database, PATIENT).await;
        let mut secrets = vec![PASSWORD.to_owned(), server.api_key.clone(), "sk-upstream".to_owned()];
        let owner = stage::owner(&server).await;
        let mut errors = String::new();
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true, "device_code_login": true })).await.ok();
        let invited = server.post("/api/v1/members", json!({ "email": "invited@acme.example" })).await;
        secrets.push(invited.text("invite_url").rsplit('/').next().unwrap().to_owned());
        server.upstream("https://x.example", &["a"]).await;
        server.member("mia@acme.example").await;
        let mia = server.sign_in("mia@acme.example").await;
        for session in [&owner, &mia] {
            let As::Session { cookie, csrf_token, .. } = session else { unreachable!("a session") };
            secrets.extend([cookie.split_once('=').unwrap().1.to_owned(), csrf_token.clone()]);
        }
        let token = server.access_token("mia@acme.example").await;
        client(&server, &token, BUNDLE).await.ok();
        secrets.push(token);
        let key = server.post("/api/v1/api-keys", json!({ "name": "k", "scopes": ["admin"] })).await.text("key");
        secrets.push(key);
        let tokens = sign_in_client(&server, &mia).await;
        client(&server, &tokens.access, BUNDLE).await.ok();
        secrets.extend([tokens.access, tokens.refresh, tokens.id]);
        let (_, user_code) = issuer::device::start(&server).await;
        server.call(&mia, Method::POST, &format!("/api/v1/device-logins/{user_code}/approve"), None).await;
        // What is sent amiss does not come back either.
        let wrong = "a wrong password that is secret too";
        secrets.push(wrong.to_owned());
        for (path, body) in [
            ("/api/v1/sessions", json!({ "email": "mia@acme.example", "password": wrong })),
            ("/api/v1/sessions", json!({ "email": "mia@acme.example", "password": [wrong] })),
            ("/api/v1/sessions", json!({ "email": "mia@acme.example", "password": wrong, "otp": 7, "x": wrong })),
            ("/api/v1/members", json!({ "email": "x", "password": wrong })),
            ("/api/v1/upstreams", json!({ "name": "x", "base_url": "x", "api_key": wrong, "models": [] })),
            ("/oauth/token", json!({ "grant_type": "refresh_token", "refresh_token": wrong })),
            (
                "/oauth/token",
                json!({ "grant_type": "authorization_code", "code": wrong, "client_id": "x", "redirect_uri": "x", "code_verifier": wrong }),
            ),
            ("/oauth/revoke", json!({ "token": wrong })),
        ] {
            let answer = server.call(&server.admin(), Method::POST, path, Some(body)).await;
            errors.push_str(&answer.body.to_string());
        }
        server.events("policy.fetched").await;
        let events = server.get("/api/v1/events?limit=1000").await.ok().to_string();
        let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("answered"), "the log is listened to: {log}");
        for secret in &secrets {
            for (place, text) in [("events", &events), ("log", &log), ("errors", &errors)] {
                if let Some(at) = text.find(secret.as_str()) {
                    let around: String = text.chars().skip(at.saturating_sub(100)).take(300).collect();
                    panic!("a secret is in the {place}: {around}");
                }
            }
        }
        verify(&server).await;
    }
}
