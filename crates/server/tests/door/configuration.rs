use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Parser;
use provost_server::config::{Config, LogFormat, ServeArgs, Transport};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ServeArgs,
}

fn load(flags: &str, environment: &[(&str, &str)]) -> Result<Config> {
    let words = std::iter::once("provost").chain(flags.split_whitespace());
    let cli = Cli::try_parse_from(words)?;
    let variable = |name: &str| {
        let found = environment.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    Config::load(cli.args, &variable)
}

/// Loads a file from a directory of its own, which stays out of the messages.
fn load_file(text: &str, flags: &str) -> Result<Config> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("provost.toml");
    std::fs::write(&path, text)?;
    let flags = format!("--config {} {flags}", path.display());
    let outcome = load(&flags, &[]);
    let shown = format!("{}/", directory.path().display());
    outcome.map_err(|error| anyhow::anyhow!(format!("{error:#}").replace(&shown, "")))
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn nothing_said_serves_this_machine() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.data, Path::new("data"));
    assert_eq!(config.listen, address("127.0.0.1:8443"));
    assert_eq!(config.http_listen, Some(address("127.0.0.1:8080")));
    assert_eq!(config.transport, Transport::SelfSigned);
    assert_eq!(config.public_url(config.listen).as_str(), "https://127.0.0.1:8443");
    assert_eq!(config.database.sqlite_file(), Some(Path::new("data/provost.db")));
    assert_eq!(config.limits.model_body_bytes, 64 * 1024 * 1024);
    assert_eq!(config.warnings(), [""; 0]);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = "
        data = 'of-file'
        listen = '127.0.0.1:1'
        log_format = 'json'
        [limits]
        connections = 7
        drain_seconds = 7
    ";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("provost.toml");
    std::fs::write(&path, file).unwrap();
    let path = path.display().to_string();
    let environment = [
        ("PROVOST_CONFIG", path.as_str()),
        ("PROVOST_DATA", "of-environment"),
        ("PROVOST_LISTEN", "127.0.0.1:2"),
        ("PROVOST_LIMITS_CONNECTIONS", "8"),
        ("PROVOST_NETWORK_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1/32"),
        ("PROVOST_DATABASE_URL", ""),
        ("PROVOST_PORT", "tcp://10.0.0.1:8443"),
    ];
    let config = load("--listen 127.0.0.1:3 --http-listen none", &environment).unwrap();
    assert_eq!(config.listen, address("127.0.0.1:3"));
    assert_eq!(config.http_listen, None);
    assert_eq!(config.data, Path::new("of-environment"));
    assert_eq!(config.log_format, LogFormat::Json);
    assert_eq!((config.limits.connections, config.limits.drain_seconds), (8, 7));
    assert_eq!(config.network.trusted_proxies.len(), 2);
}

#[test]
fn how_the_listener_speaks_is_one_choice() {
    let file = "tls_cert = 'cert.pem'\ntls_key = 'key.pem'";
    let files = Transport::Files { cert: "cert.pem".into(), key: "key.pem".into() };
    assert_eq!(load_file(file, "").unwrap().transport, files);
    assert_eq!(load_file(file, "--tls self-signed").unwrap().transport, Transport::SelfSigned);
    let proxied = load_file(file, "--behind-proxy --listen 0.0.0.0:80 --http-listen none");
    assert_eq!(proxied.unwrap().transport, Transport::BehindProxy);
    let chosen = load("--tls-cert a --tls-key b --listen 0.0.0.0:443", &[]).unwrap();
    assert_eq!(chosen.transport, Transport::Files { cert: "a".into(), key: PathBuf::from("b") });
}

#[test]
fn the_public_url_follows_the_bound_address_unless_it_is_said() {
    let guessed = load("--listen 127.0.0.1:0", &[]).unwrap();
    assert_eq!(guessed.public_url(address("127.0.0.1:4711")).as_str(), "https://127.0.0.1:4711");
    let said = load("--public-url https://Codex.Corp/", &[]).unwrap();
    assert_eq!(said.public_url(address("127.0.0.1:4711")).as_str(), "https://codex.corp");
    let open = load("--listen 0.0.0.0:8443 --tls self-signed", &[]).unwrap();
    assert_eq!(open.public_url(open.listen).as_str(), "https://localhost:8443");
    assert_eq!(open.warnings().len(), 1, "clients elsewhere cannot use localhost");
}

#[test]
fn a_password_of_the_database_is_never_printed() {
    let flags = "--database-url postgres://me:s3cret@db.example.com/provost?sslmode=require";
    let config = load(flags, &[]).unwrap();
    assert!(config.database.expose().contains("s3cret"));
    let shown = format!("{config:?} {}", config.database);
    assert!(!shown.contains("s3cret"), "{shown}");
    let wrong = load("--database-url mysql://me:s3cret@db/provost", &[]).unwrap_err();
    assert!(!format!("{wrong:?}").contains("s3cret"), "{wrong:?}");
}

/// Every mistake, and what the operator reads.
#[test]
fn every_mistake_says_where_it_is_and_the_way_out() {
    let mut table = String::new();
    let files = [
        "lisen = '127.0.0.1:8443'",
        "data = 'here'\n\nlisten = 'localhost'",
        "http_listen = 'off'",
        "public_url = 'https://codex.corp/provost'",
        "public_url = 'http://codex.corp'",
        "database_url = 'mysql://me:s3cret@db/provost'",
        "tls = true",
        "tls = 'none'",
        "tls_cert = 'cert.pem'",
        "tls = 'self-signed'\nbehind_proxy = true",
        "log_format = 'xml'",
        "[limits]\nbody_bytes = '1 MiB'",
        "[limits]\nbody_bytes = 4096\nconnections = 0",
        "[limits]\nlisten = '127.0.0.1:8443'",
        "[limit]\nbody_bytes = 4096",
        "[network]\ntrusted_proxies = ['10.0.0.0/99']",
        "listen = '127.0.0.1:1'\nlisten = '127.0.0.1:2'",
        "listen: 127.0.0.1:8443",
    ];
    for text in files {
        let outcome = load_file(text, "").map(|_| ()).unwrap_err();
        assert!(!format!("{outcome:?}").contains("s3cret"), "{outcome:?}");
        writeln!(table, "=== provost.toml\n{text}\n--- error\n{outcome:#}\n").unwrap();
    }
    let environments = [
        ("PROVOST_LISTEN", "8443"),
        ("PROVOST_BEHIND_PROXY", "yes"),
        ("PROVOST_LIMITS_DRAIN_SECONDS", "soon"),
        ("PROVOST_NETWORK_ALLOW_PRIVATE_UPSTREAMS", "no"),
        ("PROVOST_TLS_KEY", "key.pem"),
    ];
    for (name, value) in environments {
        let outcome = load("", &[(name, value)]).map(|_| ()).unwrap_err();
        writeln!(table, "=== {name}={value}\n--- error\n{outcome:#}\n").unwrap();
    }
    let flags = [
        "--config missing.toml",
        "--listen 0.0.0.0:8443",
        "--listen [::]:8443",
        "--http-listen 0.0.0.0:8080",
        "--listen 127.0.0.1:8080",
        "--listen localhost:8443",
        "--tls-cert cert.pem",
        "--tls self-signed --tls-cert cert.pem --tls-key key.pem",
        "--behind-proxy --tls self-signed",
        "--log-format xml",
    ];
    for flags in flags {
        let outcome = load(flags, &[]).map(|_| ()).unwrap_err();
        writeln!(table, "=== provost serve {flags}\n--- error\n{outcome:#}\n").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_master_key_is_said_in_one_way_and_never_shown() {
    let text = "q7DwkQ0jHhmM3fxYx1y1i0w9N8hQbJ2kqM0o4n2m1eM=";
    let environment = [("PROVOST_MASTER_KEY", text), ("PROVOST_PREVIOUS_MASTER_KEY", text)];
    let config = load("", &environment).unwrap();
    let keys = config.keys.open(Path::new("/nowhere")).unwrap();
    assert_eq!((keys.current.name().len(), keys.current.name()), (16, keys.previous[0].name()));
    for shown in [format!("{config:?}"), format!("{keys:?}")] {
        assert!(!shown.contains(text) && shown.contains(keys.current.name()), "{shown}");
    }
    let kms = [("PROVOST_KEYS_KMS_COMMAND", "/opt/kms, --key,provost")];
    assert_eq!(load("", &kms).unwrap().keys.open(Path::new("/nowhere")).unwrap().current.name(), "kms");

    let refused = |file: &str, environment: &[(&str, &str)]| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("provost.toml");
        std::fs::write(&path, file).unwrap();
        format!("{:#}", load(&format!("--config {}", path.display()), environment).unwrap_err())
    };
    assert_eq!(
        refused("[keys]\nmaster_key_file = '/k'\nkms_command = ['/kms']\n", &environment[..1]),
        "PROVOST_MASTER_KEY and keys.master_key_file and keys.kms_command name a master key each: keep one of them"
    );
    assert_eq!(
        refused("[keys]\nprevious_kms_command = ['/kms']\n", &environment[1..]),
        "PROVOST_PREVIOUS_MASTER_KEY and keys.previous_kms_command name a master key each: keep one of them"
    );
    let error = refused("", &[("PROVOST_MASTER_KEY", "c2VjcmV0")]);
    assert_eq!(error, "PROVOST_MASTER_KEY: the master key must be 32 bytes in base64");
    let missing = "[keys]\nprevious_master_key_file = '/no/such/file'\n";
    let error = load_file(missing, "").unwrap().keys.open(Path::new("/nowhere")).unwrap_err();
    assert_eq!(error.to_string(), "keys.previous_master_key_file: /no/such/file is not there");
}
