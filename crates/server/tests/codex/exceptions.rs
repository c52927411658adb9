//! A developer asks with the sign-in of their Codex, and their Codex obeys the exception.

use http::Method;
use provost_testkit::codex::Version;
use provost_testkit::server::PASSWORD;
use serde_json::json;
use tokio::process::Command;

use super::Site;

#[tokio::test]
async fn an_exception_reaches_the_laptop_that_asked() {
    let site = Site::open().await;
    let ada = site.hire("ada").await;
    let strict = "allowed_sandbox_modes = [\"read-only\"]\nallowed_approval_policies = [\"on-request\"]\n";
    site.rule_everybody(strict).await;
    let lax = "allowed_sandbox_modes = [\"read-only\", \"workspace-write\"]\n";
    site.server.policy("Incident", lax).await;
    let second = json!({ "email": "olga@acme.example", "password": PASSWORD, "builtin_role": "admin" });
    site.server.post("/api/v1/members", second).await.ok();
    let role = json!({ "name": "Codex Admin", "permissions": ["codex.administer"] });
    let role = site.server.post("/api/v1/roles", role).await.text("id");
    let olga = site.server.sign_in("olga@acme.example").await;
    let olga_id = site.server.call(&olga, Method::GET, "/api/v1/session", None).await.text("member_id");
    site.server.put(&format!("/api/v1/roles/{role}/members/{olga_id}"), json!({})).await;

    let laptop = site.signed_in_laptop(Version::V0_169, &ada).await;
    let (turn, _) = site.run(&laptop, "touch proof", &["-s", "workspace-write"]).await;
    assert_eq!(turn.banner("sandbox"), Some("read-only"), "{turn}");

    // `provost exception request` finds the sign-in of Codex by itself.
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["exception", "request", "--reason", "incident 4711", "--for", "1h", "--policy", "incident"])
        .env_clear()
        .env("CODEX_HOME", laptop.codex_home())
        .env("PROVOST_URL", site.server.url())
        .env("PROVOST_CA_CERTIFICATE", site.server.ca_certificate())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned();
    let approve = format!("/api/v1/policy-exceptions/{id}/approve");
    site.server.call(&olga, Method::POST, &approve, Some(json!({}))).await.ok();

    laptop.clear_policy_cache();
    let (turn, _) = site.run(&laptop, "touch proof", &["-s", "workspace-write"]).await;
    assert!(turn.banner("sandbox").is_some_and(|sandbox| sandbox.starts_with("workspace-write")), "{turn}");
    assert!(laptop.project().join("proof").exists(), "{turn}");

    site.server.post(&format!("/api/v1/policy-exceptions/{id}/end"), json!({})).await.ok();
    laptop.clear_policy_cache();
    let (turn, _) = site.run(&laptop, "touch proof", &["-s", "workspace-write"]).await;
    assert_eq!(turn.banner("sandbox"), Some("read-only"), "{turn}");
}
