//! `/api/v1/workload-identities`, and the exchange of a workload's token at `/oauth/token`.

mod exchange;

use http::{Method, StatusCode};
use provost_testkit::issuer::{Issuer, Mood};
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};

use super::{BOTH, PATIENT, client, status};

const IDENTITIES: &str = "/api/v1/workload-identities";
const WHOAMI: &str = "/api/accounts/v1/user-auth-credential/whoami";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";

/// A workspace that trusts the jobs of one branch of one repository.
struct Scene {
    server: Server,
    issuer: Issuer,
    member: String,
    identity: String,
}

impl Scene {
    async fn open(database: Database) -> Self {
        let (server, issuer) = (Server::start_with(database, PATIENT).await, Issuer::start().await);
        let member = server.member("ci@acme.example").await;
        let mut scene = Self { server, issuer, member, identity: String::new() };
        scene.identity = scene.add("main", json!({})).await.text("id");
        scene
    }

    /// Adds an identity: this one, but for what `more` says.
    async fn add(&self, name: &str, more: Value) -> Answer {
        let mut body = json!({
            "name": name, "issuer": self.issuer.url(), "audience": "provost", "subject_pattern": SUBJECT,
            "member_id": self.member, "max_minutes": 10,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.server.post(IDENTITIES, body).await
    }

    /// The claims of a job of GitHub Actions, as its documents show them, but for what `more` says; null
    /// takes a claim away.
    fn claims(&self, more: Value) -> Value {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = self.server.clock.now().as_second();
        let mut claims = json!({
            "jti": format!("example-id-{n}"), "sub": SUBJECT, "aud": "provost", "iss": self.issuer.url(),
            "iat": now, "nbf": now - 5, "exp": now + 300, "ref": "refs/heads/main", "ref_type": "branch",
            "sha": "example-sha", "repository": "acme/app", "repository_owner": "acme", "actor_id": "12",
            "repository_visibility": "private", "repository_id": "74", "repository_owner_id": "65",
            "run_id": "example-run-id", "run_number": "10", "run_attempt": "2", "runner_environment": "github-hosted",
            "actor": "octocat", "workflow": "example-workflow", "head_ref": "", "base_ref": "",
            "event_name": "workflow_dispatch", "environment": "prod",
            "job_workflow_ref": "acme/automation/.github/workflows/oidc.yml@refs/heads/main",
        });
        for (claim, value) in more.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(claim);
            } else {
                claims[claim] = value.clone();
            }
        }
        claims
    }

    async fn exchange(&self, token: &str) -> Answer {
        self.exchange_with(token, json!({})).await
    }

    async fn exchange_with(&self, token: &str, more: Value) -> Answer {
        let mut form = json!({ "grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ID_TOKEN });
        form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.server.call(&As::Nobody, Method::POST, "/oauth/token", Some(form)).await
    }

    async fn exchange_claims(&self, more: Value) -> Answer {
        self.exchange(&self.issuer.sign("RS256", &self.claims(more))).await
    }

    /// Why the last token was refused, for the events.
    async fn reason(&self) -> String {
        let refused = self.server.events("workload.refused").await;
        refused.last().expect("a refusal")["details"]["reason"].as_str().unwrap().to_owned()
    }

    async fn works(&self, token: &str) -> bool {
        client(&self.server, token, WHOAMI).await.status == StatusCode::OK
    }
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert_eq!(answer.body["error"], "invalid_grant", "{}", answer.body);
    assert!(answer.body["error_description"].is_string(), "{}", answer.body);
}

#[tokio::test]
async fn two_workspaces_of_one_issuer_are_told_apart_by_the_audience() {
    let scene = Scene::open(Database::Sqlite).await;
    let (other, owner) = super::tenants::second_workspace(&scene.server).await;
    let body = |audience: &str, member: &str| {
        json!({
            "name": "main", "issuer": scene.issuer.url(), "audience": audience, "subject_pattern": SUBJECT,
            "member_id": member,
        })
    };
    // The member is one of the own workspace.
    let answer = scene.server.call(&owner, Method::POST, IDENTITIES, Some(body("theirs", &scene.member))).await;
    assert_eq!(status(&answer), "422 unknown_member member_id");
    scene.server.call(&owner, Method::POST, IDENTITIES, Some(body("theirs", &other))).await.ok();
    let ours = scene.exchange_claims(json!({})).await.text("access_token");
    let theirs = scene.exchange_claims(json!({ "aud": "theirs" })).await.text("access_token");
    let email = async |token: &str| client(&scene.server, token, WHOAMI).await.text("email");
    assert_eq!((email(&ours).await, email(&theirs).await), ("ci@acme.example".into(), "owner@other.example".into()));
    // Who copies the identity of another workspace only makes its jobs say which one they mean.
    let twin = Some(json!({ "audience": "provost" }));
    let list = scene.server.call(&owner, Method::GET, IDENTITIES, None).await.ok();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let path = format!("{IDENTITIES}/{}", list["data"][0]["id"].as_str().unwrap());
    assert_eq!(status(&scene.server.patch(&path, json!({ "name": "ours" })).await), "404 not_found");
    scene.server.call(&owner, Method::PATCH, &path, twin).await.ok();
    let before = scene.server.events("workload.refused").await.len();
    refused(&scene.exchange_claims(json!({})).await);
    assert_eq!(scene.server.events("workload.refused").await.len(), before, "it is not known whose it is");
    let token = scene.issuer.sign("ES256", &scene.claims(json!({})));
    let mine = json!({ "audience": scene.server.workspace_id });
    let ours = scene.exchange_with(&token, mine).await.text("access_token");
    assert_eq!(email(&ours).await, "ci@acme.example");
}

#[tokio::test]
async fn what_a_workload_was_given_ends_with_its_reason() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let path = format!("{IDENTITIES}/{}", scene.identity);
        let get = async || scene.exchange_claims(json!({})).await.text("access_token");
        let member = format!("/api/v1/members/{}", scene.member);

        // Who is let in again brings nothing back: somebody must say that the jobs may go on.
        let token = get().await;
        let suspended = scene.server.patch(&member, json!({ "active": false })).await;
        let receipt = super::deprovisions::settled(&scene.server, &suspended).await;
        assert_eq!(receipt["ended"]["workload_identities"], 1);
        assert_eq!(receipt["items"][1]["name"], "main", "{receipt}");
        assert!(!scene.works(&token).await);
        refused(&scene.exchange_claims(json!({})).await);
        scene.server.patch(&member, json!({ "active": true })).await.ok();
        refused(&scene.exchange_claims(json!({})).await);
        assert_eq!(scene.server.get(&path).await.ok()["enabled"], false);
        scene.server.patch(&path, json!({ "enabled": true })).await.ok();

        let token = get().await;
        scene.server.patch(&path, json!({ "name": "renamed", "max_minutes": 5 })).await.ok();
        assert!(scene.works(&token).await);
        scene.server.patch(&path, json!({ "enabled": false })).await.ok();
        assert!(!scene.works(&token).await);
        refused(&scene.exchange_claims(json!({})).await);
        scene.server.patch(&path, json!({ "enabled": true })).await.ok();

        let token = get().await;
        let tokens = scene.server.get("/api/v1/access-tokens").await.ok();
        let id = tokens["data"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        scene.server.delete(&format!("/api/v1/access-tokens/{id}")).await.ok();
        assert!(!scene.works(&token).await);

        let token = get().await;
        scene.server.delete(&path).await.ok();
        assert!(!scene.works(&token).await);
        refused(&scene.exchange_claims(json!({})).await);
        assert_eq!(scene.server.events("workload_identity.deleted").await[0]["details"]["access_tokens"], 1);
    }
}

#[tokio::test]
async fn identities_that_cannot_be() {
    let scene = Scene::open(Database::Sqlite).await;
    let many: serde_json::Map<String, Value> = (0..21).map(|n| (format!("c{n}"), json!("x"))).collect();
    for (more, expected) in [
        (json!({ "name": "Main" }), "409 already_exists name"),
        (json!({ "name": "" }), "422 empty name"),
        (json!({ "issuer": "http://issuer.example" }), "422 invalid_issuer issuer"),
        (json!({ "issuer": "not a url" }), "422 invalid_issuer issuer"),
        (json!({ "issuer": "https://user:x@issuer.example" }), "422 invalid_issuer issuer"),
        (json!({ "issuer": "https://issuer.example?x=1" }), "422 invalid_issuer issuer"),
        (json!({ "issuer": "https://169.254.169.254" }), "422 invalid_issuer issuer"),
        (json!({ "issuer": "http://127.0.0.1:9" }), "422 issuer_unavailable issuer"),
        (json!({ "audience": "" }), "422 invalid_audience audience"),
        (json!({ "audience": "a\u{0}" }), "422 invalid_audience audience"),
        (json!({ "subject_pattern": "" }), "422 invalid_pattern subject_pattern"),
        (json!({ "subject_pattern": "a b" }), "422 invalid_pattern subject_pattern"),
        (json!({ "subject_pattern": "**" }), "422 too_wide subject_pattern"),
        (json!({ "subject_pattern": "*:acme" }), "422 too_wide subject_pattern"),
        (json!({ "claims": { "aud": "x" } }), "422 invalid_claim claims.aud"),
        (json!({ "claims": { "": "x" } }), "422 invalid_claim claims."),
        (json!({ "claims": { "ref": "" } }), "422 invalid_pattern claims.ref"),
        (json!({ "claims": many }), "422 too_many claims"),
        (json!({ "max_minutes": 4 }), "422 out_of_range max_minutes"),
        (json!({ "max_minutes": 61 }), "422 out_of_range max_minutes"),
        (json!({ "member_id": "mem_00000000000000000000000000000000" }), "422 unknown_member member_id"),
    ] {
        let mut more = more;
        if more.get("name").is_none() {
            more["name"] = json!("other");
        }
        assert_eq!(status(&scene.add("other", more.clone()).await), expected, "{more}");
    }
    scene.issuer.set_mood(Mood::Lying);
    assert_eq!(status(&scene.add("other", json!({})).await), "422 issuer_unavailable issuer");
}

#[tokio::test]
async fn nobody_makes_a_workload_act_as_somebody_who_may_more_than_they() {
    let scene = Scene::open(Database::Sqlite).await;
    let owner = super::stage::owner(&scene.server).await;
    let body = json!({ "email": "adam@acme.example", "password": PASSWORD, "builtin_role": "admin" });
    scene.server.call(&owner, Method::POST, "/api/v1/members", Some(body)).await.ok();
    let adam = scene.server.sign_in("adam@acme.example").await;
    let body = |member: &str| {
        Some(json!({
            "name": "x", "issuer": scene.issuer.url(), "audience": "x", "subject_pattern": SUBJECT, "member_id": member,
        }))
    };
    let answer = scene.server.call(&adam, Method::POST, IDENTITIES, body(&scene.server.owner_id)).await;
    assert_eq!(status(&answer), "403 cannot_grant_more_than_you_hold");
    let made = scene.server.call(&adam, Method::POST, IDENTITIES, body(&scene.member)).await;
    let path = format!("{IDENTITIES}/{}", made.text("id"));
    let patch = Some(json!({ "member_id": scene.server.owner_id }));
    let answer = scene.server.call(&adam, Method::PATCH, &path, patch).await;
    assert_eq!(status(&answer), "403 cannot_grant_more_than_you_hold");
    // Nor aims the owner's workload at a job of their own.
    let owners = body(&scene.server.owner_id).map(|mut body| {
        body["name"] = json!("owner's");
        body
    });
    let owners = scene.server.call(&owner, Method::POST, IDENTITIES, owners).await;
    let path = format!("{IDENTITIES}/{}", owners.text("id"));
    let patch = Some(json!({ "subject_pattern": "repo:adam/app:**" }));
    let answer = scene.server.call(&adam, Method::PATCH, &path, patch).await;
    assert_eq!(status(&answer), "403 cannot_grant_more_than_you_hold");
    // Turning it off is another matter.
    let answer = scene.server.call(&adam, Method::PATCH, &path, Some(json!({ "enabled": false }))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let answer = scene.server.call(&adam, Method::PATCH, &path, Some(json!({ "enabled": true }))).await;
    assert_eq!(status(&answer), "403 cannot_grant_more_than_you_hold");
}
