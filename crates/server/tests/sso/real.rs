//! The real `oidc-provider`: its pages are filled in as a member would.

use std::process::Stdio;

use http::StatusCode;
use provost_testkit::server::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::browser::Browser;
use super::{connect, own_domain};

/// Starts it, and says where it is.
async fn start(redirect_uri: &str) -> (Child, String) {
    let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites");
    let installed = std::path::Path::new(suites).join("node_modules/oidc-provider");
    assert!(installed.exists(), "oidc-provider is not installed: `make suites` does that");
    let mut provider = Command::new("node")
        .arg("oidc-provider.mjs")
        .arg(redirect_uri)
        .current_dir(suites)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts");
    let mut lines = BufReader::new(provider.stdout.take().expect("it was piped")).lines();
    let issuer = lines.next_line().await.expect("it says something").expect("it says where it is");
    // It says more as it goes, and would stop if nobody listened.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (provider, issuer)
}

#[tokio::test]
async fn a_developer_signs_in_through_the_real_provider() {
    let server = Server::start().await;
    let (_provider, issuer) = start(&format!("{}/sign-in/oidc/callback", server.url())).await;
    own_domain(&server, "acme.example").await;
    let engineers = server.group("Engineers", &[]).await;
    let oidc = json!({
        "scopes": ["email", "profile", "groups"], "claims": { "groups": "groups" },
        "groups": { "engineers": engineers },
    });
    let connection = connect(&server, &issuer, json!({ "create_members": true }), oidc).await;

    // The Codex client's browser flow leads to the sign-in, and comes back to the client.
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let authorize = format!(
        "/oauth/authorize?response_type=code&client_id=codex&redirect_uri=http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback\
         &code_challenge={challenge}&code_challenge_method=S256&state=of-the-client"
    );
    let mut browser = Browser::new(&server);
    let sign_in = browser.open(&authorize).await.next.expect("it leads to the sign-in");
    let page = browser.open(&sign_in).await;
    let link = page.html.split("href=\"").find(|part| part.starts_with("/sign-in/sso/")).expect("a link");
    assert!(link.contains(&connection));
    let mut at = link.split('"').next().unwrap_or_default().to_owned();
    // Login and consent of the provider, then our callback, then where it all began.
    for _ in 0..12 {
        let mut view = browser.open(&at).await;
        if view.next.is_none() && view.html.contains("name=\"prompt\"") {
            let action = view.html.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
            let prompt = if view.html.contains("value=\"login\"") { "login" } else { "consent" };
            let action = action.to_owned();
            view = browser.submit(&action, &[("prompt", prompt), ("login", "ada"), ("password", "x")]).await;
        }
        let next = view.next.unwrap_or_else(|| panic!("{at}: {} {}", view.status, view.html));
        if next.starts_with("http://127.0.0.1:1455/auth/callback?code=code-") {
            assert!(next.ends_with("&state=of-the-client"), "{next}");
            at = next;
            break;
        }
        at = next;
    }
    assert!(at.starts_with("http://127.0.0.1:1455/"), "it ended at {at}");
    assert_eq!(browser.signed_in().await.as_deref(), Some("ada@acme.example"));
    let group: Value = server.get(&format!("/api/v1/groups/{engineers}")).await.ok();
    assert_eq!(group["member_count"], 1);
    assert_eq!(browser.open("/").await.status, StatusCode::OK);
}
