//! `/api/v1/workload-identities`, and the exchange of a workload's token at `/oauth/token`.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_model::{AccessTokenId, MemberId};
use provost_store::Touched;
use provost_store::tables::access_tokens::{self, AccessTokenRow};
use provost_testkit::issuer::{Issuer, Mood};
use provost_testkit::server::{Answer, As, Database, PASSWORD, Server};
use serde_json::{Value, json};
use std::time::Duration;

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
async fn a_job_exchanges_its_token_for_a_short_one() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let token = scene.issuer.sign("RS256", &scene.claims(json!({})));
        let form = format!(
            "grant_type={}&subject_token={token}&subject_token_type={}",
            EXCHANGE.replace(':', "%3A"),
            ID_TOKEN.replace(':', "%3A"),
        );
        let request = scene.server.request(Method::POST, "/oauth/token").body(form);
        let answer = scene.server.send(request.header("content-type", "application/x-www-form-urlencoded")).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let access = answer.text("access_token");
        assert_eq!(answer.body["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
        assert_eq!((answer.text("token_type").as_str(), &answer.body["expires_in"]), ("Bearer", &json!(600)));
        assert!(access.starts_with("at-"));
        let whoami = client(&scene.server, &access, WHOAMI).await.ok();
        assert_eq!(whoami["email"], "ci@acme.example");

        let signed_in = scene.server.events("workload.signed_in").await;
        assert_eq!(signed_in[0]["details"]["token"]["sub"], SUBJECT);
        assert_eq!(signed_in[0]["target"]["id"], scene.identity);
        assert!(!signed_in[0].to_string().contains(&access));
        let listed = scene.server.get("/api/v1/access-tokens").await.ok();
        assert_eq!(listed["data"][0]["workload_identity_id"], scene.identity);
        assert!(scene.server.get(&format!("{IDENTITIES}/{}", scene.identity)).await.ok()["last_used_at"].is_string());

        scene.server.advance(SignedDuration::from_mins(10));
        assert!(!scene.works(&access).await, "it has ended");
        // The next exchange clears away what ended.
        scene.exchange_claims(json!({})).await.ok();
        let workspace = scene.server.node.app.store.workspace(scene.server.workspace_id.parse().unwrap()).unwrap();
        assert_eq!(workspace.access_tokens.len(), 1);
    }
}

#[tokio::test]
async fn every_algorithm_that_counts_counts() {
    let scene = Scene::open(Database::Sqlite).await;
    for algorithm in ["RS256", "PS256", "ES256"] {
        scene.exchange(&scene.issuer.sign(algorithm, &scene.claims(json!({})))).await.ok();
    }
    for (algorithm, description) in [("none", "algorithm"), ("HS256", "algorithm"), ("XX", "algorithm")] {
        let answer = scene.exchange(&scene.issuer.sign(algorithm, &scene.claims(json!({})))).await;
        refused(&answer);
        assert!(answer.text("error_description").contains(description), "{}", answer.body);
        assert_eq!(scene.reason().await, "signature");
    }
    // What was signed is not what is said.
    let token = scene.issuer.sign("ES256", &scene.claims(json!({})));
    let other = scene.issuer.sign("ES256", &scene.claims(json!({ "run_id": "2" })));
    let (parts, others): (Vec<_>, Vec<_>) = (token.split('.').collect(), other.split('.').collect());
    refused(&scene.exchange(&format!("{}.{}.{}", parts[0], others[1], parts[2])).await);
    refused(&scene.exchange(&format!("{}.{}.", parts[0], parts[1])).await);
    // Another issuer's signature, with the same names of keys.
    let impostor = Issuer::start().await;
    refused(&scene.exchange(&impostor.sign("ES256", &scene.claims(json!({})))).await);
    assert_eq!(scene.reason().await, "signature");
}

#[tokio::test]
async fn every_claim_is_checked() {
    let scene = Scene::open(Database::Sqlite).await;
    let now = scene.server.clock.now().as_second();
    for (claims, reason) in [
        (json!({ "aud": "other" }), "audience"),
        (json!({ "aud": ["other", "provost-evil"] }), "audience"),
        (json!({ "aud": null }), "audience"),
        (json!({ "aud": { "provost": true } }), "audience"),
        (json!({ "exp": now - 61 }), "expired"),
        (json!({ "exp": null }), "malformed"),
        (json!({ "exp": "tomorrow" }), "malformed"),
        (json!({ "iat": null }), "malformed"),
        (json!({ "iat": now + 120 }), "not_yet_valid"),
        (json!({ "nbf": now + 120 }), "not_yet_valid"),
        (json!({ "iat": now - 3700, "exp": now + 3600 }), "too_old"),
        (json!({ "sub": null }), "subject"),
        (json!({ "sub": 7 }), "subject"),
        (json!({ "sub": "repo:acme/app-evil:ref:refs/heads/main" }), "subject"),
        (json!({ "sub": "repo:acme/app:ref:refs/heads/main2" }), "subject"),
        (json!({ "sub": "repo:acme/app:ref:refs/heads/main\n" }), "subject"),
        (json!({ "sub": "xrepo:acme/app:ref:refs/heads/main" }), "subject"),
        (json!({ "sub": "repo:Acme/App:ref:refs/heads/main" }), "subject"),
        (json!({ "sub": "repo:\u{430}cme/app:ref:refs/heads/main" }), "subject"),
        (json!({ "sub": "repo:acme/app:ref:refs/heads/main".repeat(100) }), "subject"),
        (json!({ "sub": "repo:acme/app:pull_request" }), "subject"),
    ] {
        // A refused address is slowed down; this is about each refusal.
        let answer = scene.exchange_claims(claims.clone()).await;
        refused(&answer);
        assert_eq!(scene.reason().await, reason, "{claims}");
    }
    for claims in [
        json!({ "aud": ["other", "provost"] }),
        json!({ "exp": now - 30, "iat": now - 200 }),
        json!({ "nbf": now + 30, "iat": now + 30 }),
        json!({ "nbf": null, "exp": 1e12 }),
    ] {
        scene.exchange_claims(claims).await.ok();
    }
    // Nobody here takes tokens of that issuer, and nothing is recorded of it.
    let before = scene.server.events("workload.refused").await.len();
    refused(&scene.exchange_claims(json!({ "iss": "https://issuer.example" })).await);
    refused(&scene.exchange_claims(json!({ "iss": format!("{}/", scene.issuer.url()) })).await);
    refused(&scene.exchange("not a token").await);
    assert_eq!(scene.server.events("workload.refused").await.len(), before);
    let shown = &scene.server.events("workload.refused").await[0]["details"];
    let keys: Vec<_> = shown["token"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["aud", "iss", "sub"], "nothing else of a token is kept");
}

#[tokio::test]
async fn a_token_is_exchanged_once_on_whichever_node() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let token = scene.issuer.sign("ES256", &scene.claims(json!({})));
        let other = scene.server.second_node().await;
        let form = json!({ "grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ID_TOKEN });
        let there = format!("http://{}/oauth/token", other.http_address.unwrap());
        let there = reqwest::Client::new().post(there).json(&form).send();
        let (here, there) = tokio::join!(scene.exchange(&token), there);
        let codes = [here.status.as_u16(), there.unwrap().status().as_u16()];
        assert!(codes == [200, 400] || codes == [400, 200], "{codes:?}");
        refused(&scene.exchange(&token).await);
        assert_eq!(scene.reason().await, "replayed");
        other.stop().await;
        // Without a `jti` there is nothing to tell them by.
        let token = scene.issuer.sign("ES256", &scene.claims(json!({ "jti": null })));
        scene.exchange(&token).await.ok();
        scene.exchange(&token).await.ok();
    }
}

#[tokio::test]
async fn an_issuer_that_renews_its_keys_or_is_away_stops_nobody_for_long() {
    let scene = Scene::open(Database::Sqlite).await;
    let sign = || scene.issuer.sign("ES256", &scene.claims(json!({})));
    scene.exchange(&sign()).await.ok();
    let asked = scene.issuer.asked();
    scene.exchange(&sign()).await.ok();
    assert_eq!(scene.issuer.asked(), asked, "its keys are kept for a while");

    // New keys: found as soon as the issuer may be asked again.
    scene.issuer.rotate();
    refused(&scene.exchange(&sign()).await);
    for _ in 0..5 {
        refused(&scene.exchange(&sign()).await);
    }
    assert_eq!(scene.issuer.asked(), asked, "unknown keys make nobody ask more than every ten seconds");
    scene.server.advance(SignedDuration::from_secs(11));
    scene.exchange(&sign()).await.ok();
    assert_eq!(scene.issuer.asked(), asked + 1);

    // Away: what is known counts for an hour.
    scene.issuer.set_mood(Mood::Down);
    scene.server.advance(SignedDuration::from_mins(50));
    scene.exchange(&sign()).await.ok();
    scene.server.advance(SignedDuration::from_mins(15));
    let answer = scene.exchange(&sign()).await;
    assert_eq!((answer.status.as_u16(), answer.text("error").as_str()), (503, "temporarily_unavailable"));
    scene.issuer.set_mood(Mood::Lying);
    scene.server.advance(SignedDuration::from_secs(11));
    assert_eq!(scene.exchange(&sign()).await.status.as_u16(), 503);
    scene.issuer.set_mood(Mood::Slow(Duration::from_millis(300)));
    scene.server.advance(SignedDuration::from_secs(11));
    // A crowd that waits for a slow issuer asks it once.
    let asked = scene.issuer.asked();
    let (one, two, three) = (sign(), sign(), sign());
    let (a, b, c) = tokio::join!(scene.exchange(&one), scene.exchange(&two), scene.exchange(&three));
    assert_eq!([a.status, b.status, c.status], [StatusCode::OK; 3]);
    assert_eq!(scene.issuer.asked(), asked + 1);
}

#[tokio::test]
async fn claims_set_conditions_and_one_identity_fits() {
    let scene = Scene::open(Database::Sqlite).await;
    let strict = json!({ "audience": "strict", "subject_pattern": "repo:acme/*:ref:refs/heads/*",
        "claims": { "environment": "prod", "runner_environment": "github-*", "repository_owner_id": "65" } });
    scene.add("strict", strict).await.ok();
    scene.exchange_claims(json!({ "aud": "strict" })).await.ok();
    scene.exchange_claims(json!({ "aud": "strict", "repository_owner_id": 65 })).await.ok();
    for claims in [
        json!({ "aud": "strict", "environment": "staging" }),
        json!({ "aud": "strict", "environment": null }),
        json!({ "aud": "strict", "environment": ["prod"] }),
        json!({ "aud": "strict", "runner_environment": "self-hosted" }),
    ] {
        refused(&scene.exchange_claims(claims.clone()).await);
        assert_eq!(scene.reason().await, "claims", "{claims}");
    }
    // GitLab, as its documents show a job's token; the part after the last colon is the branch.
    let gitlab = json!({ "audience": "gitlab", "subject_pattern": "project_path:my-group/*:ref_type:branch:ref:main",
        "claims": { "ref_protected": "true", "namespace_id": "72" } });
    scene.add("gitlab", gitlab).await.ok();
    let job = |path: &str, protected: &str| {
        json!({
            "aud": "gitlab", "sub": format!("project_path:{path}:ref_type:branch:ref:main"), "namespace_id": "72",
            "namespace_path": "my-group", "project_id": "20", "project_path": path, "user_id": "1", "user_login": "sample",
            "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
            "ref_protected": protected, "runner_id": 1, "runner_environment": "self-hosted",
        })
    };
    scene.exchange_claims(job("my-group/my-project", "true")).await.ok();
    refused(&scene.exchange_claims(job("my-group/my-project", "false")).await);
    refused(&scene.exchange_claims(job("my-group-evil/my-project", "true")).await);

    // Two that fit are none.
    scene.add("twin", json!({ "subject_pattern": "repo:acme/**" })).await.ok();
    refused(&scene.exchange_claims(json!({})).await);
    assert_eq!(scene.reason().await, "ambiguous");
    // A workspace can be named; another's name leads nowhere.
    let token = scene.issuer.sign("ES256", &scene.claims(json!({ "aud": "strict" })));
    let elsewhere = json!({ "audience": "0198c1f0-0000-7000-8000-000000000000" });
    refused(&scene.exchange_with(&token, elsewhere).await);
    scene.exchange_with(&token, json!({ "audience": scene.server.workspace_id })).await.ok();
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

        let token = get().await;
        scene.server.patch(&member, json!({ "active": false })).await.ok();
        assert!(!scene.works(&token).await);
        refused(&scene.exchange_claims(json!({})).await);
        assert_eq!(scene.reason().await, "member_inactive");
        scene.server.patch(&member, json!({ "active": true })).await.ok();

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
async fn an_identity_is_given_so_many_tokens_at_once() {
    let scene = Scene::open(Database::Sqlite).await;
    let store = &scene.server.node.app.store;
    let (actor, origin) = (provost_model::event::Actor::system(), provost_model::event::Origin::default());
    let mut change = store.change(scene.server.workspace_id.parse().unwrap(), actor, origin).await.unwrap();
    let (ws, now) = (change.workspace_id(), change.at());
    let member: MemberId = scene.member.parse().unwrap();
    for n in 0..999_u16 {
        let row = AccessTokenRow {
            expires_at: Some(now + SignedDuration::from_mins(10)),
            workload_identity_id: Some(scene.identity.parse().unwrap()),
            ..AccessTokenRow::new(AccessTokenId::new(now), member, "x", now)
        };
        let mut hash = [0; 32];
        hash[..2].copy_from_slice(&n.to_be_bytes());
        access_tokens::insert(&mut change, ws, &row, &hash).await.unwrap();
        change.touch(Touched::AccessToken(row.id));
    }
    change.record(provost_model::event::EventType::AccessTokenCreated, None, json!({}));
    change.commit().await.unwrap();
    let live = || store.workspace(ws).unwrap().access_tokens.len();
    scene.exchange_claims(json!({})).await.ok();
    assert_eq!(live(), 1_000);
    refused(&scene.exchange_claims(json!({})).await);
    assert_eq!(scene.reason().await, "too_many");
    scene.server.advance(SignedDuration::from_mins(11));
    scene.exchange_claims(json!({})).await.ok();
    assert_eq!(live(), 1, "what has ended is forgotten");
    scene.server.advance(SignedDuration::from_hours(25));
    provost_identity::housekeeping(store).await.unwrap();
    let kept = access_tokens::list(&mut store.read().await.unwrap(), ws, None, &all()).await.unwrap();
    assert!(kept.is_empty());
}

fn all() -> provost_store::tables::Page {
    provost_store::tables::Page { after: None, limit: 10_000 }
}

#[tokio::test]
async fn who_keeps_trying_is_slowed_down_and_others_are_not_recorded() {
    let (server, issuer) = (Server::start().await, Issuer::start().await);
    let member = server.member("ci@acme.example").await;
    let mut scene = Scene { server, issuer, member, identity: String::new() };
    scene.identity = scene.add("main", json!({})).await.text("id");
    for _ in 0..10 {
        refused(&scene.exchange_claims(json!({ "sub": "repo:evil/app" })).await);
    }
    let answer = scene.exchange_claims(json!({ "sub": "repo:evil/app" })).await;
    assert_eq!((answer.status.as_u16(), answer.text("error").as_str()), (429, "slow_down"));
    assert_eq!(scene.server.events("workload.refused").await.len(), 10);
    // The jobs that share the address go on.
    for _ in 0..12 {
        scene.exchange_claims(json!({})).await.ok();
    }
}

#[tokio::test]
async fn what_is_no_exchange() {
    let scene = Scene::open(Database::Sqlite).await;
    let token = || scene.issuer.sign("ES256", &scene.claims(json!({})));
    for (more, error) in [
        (json!({ "subject_token_type": "urn:ietf:params:oauth:token-type:saml2" }), "invalid_request"),
        (json!({ "subject_token_type": null }), "invalid_request"),
        (json!({ "subject_token": null }), "invalid_request"),
        (json!({ "actor_token": "x" }), "invalid_request"),
        (json!({ "requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token" }), "invalid_request"),
        // The exchange that Codex clients try after a browser sign-in.
        (json!({ "requested_token": "openai-api-key" }), "unsupported_grant_type"),
    ] {
        let answer = scene.exchange_with(&token(), more.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.text("error").as_str()), (400, error), "{more}");
    }
    let long = format!("{}.{}", token(), "x".repeat(20_000));
    assert_eq!(scene.exchange(&long).await.text("error"), "invalid_request");
    let jwt = json!({ "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "client_id": "ci",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token" });
    scene.exchange_with(&token(), jwt).await.ok();
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
