//! The exchange itself: which tokens are taken, which are refused, and what the events say of it.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use provost_model::{AccessTokenId, MemberId};
use provost_store::Touched;
use provost_store::tables::access_tokens::{self, AccessTokenRow};
use provost_testkit::issuer::{Issuer, Mood};
use provost_testkit::server::{Database, Server};
use serde_json::json;
use std::time::Duration;

use super::{EXCHANGE, ID_TOKEN, IDENTITIES, SUBJECT, Scene, WHOAMI, refused};
use crate::api::{BOTH, client, in_flight};

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

/// A job that comes while its member is shut out leaves no token behind.
#[tokio::test]
async fn a_member_who_is_suspended_while_a_job_waits_gives_it_nothing() {
    for database in BOTH {
        let scene = Scene::open(database).await;
        let suspend = async |change: &mut provost_store::Change| in_flight::suspend(change, &scene.member).await;
        let answer = in_flight::overtaken(&scene.server, scene.exchange_claims(json!({})), suspend).await;
        refused(&answer);
        assert_eq!(scene.reason().await, "member_inactive");
        assert!(scene.server.events("workload.signed_in").await.is_empty());
    }
}
