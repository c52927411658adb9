//! Another policy for one member, for a time: asked for, approved by somebody else, over by itself.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, client, stage, status};

const EXCEPTIONS: &str = "/api/v1/policy-exceptions";
const BUNDLE: &str = "/backend-api/wham/config/bundle";

/// Everybody gets `Strict`; `Lax` is there. Two Codex Admins and a developer.
struct Scene {
    server: Server,
    adam: As,
    anna: As,
    mia: As,
    mia_token: String,
    mia_id: String,
    lax: String,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let server = Server::start_with(database, PATIENT).await;
        let owner = stage::owner(&server).await;
        for (name, role) in [("adam", "owner"), ("anna", "owner"), ("mia", "member")] {
            let body = json!({ "email": format!("{name}@acme.example"), "password": PASSWORD, "builtin_role": role });
            server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
        }
        server.patch("/api/v1/settings", json!({ "codex_access_tokens": true })).await.ok();
        let strict = server.policy("Strict", "allowed_sandbox_modes = [\"read-only\"]\n").await;
        let lax = server.policy("Lax", "allowed_web_search_modes = [\"live\"]\n").await;
        server.put("/api/v1/policy-rules", json!({ "rules": [], "fallback_policy_id": strict })).await.ok();
        let (adam, anna) = (server.sign_in("adam@acme.example").await, server.sign_in("anna@acme.example").await);
        let mia = server.sign_in("mia@acme.example").await;
        let mia_id = server.call(&mia, Method::GET, "/api/v1/session", None).await.text("member_id");
        let mia_token = server.access_token("mia@acme.example").await;
        Self { server, adam, anna, mia, mia_token, mia_id, lax }
    }

    async fn ask(&self, who: &As, body: Value) -> Answer {
        self.server.call(who, Method::POST, EXCEPTIONS, Some(body)).await
    }

    async fn act(&self, who: &As, id: &str, act: &str, body: Value) -> Answer {
        self.server.call(who, Method::POST, &format!("{EXCEPTIONS}/{id}/{act}"), Some(body)).await
    }

    /// The name of the policy that Mia's client is sent.
    async fn delivered(&self) -> String {
        let bundle = client(&self.server, &self.mia_token, BUNDLE).await.ok();
        bundle["requirements_toml"]["enterprise_managed"][0]["name"].as_str().unwrap_or("none").to_owned()
    }
}

fn wish() -> Value {
    json!({ "policy": "Lax", "reason": "a live incident", "minutes": 60 })
}

#[tokio::test]
async fn it_holds_from_approval_to_its_end_and_no_longer() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let asked = scene.ask(&scene.mia, wish()).await;
        assert_eq!((asked.status, asked.text("status").as_str()), (StatusCode::CREATED, "pending"));
        let id = asked.text("id");
        assert_eq!(scene.delivered().await, "Strict");

        let approved = scene.act(&scene.adam, &id, "approve", json!({})).await.ok();
        assert_eq!((approved["status"].as_str(), approved["policy"]["name"].as_str()), (Some("approved"), Some("Lax")));
        assert_eq!(scene.delivered().await, "Lax");
        assert_eq!(status(&scene.act(&scene.anna, &id, "approve", json!({})).await), "409 not_waiting");

        scene.server.advance(SignedDuration::from_mins(59));
        assert_eq!(scene.delivered().await, "Lax");
        scene.server.advance(SignedDuration::from_mins(2));
        assert_eq!(scene.delivered().await, "Strict", "at its end, whoever has written it down or not");
        let over = || async { scene.server.get(&format!("{EXCEPTIONS}/{id}")).await.ok()["status"] == "expired" };
        for _ in 0..100 {
            if over().await {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(over().await, "written down by itself");
        let ended = scene.server.events("policy_exception.ended").await;
        assert_eq!((ended.len(), &ended[0]["actor"]["kind"]), (1, &json!("system")));
        for kind in ["policy_exception.requested", "policy_exception.approved"] {
            let events = scene.server.events(kind).await;
            assert_eq!((events.len(), &events[0]["details"]["reason"]), (1, &json!("a live incident")), "{kind}");
        }
    }
}

#[tokio::test]
async fn nobody_approves_their_own() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let refused = "403 approver_is_requester";
        // An admin for themselves; for somebody else; and somebody else for the admin.
        let own = scene.ask(&scene.adam, wish()).await.text("id");
        assert_eq!(status(&scene.act(&scene.adam, &own, "approve", json!({})).await), refused);
        let mut for_mia = wish();
        for_mia["member_id"] = json!(scene.mia_id);
        let others = scene.ask(&scene.adam, for_mia.clone()).await.text("id");
        assert_eq!(status(&scene.act(&scene.adam, &others, "approve", json!({})).await), refused);
        // With a key that they made.
        let key = json!({ "name": "robot", "scopes": ["admin"] });
        let key = scene.server.call(&scene.adam, Method::POST, "/api/v1/api-keys", Some(key)).await;
        let robot = As::Key(key.text("key"));
        assert_eq!(status(&scene.act(&robot, &own, "approve", json!({})).await), refused);
        assert_eq!(status(&scene.act(&robot, &others, "approve", json!({})).await), refused);
        // What a key asked for, its maker does not approve.
        let asked = scene.ask(&robot, for_mia).await.text("id");
        assert_eq!(status(&scene.act(&scene.adam, &asked, "approve", json!({})).await), refused);
        assert_eq!(scene.delivered().await, "Strict");
        // A member may not at all, not even deny another's.
        let denied = "403 forbidden";
        assert_eq!(status(&scene.act(&scene.mia, &others, "approve", json!({})).await), denied);
        assert_eq!(status(&scene.act(&scene.mia, &own, "deny", json!({})).await), "404 not_found");
        // Another one may.
        assert_eq!(scene.act(&scene.anna, &asked, "approve", json!({})).await.ok()["status"], "approved");
        assert_eq!(scene.delivered().await, "Lax");
        assert!(scene.server.events("request.refused").await.len() >= 5);
    }
}

#[tokio::test]
async fn a_developer_asks_with_their_codex_sign_in_and_with_nothing_more() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let developer = As::Key(scene.mia_token.clone());
        let asked = scene.ask(&developer, json!({ "reason": "a demo", "minutes": 30 })).await;
        assert_eq!(asked.status, StatusCode::CREATED);
        let id = asked.text("id");
        assert_eq!(asked.body["policy"], Value::Null);
        let mine = scene.server.call(&developer, Method::GET, EXCEPTIONS, None).await.ok();
        assert_eq!(mine["data"].as_array().unwrap().len(), 1);
        // A client's token opens nothing else of the admin API.
        for path in ["/api/v1/policies", "/api/v1/session", "/api/v1/settings"] {
            let answer = scene.server.call(&developer, Method::GET, path, None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        }
        assert_eq!(scene.act(&developer, &id, "approve", json!({})).await.status, StatusCode::UNAUTHORIZED);
        // Who approves chooses the policy, and may shorten the time.
        assert_eq!(status(&scene.act(&scene.adam, &id, "approve", json!({})).await), "422 missing policy");
        let longer = json!({ "policy": scene.lax, "minutes": 31 });
        assert_eq!(status(&scene.act(&scene.adam, &id, "approve", longer).await), "422 longer_than_asked minutes");
        let approved = scene.act(&scene.adam, &id, "approve", json!({ "policy": scene.lax, "minutes": 10 })).await.ok();
        assert_eq!(approved["minutes"], 10);
        assert_eq!(scene.delivered().await, "Lax");
        // It is theirs to end.
        assert_eq!(scene.act(&developer, &id, "end", json!({})).await.ok()["status"], "ended");
        assert_eq!(scene.delivered().await, "Strict");
        assert_eq!(status(&scene.act(&developer, &id, "end", json!({})).await), "409 not_running");
        // And to take back.
        let id = scene.ask(&developer, wish()).await.text("id");
        assert_eq!(scene.act(&developer, &id, "deny", json!({})).await.ok()["status"], "withdrawn");
        assert_eq!(status(&scene.act(&scene.adam, &id, "approve", json!({})).await), "409 not_waiting");
    }
}

#[tokio::test]
async fn wishes_that_cannot_be() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let cases = [
            (json!({ "minutes": 60 }), "422 invalid_field reason"),
            (json!({ "reason": "  ", "minutes": 60 }), "422 empty reason"),
            (json!({ "reason": "x".repeat(501), "minutes": 60 }), "422 too_long reason"),
            (json!({ "reason": "x", "minutes": 4 }), "422 out_of_range minutes"),
            (json!({ "reason": "x", "minutes": 43_201 }), "422 out_of_range minutes"),
            (json!({ "reason": "x", "minutes": 60, "policy": "Laxer" }), "422 unknown_policy policy"),
            (json!({ "reason": "x", "minutes": 60, "member_id": "mem_0" }), "422 invalid_field member_id"),
            (json!({ "reason": "x", "minutes": 60, "hours": 1 }), "422 invalid_field hours"),
        ];
        for (body, expected) in cases {
            assert_eq!(status(&scene.ask(&scene.mia, body.clone()).await), expected, "{body}");
        }
        let for_adam = json!({ "reason": "x", "minutes": 60, "member_id": scene.server.call(&scene.adam, Method::GET, "/api/v1/session", None).await.text("member_id") });
        assert_eq!(status(&scene.ask(&scene.mia, for_adam).await), "403 forbidden");
        let by_key = scene.ask(&scene.server.admin(), wish()).await;
        assert_eq!(status(&by_key), "422 missing member_id");
        for _ in 0..5 {
            assert_eq!(scene.ask(&scene.mia, wish()).await.status, StatusCode::CREATED);
        }
        assert_eq!(status(&scene.ask(&scene.mia, wish()).await), "409 too_many_pending");
        let unknown = scene.server.get(&format!("{EXCEPTIONS}?status=open")).await;
        assert_eq!(status(&unknown), "422 unknown_status status");
        // Nobody answered: it can no longer be.
        let listed = scene.server.get(&format!("{EXCEPTIONS}?status=pending")).await.ok();
        let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
        scene.server.advance(SignedDuration::from_hours(7 * 24 + 1));
        let adam = scene.server.sign_in("adam@acme.example").await;
        assert_eq!(status(&scene.act(&adam, &id, "approve", json!({})).await), "409 request_expired");
    }
}

#[tokio::test]
async fn who_left_neither_gets_one_nor_stands_behind_one() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let own = scene.ask(&scene.mia, wish()).await.text("id");
        let running = scene.ask(&scene.mia, wish()).await.text("id");
        scene.act(&scene.adam, &running, "approve", json!({})).await.ok();
        scene.server.patch(&format!("/api/v1/members/{}", scene.mia_id), json!({ "active": false })).await.ok();
        assert_eq!(status(&scene.act(&scene.adam, &own, "approve", json!({})).await), "409 requester_left");
        // A policy that somebody has by an exception stays until that is over; the books stay after it.
        let lax = format!("/api/v1/policies/{}", scene.lax);
        assert_eq!(status(&scene.server.delete(&lax).await), "409 policy_in_use");
        scene.act(&scene.adam, &running, "end", json!({})).await.ok();
        assert_eq!(scene.server.delete(&lax).await.status, StatusCode::NO_CONTENT);
        let kept = scene.server.get(&format!("{EXCEPTIONS}/{running}")).await.ok();
        assert_eq!(kept["policy"], json!({ "id": scene.lax, "name": null }), "the books stay");
    }
}
