//! The files that put clients of a fleet here.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use provost_server::client_config::ClientConfig;
use provost_server::device_files::{DeviceFile, Platform, Way, device_files, write};
use serde_json::Value;

const URL: &str = "https://codex.corp:8443";
const CA: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const ADDRESS: &str = "https://codex.corp:8443/device/de-0000000000";

fn ways() -> [Way; 3] {
    [Way::A, Way::B, Way::enrolment(URL, ADDRESS).unwrap()]
}

fn files(platform: Platform, way: &Way) -> Vec<DeviceFile> {
    device_files(&ClientConfig::new(URL, Some(Path::new("data/tls/ca.pem"))), platform, way, Some(CA))
}

fn named<'a>(files: &'a [DeviceFile], name: &str) -> &'a str {
    &files.iter().find(|file| file.name == name).unwrap_or_else(|| panic!("{name}")).content
}

/// A property list, as Apple's own format is read by a reader that is not ours.
fn plist(text: &str) -> Value {
    let script = "import json, plistlib, sys; print(json.dumps(plistlib.load(sys.stdin.buffer, fmt=plistlib.FMT_XML)))";
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn each_platform_is_told_the_same() {
    for way in ways() {
        let linux = files(Platform::Linux, &way);
        let requirements = named(&linux, "requirements.toml");
        let parsed: toml::Table = requirements.parse().unwrap();
        match &way {
            Way::A => assert_eq!(parsed["chatgpt_base_url"].as_str(), Some("https://codex.corp:8443/backend-api")),
            Way::B => assert!(parsed["config_server"]["oauth"].is_table()),
            Way::Enrolment(_) => {
                assert_eq!(parsed["config_server"]["base_url"].as_str(), Some(ADDRESS));
                assert_eq!(parsed["config_server"].as_table().unwrap().len(), 1, "no sign-in");
            }
        }
        assert_eq!(named(&linux, "provost-ca.pem"), CA);

        let macos = files(Platform::Macos, &way);
        let profile = plist(named(&macos, "codex-provost.mobileconfig"));
        assert_eq!((&profile["PayloadType"], &profile["PayloadScope"]), (&"Configuration".into(), &"System".into()));
        let payload = &profile["PayloadContent"][0];
        assert_eq!(payload["PayloadType"], "com.openai.codex");
        let decoded =
            |key: &str| payload[key].as_str().map(|text| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap());
        assert_eq!(decoded("requirements_toml_base64").as_deref(), Some(requirements));
        assert_eq!(decoded("config_toml_base64").is_some(), way == Way::A);
        assert_ne!(profile["PayloadUUID"], payload["PayloadUUID"]);
        assert_eq!(profile["PayloadUUID"].as_str().unwrap().len(), 36);
        assert_eq!(files(Platform::Macos, &way), macos, "made again it replaces itself");
        let agent = plist(named(&macos, "dev.provost.codex.environment.plist"));
        let commands = agent["ProgramArguments"][2].as_str().unwrap();
        assert!(commands.contains("launchctl setenv CODEX_CA_CERTIFICATE '/etc/codex/provost-ca.pem';"), "{commands}");

        let windows = files(Platform::Windows, &way);
        let script = named(&windows, "codex-provost.ps1");
        let written: Vec<_> = script.lines().filter_map(|line| line.split_once("FromBase64String('")).collect();
        let content = |at: usize| STANDARD.decode(written[at].1.split('\'').next().unwrap()).unwrap();
        assert!(written[0].0.contains("'requirements.toml'"), "{script}");
        assert_eq!(content(0), requirements.as_bytes());
        assert_eq!(content(written.len() - 1), CA.as_bytes());
        assert!(script.contains(r"'CODEX_CA_CERTIFICATE', 'C:\ProgramData\OpenAI\Codex\provost-ca.pem', 'Machine'"));
    }
}

#[test]
fn an_address_of_something_else_is_refused_and_not_repeated() {
    for wrong in [
        "https://codex.corp:8443",
        "https://codex.corp:8443/device/",
        "https://codex.corp:8443/device/pk-secret",
        "https://evil.example/device/de-secret",
        "https://codex.corp:8443.evil.example/device/de-secret",
        "https://codex.corp:8443/device/de-secret/../x",
        "https://codex.corp:8443/device/de-secret\"\nmodel = \"x",
        "https://codex.corp:8443/device/de-secret?x=1",
        "http://codex.corp:8443/device/de-secret",
    ] {
        let error = format!("{:#}", Way::enrolment(URL, wrong).unwrap_err());
        assert!(!error.contains("secret"), "{error}");
    }
    assert!(Way::enrolment("http://codex.corp", "http://codex.corp/device/de-1").is_err(), "clients refuse plain HTTP");
}

#[test]
fn the_files_are_written_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<_> = Platform::ALL.map(|platform| (platform, files(platform, &ways()[2]))).into();
    let written = write(folder.path(), &all).unwrap();
    assert_eq!(written.len(), all.iter().map(|(_, files)| files.len()).sum::<usize>());
    for (path, destination) in written {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        assert!(!destination.is_empty());
    }
    assert!(folder.path().join("linux/requirements.toml").exists());
}
