//! `scim2-tester`, a suite that others wrote (suites/requirements.txt), run whole.

use std::path::Path;

use provost_testkit::server::Server;
use tokio::process::Command;

use super::{BOTH, key};

#[tokio::test]
async fn scim2_tester_finds_nothing() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/venv/bin/scim2");
    assert!(program.exists(), "scim2-tester is not installed: `make suites` does it");
    for database in BOTH {
        let server = Server::start_on(database).await;
        let key = key(&server, &["scim"]).await;
        let mut command = Command::new(&program);
        command.args(["--url", &format!("{}/scim/v2", server.http_url()), "test", "--verbose"]);
        // In the environment, as its help advises.
        command.env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {key}"));
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        let passed = said.lines().filter(|line| line.starts_with("SUCCESS")).count();
        let failed: Vec<_> =
            said.lines().filter(|line| line.starts_with("ERROR") || line.starts_with("CRITICAL")).collect();
        assert!(output.status.success() && failed.is_empty(), "{database:?}: {said}\n{complaint}");
        assert!(passed > 80, "it looked at everything: {passed} passed\n{said}");
    }
}
