//! Policies that change only when a second person has agreed.

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::tenants::second_workspace;
use super::{BOTH, PATIENT, stage, status};

const POLICIES: &str = "/api/v1/policies";
const PROPOSALS: &str = "/api/v1/policy-proposals";
const RULES: &str = "/api/v1/policy-rules";
const CAREFUL: &str = "allowed_approval_policies = [\"on-request\"]\n";
const OPEN: &str = "allowed_approval_policies = [\"on-request\", \"never\"]\n";

/// A workspace with a policy, whose policies need approval from then on; two owners and an admin.
struct Scene {
    server: Server,
    owner: As,
    olga: As,
    adam: As,
    policy: String,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let server = Server::start_with(database, PATIENT).await;
        let owner = stage::owner(&server).await;
        for (name, role) in [("olga", "owner"), ("adam", "admin")] {
            let email = format!("{name}@acme.example");
            let body = json!({ "email": email, "password": PASSWORD, "builtin_role": role });
            server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
        }
        let policy = server.policy("p", CAREFUL).await;
        server.patch("/api/v1/settings", json!({ "policy_approval": true })).await.ok();
        let (olga, adam) = (server.sign_in("olga@acme.example").await, server.sign_in("adam@acme.example").await);
        Self { server, owner, olga, adam, policy }
    }

    fn path(&self) -> String {
        format!("{POLICIES}/{}", self.policy)
    }

    /// Asks for another text.
    async fn ask(&self, who: &As, contents: &str) -> Answer {
        let body = json!({ "name": "p", "contents": contents, "note": "for the release" });
        let answer = self.server.call(who, Method::PUT, &self.path(), Some(body)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        answer
    }

    async fn decide(&self, who: &As, proposal: &Answer, decision: &str) -> Answer {
        let path = format!("{PROPOSALS}/{}/{decision}", proposal.text("id"));
        self.server.call(who, Method::POST, &path, None).await
    }

    async fn version(&self) -> Value {
        self.server.get(&self.path()).await.ok()["version"].clone()
    }
}

fn id(who: &As) -> &str {
    let As::Session { member_id, .. } = who else { unreachable!("a session") };
    member_id
}

#[tokio::test]
async fn a_version_is_published_when_a_second_person_agrees() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let asked = scene.ask(&scene.owner, OPEN).await;
        assert_eq!((asked.text("kind").as_str(), asked.text("status").as_str()), ("update_policy", "pending"));
        assert_eq!(asked.body["diff"]["changes"][0]["effect"], "loosened");
        assert_eq!(scene.version().await, 1, "nothing is published");
        let waiting = scene.server.get(&format!("{PROPOSALS}?status=pending")).await.ok();
        assert_eq!(waiting["data"].as_array().unwrap().len(), 1);
        assert_eq!(waiting["data"][0]["author"]["email"], "owner@acme.example");
        assert_eq!((waiting["data"][0].get("change"), waiting["data"][0].get("diff")), (None, None));
        let path = format!("{PROPOSALS}/{}", asked.text("id"));
        let seen = scene.server.get(&path).await.ok();
        assert_eq!((&seen["diff"], &seen["is_stale"]), (&asked.body["diff"], &json!(false)));
        assert_eq!(seen["change"]["policy"]["contents"], OPEN);

        let approved = scene.decide(&scene.olga, &asked, "approve").await.ok();
        assert_eq!((&approved["status"], &approved["decided_by"]), (&json!("approved"), &json!(id(&scene.olga))));
        let now = scene.server.get(&scene.path()).await.ok();
        assert_eq!(
            (&now["version"], &now["contents"], &now["note"]),
            (&json!(2), &json!(OPEN), &json!("for the release"))
        );
        assert_eq!((&now["created_by"], &now["approved_by"]), (&json!(id(&scene.owner)), &json!(id(&scene.olga))));
        for decision in ["approve", "deny"] {
            assert_eq!(status(&scene.decide(&scene.olga, &asked, decision).await), "409 not_waiting");
        }
        let seen = scene.server.get(&path).await.ok();
        assert_eq!(
            (&seen["diff"], seen.get("is_stale")),
            (&asked.body["diff"], None),
            "what it changed stays to be seen"
        );
        let updated = scene.server.events("policy.updated").await;
        assert_eq!(updated[0]["actor"]["id"], id(&scene.olga));
        assert_eq!(updated[0]["details"]["proposed_by"], id(&scene.owner));
        assert_eq!(updated[0]["details"]["proposal_id"], json!(asked.text("id")));
        for kind in ["policy_proposal.created", "policy_proposal.approved"] {
            let events = scene.server.events(kind).await;
            assert_eq!(events.len(), 1, "{kind}");
            assert!(!events[0].to_string().contains("never"), "the text is no part of an event");
        }
        // Denied and taken back.
        let denied = scene.ask(&scene.owner, CAREFUL).await;
        assert_eq!(scene.decide(&scene.olga, &denied, "deny").await.ok()["status"], "denied");
        let own = scene.ask(&scene.owner, CAREFUL).await;
        assert_eq!(scene.decide(&scene.owner, &own, "deny").await.ok()["status"], "withdrawn");
        assert_eq!(scene.version().await, 2);
        assert_eq!(status(&scene.server.get(&format!("{PROPOSALS}?status=gone")).await), "422 invalid_query status");
        assert_eq!(scene.server.get(&format!("{PROPOSALS}?limit=2")).await.ok()["data"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn every_write_that_clients_would_feel_waits() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let ops = scene.server.group("Ops", &[]).await;
        let approve = async |asked: &Answer, kind: &str| {
            assert_eq!((asked.status, asked.text("kind").as_str()), (StatusCode::ACCEPTED, kind));
            assert!(asked.body["diff"]["changes"].is_array());
            scene.decide(&scene.olga, asked, "approve").await.ok();
        };
        let call = async |method, path: &str, body| scene.server.call(&scene.owner, method, path, body).await;
        let made = call(Method::POST, POLICIES, Some(json!({ "name": "q", "contents": OPEN }))).await;
        assert_eq!(scene.server.get(POLICIES).await.ok()["data"].as_array().unwrap().len(), 1);
        approve(&made, "create_policy").await;
        let all = scene.server.get(POLICIES).await.ok();
        let q = all["data"][1]["id"].as_str().unwrap().to_owned();

        let rules = json!({ "rules": [{ "group_id": ops, "policy_id": q }], "fallback_policy_id": scene.policy });
        let asked = call(Method::PUT, RULES, Some(rules.clone())).await;
        assert_eq!(scene.server.get(RULES).await.ok()["rules"], json!([]));
        assert_eq!(asked.body["diff"]["changes"].as_array().unwrap().len(), 2);
        approve(&asked, "update_policy_rules").await;
        assert_eq!(scene.server.get(RULES).await.ok()["fallback_policy_id"], json!(scene.policy));
        // What changes nothing need not wait.
        assert_eq!(call(Method::PUT, RULES, Some(rules)).await.status, StatusCode::OK);
        let same = json!({ "name": "q", "contents": OPEN });
        assert_eq!(call(Method::PUT, &format!("{POLICIES}/{q}"), Some(same)).await.status, StatusCode::OK);

        scene.decide(&scene.olga, &scene.ask(&scene.owner, OPEN).await, "approve").await.ok();
        let back = format!("{}/rollback", scene.path());
        let asked = call(Method::POST, &back, Some(json!({ "note": "back" }))).await;
        assert_eq!(asked.body["diff"]["changes"][0]["effect"], "tightened");
        approve(&asked, "roll_back_policy").await;
        let now = scene.server.get(&scene.path()).await.ok();
        assert_eq!(
            (&now["version"], &now["restores"], &now["approved_by"]),
            (&json!(3), &json!(1), &json!(id(&scene.olga)))
        );

        // What cannot be done cannot be proposed.
        assert_eq!(status(&call(Method::DELETE, &format!("{POLICIES}/{q}"), None).await), "409 policy_in_use");
        let bad = json!({ "name": "p", "contents": "allowed_sandbox_modes = []\n" });
        assert_eq!(status(&call(Method::PUT, &scene.path(), Some(bad)).await), "422 policy_invalid contents");
        let taken = json!({ "name": "P", "contents": CAREFUL });
        assert_eq!(status(&call(Method::POST, POLICIES, Some(taken)).await), "409 already_exists name");
        let empty = json!({ "rules": [], "fallback_policy_id": null });
        let asked = call(Method::PUT, RULES, Some(empty)).await;
        approve(&asked, "update_policy_rules").await;
        let asked = call(Method::DELETE, &format!("{POLICIES}/{q}"), None).await;
        approve(&asked, "delete_policy").await;
        assert_eq!(scene.server.get(&format!("{POLICIES}/{q}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn whoever_asks_is_never_who_approves() {
    let scene = Scene::open(Database::Sqlite).await;
    let refused = "403 approver_is_requester";
    let own = scene.ask(&scene.owner, OPEN).await;
    assert_eq!(status(&scene.decide(&scene.owner, &own, "approve").await), refused);
    assert_eq!(status(&scene.decide(&scene.server.admin(), &own, "approve").await), "403 session_required");
    assert_eq!(
        status(&scene.decide(&scene.adam, &own, "approve").await),
        "403 forbidden",
        "who does not administer Codex"
    );
    // Through a key that one made oneself, and through a key made with that key.
    let key = async |who: &As| {
        let body = json!({ "name": "k", "scopes": ["admin"] });
        As::Key(scene.server.call(who, Method::POST, "/api/v1/api-keys", Some(body)).await.text("key"))
    };
    let first = key(&scene.owner).await;
    let second = key(&first).await;
    for through in [&first, &second] {
        let asked = scene.ask(through, OPEN).await;
        assert_eq!(status(&scene.decide(&scene.owner, &asked, "approve").await), refused);
        assert_eq!(scene.decide(&scene.owner, &asked, "deny").await.ok()["status"], "withdrawn");
    }
    // A key that somebody else renewed is known to both.
    let asked = scene.ask(&first, OPEN).await;
    scene.decide(&scene.olga, &asked, "approve").await.ok();
    assert_eq!(scene.version().await, 2);
    let refusals = scene.server.events("request.refused").await;
    let own = refusals.iter().filter(|event| event["details"]["reason"] == "approver_is_requester");
    assert_eq!(own.count(), 3);
}

#[tokio::test]
async fn what_was_written_against_another_version_is_stale() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let first = scene.ask(&scene.owner, OPEN).await;
        let second = scene.ask(&scene.owner, "allow_appshots = false\n").await;
        scene.decide(&scene.olga, &first, "approve").await.ok();
        let answer = scene.decide(&scene.olga, &second, "approve").await;
        assert_eq!(status(&answer), "409 proposal_stale");
        assert_eq!(answer.body["error"]["details"], json!({ "base": "1", "current": "2" }));
        let seen = scene.server.get(&format!("{PROPOSALS}/{}", second.text("id"))).await.ok();
        assert_eq!((&seen["is_stale"], &seen["status"]), (&json!(true), &json!("pending")));
        assert_eq!(scene.version().await, 2);
        scene.decide(&scene.olga, &second, "deny").await.ok();

        // Rules: another order, and a group that is gone.
        let ops = scene.server.group("Ops", &[]).await;
        let rules = |fallback: Value| json!({ "rules": [{ "group_id": ops, "policy_id": scene.policy }], "fallback_policy_id": fallback });
        let ask = async |body| scene.server.call(&scene.owner, Method::PUT, RULES, Some(body)).await;
        let (one, other) = (ask(rules(Value::Null)).await, ask(rules(json!(scene.policy))).await);
        scene.decide(&scene.olga, &one, "approve").await.ok();
        assert_eq!(status(&scene.decide(&scene.olga, &other, "approve").await), "409 proposal_stale");
        let late = ask(rules(json!(scene.policy))).await;
        scene.server.delete(&format!("/api/v1/groups/{ops}")).await;
        assert_eq!(status(&scene.decide(&scene.olga, &late, "approve").await), "409 proposal_stale");

        // A policy of that name came meanwhile: what was fine when it was asked for is checked again.
        let body = || Some(json!({ "name": "q", "contents": OPEN }));
        let ask = async || scene.server.call(&scene.owner, Method::POST, POLICIES, body()).await;
        let (one, other) = (ask().await, ask().await);
        scene.decide(&scene.olga, &one, "approve").await.ok();
        assert_eq!(status(&scene.decide(&scene.olga, &other, "approve").await), "409 already_exists name");
        assert_eq!(scene.server.get(&format!("{PROPOSALS}/{}", other.text("id"))).await.ok()["status"], "pending");
    }
}

#[tokio::test]
async fn what_waited_too_long_is_not_approved() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let (late, in_time) = (scene.ask(&scene.owner, OPEN).await, SignedDuration::from_hours(30 * 24));
        scene.server.advance(in_time - SignedDuration::from_mins(5));
        let other = scene.ask(&scene.server.admin(), "allow_appshots = false\n").await;
        scene.server.advance(SignedDuration::from_mins(5));
        let olga = scene.server.sign_in("olga@acme.example").await;
        assert_eq!(status(&scene.decide(&olga, &late, "approve").await), "409 proposal_expired");
        let time = |key: &str| -> Timestamp { late.text(key).parse().expect("a time") };
        assert_eq!(time("expires_at").duration_since(time("created_at")), in_time);
        assert_eq!(scene.version().await, 1);
        assert_eq!(scene.decide(&olga, &late, "deny").await.ok()["status"], "denied");
        scene.decide(&olga, &other, "approve").await.ok();
        assert_eq!(scene.version().await, 2);
    }
}

#[tokio::test]
async fn of_two_approvals_at_once_one_is_done() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let asked = scene.ask(&scene.server.admin(), OPEN).await;
        let second = scene.server.sign_in("olga@acme.example").await;
        let (one, other) =
            tokio::join!(scene.decide(&scene.olga, &asked, "approve"), scene.decide(&second, &asked, "approve"));
        let mut statuses = [status(&one), status(&other)];
        statuses.sort();
        assert_eq!(statuses, ["200", "409 not_waiting"]);
        assert_eq!(scene.version().await, 2);
    }
}

#[tokio::test]
async fn who_asked_must_still_be_there_and_who_approves_must_still_administer() {
    let scene = Scene::open(Database::Sqlite).await;
    let key = scene
        .server
        .call(&scene.owner, Method::POST, "/api/v1/api-keys", Some(json!({ "name": "k", "scopes": ["admin"] })))
        .await;
    let by_key = scene.ask(&As::Key(key.text("key")), OPEN).await;
    let by_olga = scene.ask(&scene.olga, OPEN).await;
    scene.server.delete(&format!("/api/v1/api-keys/{}", key.text("id"))).await;
    assert_eq!(status(&scene.decide(&scene.olga, &by_key, "approve").await), "409 requester_left");
    let olga = format!("/api/v1/members/{}", id(&scene.olga));
    scene.server.call(&scene.owner, Method::PATCH, &olga, Some(json!({ "active": false }))).await.ok();
    assert_eq!(status(&scene.decide(&scene.owner, &by_olga, "approve").await), "409 requester_left");
    scene.server.call(&scene.owner, Method::PATCH, &olga, Some(json!({ "active": true }))).await.ok();
    scene.decide(&scene.owner, &by_olga, "approve").await.ok();

    let asked = scene.ask(&scene.owner, CAREFUL).await;
    scene.server.call(&scene.owner, Method::PATCH, &olga, Some(json!({ "builtin_role": "admin" }))).await.ok();
    let olga = scene.server.sign_in("olga@acme.example").await;
    assert_eq!(status(&scene.decide(&olga, &asked, "approve").await), "403 forbidden");
    assert_eq!(scene.version().await, 2);
}

#[tokio::test]
async fn only_an_owner_s_session_turns_the_second_person_off() {
    let scene = Scene::open(Database::Sqlite).await;
    let off = || Some(json!({ "policy_approval": false }));
    for who in [scene.server.admin(), scene.adam.clone()] {
        let answer = scene.server.call(&who, Method::PATCH, "/api/v1/settings", off()).await;
        assert_eq!(status(&answer), "403 owner_required policy_approval");
    }
    let asked = scene.ask(&scene.owner, OPEN).await;
    scene.server.call(&scene.olga, Method::PATCH, "/api/v1/settings", off()).await.ok();
    let body = json!({ "name": "p", "contents": "allow_appshots = false\n" });
    assert_eq!(scene.server.put(&scene.path(), body).await.ok()["approved_by"], Value::Null);
    assert_eq!(status(&scene.decide(&scene.olga, &asked, "approve").await), "409 proposal_stale");
}

#[tokio::test]
async fn nobody_fills_the_queue_and_no_other_workspace_sees_it() {
    let scene = Scene::open(Database::Sqlite).await;
    let asked = scene.ask(&scene.owner, OPEN).await;
    let (_, other) = second_workspace(&scene.server).await;
    let path = format!("{PROPOSALS}/{}", asked.text("id"));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::POST, format!("{path}/deny")),
        (Method::POST, format!("{}/rollback", scene.path())),
        (Method::POST, format!("{}/diff", scene.path())),
    ] {
        let body = (method == Method::POST).then(|| json!({ "contents": "" }));
        let body = if path.ends_with("rollback") { Some(json!({})) } else { body };
        let answer = scene.server.call(&other, method, &path, body).await;
        assert_eq!(status(&answer), "404 not_found", "{path}");
    }
    assert_eq!(scene.server.call(&other, Method::GET, PROPOSALS, None).await.ok()["data"], json!([]));
    for n in 1..50 {
        scene.ask(&scene.owner, &format!("{OPEN}# {n}\n")).await;
    }
    let body = json!({ "name": "p", "contents": "" });
    let answer = scene.server.call(&scene.owner, Method::PUT, &scene.path(), Some(body)).await;
    assert_eq!(status(&answer), "409 too_many_waiting");
}
