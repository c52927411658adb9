//! A CI job with nothing but the token that its platform gave it: exchanged, it runs the real client.

use jiff::SignedDuration;
use provost_testkit::codex::Version;
use provost_testkit::issuer::Issuer;
use provost_testkit::server::As;
use reqwest::Method;
use serde_json::json;

use super::{Site, TURN};

#[tokio::test]
async fn a_job_runs_codex_with_no_secret_of_its_own() {
    let (site, issuer) = (Site::open().await, Issuer::start().await);
    let ci = site.hire("ci").await;
    site.rule_everybody("allowed_sandbox_modes = [\"read-only\"]").await;
    let body = json!({
        "name": "app on main", "issuer": issuer.url(), "audience": site.server.url(),
        "subject_pattern": "repo:acme/app:ref:refs/heads/main", "member_id": ci.id, "max_minutes": 15,
    });
    let identity = site.server.post("/api/v1/workload-identities", body).await.text("id");

    let now = site.server.clock.now().as_second();
    let job = issuer.sign(
        "RS256",
        &json!({
            "iss": issuer.url(), "aud": site.server.url(), "sub": "repo:acme/app:ref:refs/heads/main", "jti": "job-1",
            "iat": now, "nbf": now, "exp": now + 300,
        }),
    );
    let form = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": job,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    });
    let exchanged = site.server.call(&As::Nobody, Method::POST, "/oauth/token", Some(form)).await;
    let token = exchanged.text("access_token");

    let machine = site.laptop(Version::V0_169).env("CODEX_ACCESS_TOKEN", &token);
    let turn = machine.exec("say hi", &TURN).await;
    assert!(turn.success() && turn.stdout.contains("hello from the upstream"), "{turn}");
    assert_eq!(machine.auth(), None, "nothing stays on the machine");
    let turns = site.events_of(&ci, "turn.completed").await;
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0]["details"]["via"]["kind"], "access_token");
    assert_eq!(site.events_of(&ci, "policy.fetched").await.len(), 1, "it runs under the policy of its member");
    let signed_in = site.server.events("workload.signed_in").await;
    assert_eq!(signed_in[0]["target"]["id"], identity);
    assert_eq!(signed_in[0]["details"]["access_token_id"], turns[0]["details"]["via"]["id"]);

    site.server.advance(SignedDuration::from_mins(16));
    let turn = machine.exec("say hi", &TURN).await;
    assert_eq!(turn.code, Some(1), "{turn}");
    assert!(turn.to_string().contains("token is missing, expired or revoked"), "{turn}");
    assert_eq!(site.upstream.turns().len(), 1);
}
