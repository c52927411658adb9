//! `provost client-config --for PLATFORM`: the files that an MDM, or a script, puts on devices so that
//! their Codex clients are pointed here and their members cannot point them elsewhere.
//!
//! What is enforced stands in the system's `requirements.toml`, or on macOS in the preference domain
//! `com.openai.codex`: the client reads no `chatgpt_base_url` and no `[config_server]` of a member over
//! those. Nothing here is secret, but for the address of a device enrolment.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use provost_web::hash_secret;
use serde::Serialize;

use crate::client_config::{ClientConfig, Variable};

/// For which devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// Files below `/etc`.
    Linux,
    /// A configuration profile for an MDM.
    Macos,
    /// A PowerShell script that installs below `%ProgramData%`.
    Windows,
}

/// Which way leads here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Members sign in here as they would to ChatGPT; every client version.
    A,
    /// The client's own configuration server, with a sign-in; Codex 0.164 and newer.
    B,
    /// The configuration server without a sign-in: the address of a device enrolment, for machines that
    /// no member signs in at; Codex 0.164 and newer.
    Enrolment(String),
}

/// A file for devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceFile {
    /// What it is called where `--out` writes it, below the platform's name.
    pub name: &'static str,
    /// Where it belongs on the device, or how it gets there.
    pub destination: String,
    /// Its text.
    pub content: String,
}

/// The preference domain that the client reads on macOS.
const DOMAIN: &str = "com.openai.codex";
const LINUX_CA: &str = "/etc/codex/provost-ca.pem";
const WINDOWS_CA: &str = r"C:\ProgramData\OpenAI\Codex\provost-ca.pem";

impl Way {
    /// The way of an enrolment's address, which must be one of this server.
    ///
    /// # Errors
    /// It is not; without the address, which is a secret.
    pub fn enrolment(public_url: &str, address: &str) -> Result<Self> {
        let token =
            address.trim_end_matches('/').strip_prefix(public_url).and_then(|rest| rest.strip_prefix("/device/"));
        let is_token = |token: &str| {
            token.starts_with("de-") && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let token = token.filter(|token| is_token(token));
        let token =
            token.with_context(|| format!("--enrolment: the address is {public_url}/device/de-…, as it was shown"))?;
        ensure!(public_url.starts_with("https://"), "--enrolment: clients ask a config server over HTTPS only");
        Ok(Self::Enrolment(format!("{public_url}/device/{token}")))
    }
}

/// The files for one platform. `ca` is the text of the private CA's certificate, if there is one.
pub fn device_files(client: &ClientConfig, platform: Platform, way: &Way, ca: Option<&str>) -> Vec<DeviceFile> {
    let url = &client.public_url;
    let requirements = match way {
        // Members cannot override it, so that their client asks here for its policy.
        Way::A => format!("chatgpt_base_url = \"{url}/backend-api\"\n"),
        Way::B => client.mode_b.requirements_toml.clone(),
        Way::Enrolment(address) => format!("[config_server]\nbase_url = \"{address}\"\n"),
    };
    let defaults = if *way == Way::A { client.mode_a.config_toml.as_str() } else { "" };
    let environment = match way {
        Way::A => client.mode_a.environment.as_slice(),
        // The private CA, or nothing.
        Way::B | Way::Enrolment(_) => client.mode_b.environment.as_slice(),
    };
    match platform {
        Platform::Linux => linux(&requirements, defaults, environment, ca),
        Platform::Macos => macos(url, &requirements, defaults, environment, ca),
        Platform::Windows => vec![windows(&requirements, defaults, environment, ca)],
    }
}

fn linux(requirements: &str, defaults: &str, environment: &[Variable], ca: Option<&str>) -> Vec<DeviceFile> {
    let file = |name, destination: &str, content: &str| DeviceFile {
        name,
        destination: format!("{destination} (owner root, mode 0644)"),
        content: content.to_owned(),
    };
    let mut files = vec![file("requirements.toml", "/etc/codex/requirements.toml", requirements)];
    if !defaults.is_empty() {
        files.push(file("config.toml", "/etc/codex/config.toml", defaults));
    }
    if !environment.is_empty() {
        files.push(file("codex-provost.sh", "/etc/profile.d/codex-provost.sh", &exports(environment)));
        let mut lines = String::new();
        for Variable { name, value, .. } in environment {
            let _ = writeln!(lines, "{name}={value}");
        }
        files.push(file("codex-provost.conf", "/etc/environment.d/90-codex-provost.conf", &lines));
    }
    files.extend(ca.map(|ca| file("provost-ca.pem", LINUX_CA, ca)));
    files
}

/// For shells.
fn exports(environment: &[Variable]) -> String {
    let mut text = String::new();
    for Variable { name, value, why } in environment {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {why}\nexport {name}='{}'", value.replace('\'', r"'\''"));
    }
    text
}

fn macos(url: &str, requirements: &str, defaults: &str, environment: &[Variable], ca: Option<&str>) -> Vec<DeviceFile> {
    let mut keys = format!(
        "      <key>requirements_toml_base64</key>\n      <string>{}</string>\n",
        STANDARD.encode(requirements)
    );
    if !defaults.is_empty() {
        let _ =
            writeln!(keys, "      <key>config_toml_base64</key>\n      <string>{}</string>", STANDARD.encode(defaults));
    }
    let host = xml(url);
    let profile = format!(
        r#"{PLIST_HEAD}<dict>
  <key>PayloadType</key>
  <string>Configuration</string>
  <key>PayloadVersion</key>
  <integer>1</integer>
  <key>PayloadIdentifier</key>
  <string>dev.provost.codex</string>
  <key>PayloadUUID</key>
  <string>{}</string>
  <key>PayloadDisplayName</key>
  <string>Codex, governed by {host}</string>
  <key>PayloadScope</key>
  <string>System</string>
  <key>PayloadRemovalDisallowed</key>
  <true/>
  <key>PayloadContent</key>
  <array>
    <dict>
      <key>PayloadType</key>
      <string>{DOMAIN}</string>
      <key>PayloadVersion</key>
      <integer>1</integer>
      <key>PayloadIdentifier</key>
      <string>dev.provost.codex.preferences</string>
      <key>PayloadUUID</key>
      <string>{}</string>
      <key>PayloadDisplayName</key>
      <string>Codex</string>
{keys}    </dict>
  </array>
</dict>
</plist>
"#,
        uuid(url, "profile"),
        uuid(url, "preferences"),
    );
    let mut files = vec![DeviceFile {
        name: "codex-provost.mobileconfig",
        destination: "an MDM, for the whole device (not a user): it sets the preference domain com.openai.codex"
            .to_owned(),
        content: profile,
    }];
    if !environment.is_empty() {
        let mut commands = String::new();
        for Variable { name, value, .. } in environment {
            let _ = write!(commands, "launchctl setenv {name} '{}'; ", value.replace('\'', r"'\''"));
        }
        let agent = format!(
            r#"{PLIST_HEAD}<dict>
  <key>Label</key>
  <string>dev.provost.codex.environment</string>
  <key>ProgramArguments</key>
  <array>
    <string>/bin/sh</string>
    <string>-c</string>
    <string>{}</string>
  </array>
  <key>RunAtLoad</key>
  <true/>
</dict>
</plist>
"#,
            xml(commands.trim_end())
        );
        let destination = "/Library/LaunchAgents/dev.provost.codex.environment.plist (owner root:wheel, mode 0644)";
        files.push(DeviceFile {
            name: "dev.provost.codex.environment.plist",
            destination: destination.to_owned(),
            content: agent,
        });
    }
    files.extend(ca.map(|ca| DeviceFile {
        name: "provost-ca.pem",
        destination: format!("{LINUX_CA} (owner root:wheel, mode 0644)"),
        content: ca.to_owned(),
    }));
    files
}

const PLIST_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
    <plist version=\"1.0\">\n";

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same for the same server each time, so that a new profile replaces the one before (UUID version 8,
/// RFC 9562 §5.8).
fn uuid(url: &str, part: &str) -> String {
    let mut bytes = hash_secret(&format!("{DOMAIN} {part} {url}"));
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes[..16].iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn windows(requirements: &str, defaults: &str, environment: &[Variable], ca: Option<&str>) -> DeviceFile {
    let mut script = String::from(
        "# Points Codex on this device at Provost. Run it as an administrator, or let an MDM run it as SYSTEM.\n\
         #Requires -RunAsAdministrator\n\
         $ErrorActionPreference = 'Stop'\n\
         $folder = Join-Path $env:ProgramData 'OpenAI\\Codex'\n\
         New-Item -ItemType Directory -Force -Path $folder | Out-Null\n\
         # Members read it; administrators and SYSTEM change it.\n\
         & icacls.exe $folder /inheritance:r /grant:r '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-18:(OI)(CI)F' \
         '*S-1-5-32-545:(OI)(CI)RX' | Out-Null\n",
    );
    let files = [("requirements.toml", Some(requirements)), ("config.toml", Some(defaults)), ("provost-ca.pem", ca)];
    for (name, content) in files {
        let Some(content) = content.filter(|content| !content.is_empty()) else { continue };
        let encoded = STANDARD.encode(content);
        let _ = writeln!(
            script,
            "[IO.File]::WriteAllBytes((Join-Path $folder '{name}'), [Convert]::FromBase64String('{encoded}'))"
        );
    }
    for Variable { name, value, why } in environment {
        let value = if value == LINUX_CA { WINDOWS_CA } else { value };
        let value = value.replace('\'', "''");
        let _ = writeln!(script, "# {why}\n[Environment]::SetEnvironmentVariable('{name}', '{value}', 'Machine')");
    }
    DeviceFile {
        name: "codex-provost.ps1",
        destination: r"run as an administrator; it writes %ProgramData%\OpenAI\Codex\requirements.toml".to_owned(),
        content: script.replace('\n', "\r\n"),
    }
}

/// Writes the files of platforms to `out/PLATFORM/NAME`, readable by their owner only: the address of an
/// enrolment is a secret. Which files, each with where it belongs.
///
/// # Errors
/// A file cannot be written.
pub fn write(out: &Path, files: &[(Platform, Vec<DeviceFile>)]) -> Result<Vec<(PathBuf, String)>> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt;
    let mut written = Vec::new();
    for (platform, files) in files {
        let folder = out.join(platform.name());
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for file in files {
            let path = folder.join(file.name);
            let mut options = std::fs::OpenOptions::new();
            let opened = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
            let done = opened.and_then(|mut opened| opened.write_all(file.content.as_bytes()));
            done.with_context(|| path.display().to_string())?;
            written.push((path, file.destination.clone()));
        }
    }
    Ok(written)
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 3] = [Self::Linux, Self::Macos, Self::Windows];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Windows => "windows",
        }
    }
}

/// The files as text, each under a line that says where it belongs.
pub fn text(files: &[(Platform, Vec<DeviceFile>)]) -> String {
    let mut text = String::new();
    for (platform, files) in files {
        for file in files {
            let DeviceFile { name, destination, content } = file;
            let _ =
                writeln!(text, "# ---- {}/{name}\n# ---- to: {destination}\n{}\n", platform.name(), content.trim_end());
        }
    }
    text
}
