//! A copied data directory without the master key: nothing that is sealed can be read in it, and nothing opens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::Method;
use provost_model::Clock;
use provost_server::config::{Config, ServeArgs};
use provost_server::node::{Node, open_store};
use provost_testkit::issuer::Issuer;
use provost_testkit::server::{As, Database, Server};
use serde_json::json;

use super::PATIENT;
use super::encryption_keys::keys;
use super::telemetry::{record, reporting, send_logs, telemetry_token};

/// Every file below a directory.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }
}

/// The files in which these bytes stand, as they are or in one of the ways that bytes are written as text.
fn holding(folder: &Path, secret: &[u8]) -> Vec<PathBuf> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let forms = [
        secret.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        STANDARD.encode(secret).into_bytes(),
        STANDARD_NO_PAD.encode(secret).into_bytes(),
        URL_SAFE_NO_PAD.encode(secret).into_bytes(),
        // As a list in JSON.
        format!("{secret:?}").replace(' ', "").into_bytes(),
    ];
    let holds = |file: &PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        forms.iter().any(|form| bytes.windows(form.len()).any(|part| part == form.as_slice()))
    };
    files(folder).into_iter().filter(holds).collect()
}

fn base32(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
        (bits, count) = ((bits << 5 | u32::try_from(value).unwrap()) & 0xffff, count + 5);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// Puts one of everything there that is to be sealed; what must not be found.
async fn fill(server: &Server) -> Vec<(&'static str, Vec<u8>)> {
    let upstream = "sk-upstream-7a01b2c3-find-me";
    let body = json!({ "name": "Findable upstream", "base_url": "https://models.example/v1", "api_key": upstream,
        "models": [{ "slug": "gpt-test" }] });
    server.post("/api/v1/upstreams", body).await.ok();
    let client_secret = "an-oidc-client-secret-find-me";
    let issuer = Issuer::start().await;
    crate::sso::connect(server, &issuer.url(), json!({}), json!({ "client_secret": client_secret })).await;
    // An answer with a secret in it, kept for who asks again.
    let request = server.request(Method::POST, "/api/v1/api-keys").bearer_auth(&server.api_key);
    let request = request.header("idempotency-key", "once").json(&json!({ "name": "ci", "scopes": ["events.read"] }));
    let api_key = server.send(request).await.text("key");
    server.member("mia@acme.example").await;
    let mia = server.sign_in("mia@acme.example").await;
    let totp = server.call(&mia, Method::POST, "/api/v1/second-factors/totp", Some(json!({}))).await.text("secret");
    let As::Session { cookie, .. } = &mia else { unreachable!("a session") };
    let cookie = cookie.split_once('=').unwrap().1.to_owned();
    // The words of a command, where the workspace records them.
    reporting(server).await;
    server.patch("/api/v1/settings", json!({ "record_commands": true })).await.ok();
    let token = server.access_token("mia@acme.example").await;
    let reports = telemetry_token(server, &token).await;
    let arguments = json!({ "cmd": "deploy --password=a-word-of-a-command-find-me" }).to_string();
    let more =
        [("call_id", "call_1"), ("arguments", arguments.as_str()), ("success", "true"), ("tool_name", "exec_command")];
    send_logs(server, &reports, &[record("codex.tool_result", "t-1", "", &more)]).await.ok();
    // What signs tokens.
    let store = &server.node.app.store;
    let mut tx = store.read().await.unwrap();
    let row = provost_store::tables::signing_keys::list(&mut tx, store.clock().now()).await.unwrap().remove(0);
    let place = provost_store::tables::signing_keys::seal_place(&row.kid);
    let signing = store.unseal(&place, &row.sealed).await.unwrap();
    // Of PKCS#8 the private number alone: the public half stands in the table as it is (RFC 5915 §3).
    let private = signing.windows(2).position(|part| part == [0x04, 0x20]).map(|at| signing[at + 2..at + 34].to_vec());
    vec![
        ("an upstream's key", upstream.into()),
        ("a provider's client secret", client_secret.into()),
        ("an API key in a kept answer", api_key.into_bytes()),
        ("the owner's API key", server.api_key.clone().into_bytes()),
        ("a TOTP secret as text", totp.clone().into_bytes()),
        ("a TOTP secret", base32(&totp)),
        ("a session's cookie", cookie.into_bytes()),
        ("an access token", token.into_bytes()),
        ("a telemetry token", reports.into_bytes()),
        ("the words of a command", b"a-word-of-a-command-find-me".to_vec()),
        ("a signing key", private.expect("a private key")),
        ("a password", provost_testkit::server::PASSWORD.as_bytes().to_vec()),
    ]
}

fn config(data: &Path) -> Config {
    let mut args = ServeArgs::default();
    args.settings.data = Some(data.to_owned());
    args.settings.listen = Some("127.0.0.1:0".parse().unwrap());
    args.settings.http_listen = Some("none".parse().unwrap());
    Config::load(args, &|_| None).unwrap()
}

#[tokio::test]
async fn a_copied_data_directory_without_its_key_says_nothing() {
    let server = Server::start_with(Database::Sqlite, PATIENT).await;
    let secrets = fill(&server).await;
    // Through every change of keys: nothing of the old seals is left readable either.
    for verb in [&["rotate"][..], &["reseal"][..]] {
        let (code, _, err) = keys(&server, verb).await;
        assert_eq!(code, 0, "{err}");
    }
    let store = &server.node.app.store;
    assert!(server.node.app.deliveries.flush(store, Duration::from_secs(10)).await);
    store.keep_last_good().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let (while_running, stopped) = (folder.path().join("running"), folder.path().join("stopped"));
    copy(&server.data(), &while_running);
    assert!(while_running.join("provost.db-wal").exists(), "the journal is part of it");
    let server = server.restart(async |data, _| copy(data, &stopped)).await.unwrap();
    let key = std::fs::read(server.data().join("master.key")).unwrap();
    for copied in [&while_running, &stopped] {
        assert!(copied.join("last-good.sealed").exists());
        std::fs::remove_file(copied.join("master.key")).unwrap();
        assert!(!holding(copied, b"Findable upstream").is_empty(), "the search finds what is there");
        for (what, secret) in &secrets {
            assert_eq!(holding(copied, secret), [""; 0].map(PathBuf::from), "{what}");
        }
        let raw = STANDARD.decode(&key).unwrap();
        assert_eq!(holding(copied, &raw), [""; 0].map(PathBuf::from), "the master key");
    }

    // Without the key, or with another, nothing opens; and no new key takes its place.
    let refused = async |data: &Path| {
        let store = open_store(&config(data), Clock::system()).await.err();
        let node = Node::start(&config(data), Clock::system()).await.err();
        [store, node].map(|error| format!("{:#}", error.expect("it does not open")))
    };
    for error in refused(&stopped).await {
        assert!(error.contains("master.key is not there"), "{error}");
    }
    assert!(!stopped.join("master.key").exists());
    std::fs::write(stopped.join("master.key"), STANDARD.encode([7; 32])).unwrap();
    for error in refused(&stopped).await {
        assert!(error.contains("the data keys are wrapped by the master key"), "{error}");
    }
    // Not from the last good snapshot either.
    for name in ["provost.db", "provost.db-wal", "provost.db-shm"] {
        let _ = std::fs::remove_file(stopped.join(name));
    }
    for error in refused(&stopped).await {
        assert!(error.contains("sealed under another master key"), "{error}");
    }
    // With it, everything does.
    std::fs::write(while_running.join("master.key"), key).unwrap();
    let store = open_store(&config(&while_running), Clock::system()).await.unwrap();
    let workspace = store.workspace(server.workspace_id.parse().unwrap()).unwrap();
    let upstream = workspace.upstreams.values().next().unwrap();
    assert_eq!(upstream.api_key.as_ref().unwrap().to_string(), "sk-upstream-7a01b2c3-find-me");
}

/// As it is recommended: the directory alone is no use to anybody.
#[tokio::test]
async fn a_key_outside_of_the_directory_is_in_no_copy_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("provost-master.key");
    let settings = format!("{PATIENT}[keys]\nmaster_key_file = '{}'\n", file.display());
    let server = Server::start_with(Database::Sqlite, &settings).await;
    server.upstream("https://models.example/v1", &["gpt-test"]).await;
    let key = std::fs::read(&file).unwrap();
    assert!(!server.data().join("master.key").exists());
    assert_eq!(holding(&server.data(), &key), [""; 0].map(PathBuf::from));
    let error = server.restart(async |_, _| {}).await.err().expect("the restart of a test forgets the settings");
    assert!(error.contains("master.key is not there"), "{error}");
}
