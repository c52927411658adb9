//! API keys that a second person approves, and those that members ask for.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, stage, status};

const KEYS: &str = "/api/v1/api-keys";

/// A workspace whose keys need approval, with two owners, two admins and a member.
struct Scene {
    server: Server,
    owner: As,
    olga: As,
    adam: As,
    anna: As,
    mia: As,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let server = Server::start_with(database, PATIENT).await;
        let owner = stage::owner(&server).await;
        for (name, role) in [("olga", "owner"), ("adam", "admin"), ("anna", "admin"), ("mia", "member")] {
            let email = format!("{name}@acme.example");
            let body = json!({ "email": email, "password": PASSWORD, "builtin_role": role });
            server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
        }
        server.patch("/api/v1/settings", json!({ "api_key_approval": true })).await.ok();
        let sign_in = async |name: &str| server.sign_in(&format!("{name}@acme.example")).await;
        let (olga, adam) = (sign_in("olga").await, sign_in("adam").await);
        let (anna, mia) = (sign_in("anna").await, sign_in("mia").await);
        Self { server, owner, olga, adam, anna, mia }
    }

    async fn ask(&self, who: &As, scope: &str) -> Answer {
        let body = json!({ "name": "asked", "scopes": [scope], "reason": "the quarterly report" });
        self.server.call(who, Method::POST, KEYS, Some(body)).await
    }

    async fn decide(&self, who: &As, key: &Answer, decision: &str) -> Answer {
        let path = format!("{KEYS}/{}/{decision}", key.text("id"));
        self.server.call(who, Method::POST, &path, None).await
    }

    /// What a key is answered.
    async fn works(&self, key: &Answer) -> bool {
        let answer = self.server.call(&As::Key(key.text("key")), Method::GET, "/api/v1/session", None).await;
        answer.status != StatusCode::UNAUTHORIZED
    }
}

#[tokio::test]
async fn a_key_works_when_a_second_person_approved_it() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let key = scene.ask(&scene.adam, "analytics.read").await;
        assert_eq!((key.status, key.text("status").as_str()), (StatusCode::CREATED, "pending_approval"));
        assert!(key.body["request_expires_at"].is_string());
        assert!(!scene.works(&key).await);
        let waiting = scene.server.get(&format!("{KEYS}?status=pending_approval")).await.ok();
        assert_eq!(waiting["data"].as_array().unwrap().len(), 1);
        assert_eq!(waiting["data"][0]["reason"], "the quarterly report");
        assert_eq!(waiting["data"][0].get("key"), None);

        // What is approved is what was asked for.
        let path = format!("{KEYS}/{}", key.text("id"));
        let patch = Some(json!({ "allowed_ips": [] }));
        assert_eq!(status(&scene.server.call(&scene.adam, Method::PATCH, &path, patch).await), "409 not_active");
        let rotate = format!("{path}/rotate");
        let answer = scene.server.call(&scene.adam, Method::POST, &rotate, Some(json!({}))).await;
        assert_eq!(status(&answer), "409 not_active");

        let approved = scene.decide(&scene.anna, &key, "approve").await.ok();
        assert_eq!(approved["status"], "active");
        assert!(scene.works(&key).await);
        assert_eq!(status(&scene.decide(&scene.anna, &key, "approve").await), "409 not_waiting");
        for kind in ["api_key.requested", "api_key.approved"] {
            let events = scene.server.events(kind).await;
            assert_eq!(events.len(), 1, "{kind}");
            assert!(!events[0].to_string().contains(&key.text("key")));
        }
        let denied = scene.ask(&scene.adam, "analytics.read").await;
        assert_eq!(scene.decide(&scene.anna, &denied, "deny").await.status, StatusCode::NO_CONTENT);
        assert!(!scene.works(&denied).await);
        assert_eq!(status(&scene.decide(&scene.anna, &denied, "approve").await), "404 not_found");
    }
}

#[tokio::test]
async fn whoever_asks_is_never_who_approves() {
    let scene = Scene::open(Database::Sqlite).await;
    let refused = "403 approver_is_requester";
    // One's own.
    let own = scene.ask(&scene.adam, "analytics.read").await;
    assert_eq!(status(&scene.decide(&scene.adam, &own, "approve").await), refused);
    // With an API key: never, whosever it is.
    let answer = scene.decide(&scene.server.admin(), &own, "approve").await;
    assert_eq!(status(&answer), "403 session_required");
    // Asked for with a key that one made oneself, then approved in one's own session.
    let made = scene.ask(&scene.olga, "admin").await;
    scene.decide(&scene.owner, &made, "approve").await.ok();
    let through = scene.ask(&As::Key(made.text("key")), "analytics.read").await;
    assert_eq!(through.text("status"), "pending_approval");
    assert_eq!(status(&scene.decide(&scene.olga, &through, "approve").await), refused);
    // Through two keys.
    let second = scene.ask(&As::Key(made.text("key")), "admin").await;
    scene.decide(&scene.owner, &second, "approve").await.ok();
    let third = scene.ask(&As::Key(second.text("key")), "analytics.read").await;
    assert_eq!(status(&scene.decide(&scene.olga, &third, "approve").await), refused);
    // The first key is the first owner's.
    let first = scene.ask(&scene.server.admin(), "analytics.read").await;
    assert_eq!(status(&scene.decide(&scene.owner, &first, "approve").await), refused);
    scene.decide(&scene.anna, &first, "approve").await.ok();
    // The key that waits cannot approve itself, nor anything else.
    let answer = scene.decide(&As::Key(third.text("key")), &third, "approve").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // Another's key is no way to its secret: not by rotating it.
    let rotate = format!("{KEYS}/{}/rotate", made.text("id"));
    let answer = scene.server.call(&scene.owner, Method::POST, &rotate, Some(json!({}))).await;
    assert_eq!(status(&answer), "403 approval_required");
    let answer = scene.server.call(&scene.olga, Method::POST, &rotate, Some(json!({}))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let refusals = scene.server.events("request.refused").await;
    let own = refusals.iter().filter(|event| event["details"]["reason"] == "approver_is_requester");
    assert_eq!(own.count(), 4);
}

#[tokio::test]
async fn an_approver_holds_what_the_key_is_to_hold() {
    let scene = Scene::open(Database::Sqlite).await;
    let key = scene.ask(&scene.owner, "compliance.read").await;
    assert_eq!(status(&scene.decide(&scene.adam, &key, "approve").await), "403 cannot_grant_more_than_you_hold");
    assert_eq!(status(&scene.decide(&scene.mia, &key, "approve").await), "403 forbidden");
    // Nobody who has left is given a key.
    let key = scene.ask(&scene.mia, "analytics.read").await;
    let As::Session { member_id, .. } = &scene.mia else { unreachable!("a session") };
    scene.server.patch(&format!("/api/v1/members/{member_id}"), json!({ "active": false })).await.ok();
    assert_eq!(status(&scene.decide(&scene.adam, &key, "approve").await), "404 not_found");
    // Nor after a week.
    let key = scene.ask(&scene.anna, "analytics.read").await;
    scene.server.advance(SignedDuration::from_hours(7 * 24));
    let adam = scene.server.sign_in("adam@acme.example").await;
    assert_eq!(status(&scene.decide(&adam, &key, "approve").await), "409 request_expired");
    let waiting = scene.server.get(&format!("{KEYS}?status=pending_approval")).await.ok();
    assert_eq!(waiting["data"], json!([]));
    assert!(!scene.works(&key).await);
}

#[tokio::test]
async fn who_asked_does_not_widen_alone_from_where_a_key_works() {
    let scene = Scene::open(Database::Sqlite).await;
    let body = json!({ "name": "x", "scopes": ["analytics.read"], "allowed_ips": ["10.0.0.0/8"] });
    let key = scene.server.call(&scene.adam, Method::POST, KEYS, Some(body)).await;
    scene.decide(&scene.anna, &key, "approve").await.ok();
    let path = format!("{KEYS}/{}", key.text("id"));
    let patch = async |who: &As, ips: Value| {
        let answer = scene.server.call(who, Method::PATCH, &path, Some(json!({ "allowed_ips": ips }))).await;
        status(&answer)
    };
    assert_eq!(patch(&scene.adam, json!([])).await, "403 approval_required");
    assert_eq!(patch(&scene.adam, json!(["10.0.0.0/8", "192.0.2.1"])).await, "403 approval_required");
    assert_eq!(patch(&scene.adam, json!(["10.1.0.0/16"])).await, "200");
    assert_eq!(patch(&scene.anna, json!([])).await, "200");
}

#[tokio::test]
async fn only_an_owner_s_session_turns_the_second_person_off() {
    let scene = Scene::open(Database::Sqlite).await;
    let off = || Some(json!({ "api_key_approval": false }));
    for who in [scene.server.admin(), scene.adam.clone()] {
        let answer = scene.server.call(&who, Method::PATCH, "/api/v1/settings", off()).await;
        assert_eq!(status(&answer), "403 owner_required api_key_approval");
    }
    assert_eq!(scene.ask(&scene.adam, "analytics.read").await.text("status"), "pending_approval");
    scene.server.call(&scene.owner, Method::PATCH, "/api/v1/settings", off()).await.ok();
    let changed = scene.server.events("settings.updated").await;
    let expected = json!({ "before": true, "after": false });
    assert_eq!(changed.last().unwrap()["details"]["changed"]["api_key_approval"], expected);
    assert_eq!(scene.ask(&scene.adam, "analytics.read").await.text("status"), "active");
}

#[tokio::test]
async fn a_member_asks_for_a_key_and_has_it_once_somebody_approved() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        // Also where the workspace asks for no second person.
        let off = Some(json!({ "api_key_approval": false }));
        scene.server.call(&scene.owner, Method::PATCH, "/api/v1/settings", off).await.ok();
        assert_eq!(status(&scene.ask(&scene.mia, "admin").await), "403 forbidden");
        let body = json!({ "name": "x", "scopes": ["analytics.read"] });
        let silent = scene.server.call(&scene.mia, Method::POST, KEYS, Some(body)).await;
        assert_eq!(status(&silent), "403 forbidden", "without a reason it is no request");
        let mut asked = Vec::new();
        for scope in ["analytics.read", "compliance.read", "compliance.delete", "scim", "events.read"] {
            let key = scene.ask(&scene.mia, scope).await;
            assert_eq!(key.text("status"), "pending_approval");
            asked.push(key);
        }
        assert_eq!(status(&scene.ask(&scene.mia, "events.read").await), "409 too_many_waiting");
        assert_eq!(status(&scene.decide(&scene.mia, &asked[0], "approve").await), "403 forbidden");
        scene.decide(&scene.adam, &asked[0], "approve").await.ok();
        assert!(scene.works(&asked[0]).await);
        assert_eq!(
            status(&scene.decide(&scene.adam, &asked[1], "approve").await),
            "403 cannot_grant_more_than_you_hold"
        );
        scene.decide(&scene.owner, &asked[1], "approve").await.ok();
        // One's own are seen, taken back, renewed.
        let own = scene.server.call(&scene.mia, Method::GET, &format!("{KEYS}?mine=true"), None).await.ok();
        assert_eq!(own["data"].as_array().unwrap().len(), 5);
        let back = format!("{KEYS}/{}", asked[2].text("id"));
        assert_eq!(scene.server.call(&scene.mia, Method::DELETE, &back, None).await.status, StatusCode::NO_CONTENT);
        assert_eq!(scene.server.events("api_key.denied").await.len(), 1);
        let rotate = format!("{KEYS}/{}/rotate", asked[0].text("id"));
        let renewed = scene.server.call(&scene.mia, Method::POST, &rotate, Some(json!({}))).await;
        assert!(scene.works(&renewed).await);
        // A member sees nobody else's.
        scene.server.member("max@acme.example").await;
        let max = scene.server.sign_in("max@acme.example").await;
        assert_eq!(
            scene.server.call(&max, Method::GET, &format!("{KEYS}?mine=true"), None).await.ok()["data"],
            json!([])
        );
        assert_eq!(status(&scene.server.call(&max, Method::POST, &rotate, Some(json!({}))).await), "404 not_found");
    }
}

#[tokio::test]
async fn from_asking_to_the_first_use_in_a_browser() {
    let scene = Scene::open(Database::Sqlite).await;
    let submit = async |who: &As, form: &str| {
        let As::Session { cookie, csrf_token, .. } = who else { unreachable!("a session") };
        let request = scene.server.request(Method::POST, "/keys").header("cookie", cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        scene.server.send(request.body(format!("csrf_token={csrf_token}&{form}"))).await
    };
    let page = async |who: &As| {
        let answer = scene.server.call(who, Method::GET, "/keys", None).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.body.as_str().expect("a page").to_owned()
    };
    let ask = "action=ask&name=%3Cb%3Ereport%3C%2Fb%3E&scope=analytics.read&expires_in_days=90&reason=the+report";
    let asked = submit(&scene.mia, ask).await;
    assert_eq!(asked.headers["cache-control"], "no-store");
    let text = asked.body.as_str().unwrap();
    let at = text.find("pk-").expect("the key is shown");
    let key = As::Key(text[at..at + 52].to_owned());
    let look = async || scene.server.call(&key, Method::GET, "/api/v1/settings", None).await.status;
    assert_eq!(look().await, StatusCode::UNAUTHORIZED);
    assert!(page(&scene.mia).await.contains("waits for approval"));
    assert!(!page(&scene.mia).await.contains("Approve"), "nobody decides on their own");

    let waiting = page(&scene.adam).await;
    assert!(waiting.contains("mia@acme.example") && waiting.contains("the report"), "{waiting}");
    assert!(waiting.contains("&lt;b&gt;report") && !waiting.contains("<b>report"), "{waiting}");
    let at = waiting.find("key_").expect("its id");
    let id = &waiting[at..at + 36];
    let forged = scene.server.call(&scene.mia, Method::GET, "/keys", None).await;
    assert_eq!(forged.status, StatusCode::OK);
    let answer = submit(&scene.mia, &format!("action=approve&id={id}")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = submit(
        &As::Session { member_id: String::new(), cookie: cookie(&scene.adam), csrf_token: "x".into() },
        &format!("action=approve&id={id}"),
    )
    .await;
    assert_eq!(status(&answer), "403 csrf_token_missing");
    assert_eq!(look().await, StatusCode::UNAUTHORIZED);
    let answer = submit(&scene.adam, &format!("action=approve&id={id}")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(look().await, StatusCode::OK);
    assert!(page(&scene.mia).await.contains("works, ends"));
    let nobody = scene.server.call(&As::Nobody, Method::GET, "/keys", None).await;
    assert_eq!(nobody.headers["location"], "/sign-in?next=%2Fkeys");
}

fn cookie(who: &As) -> String {
    let As::Session { cookie, .. } = who else { unreachable!("a session") };
    cookie.clone()
}
