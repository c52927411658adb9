//! What can be set. One struct is the flags, the file and the environment at once, so that a
//! setting is written down, named and explained in one place.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use provost_web::limits::Limits;
use serde::Deserialize;

use super::{DatabaseUrl, Keys, Network, PublicUrl};

/// The flags of `provost serve`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServeArgs {
    /// Read settings from this TOML file; flags and PROVOST_* variables win over it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Everything else.
    #[command(flatten)]
    pub settings: Settings,
}

/// One layer of the configuration; what it does not say is `None`.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Keep everything in this directory [default: data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Serve clients here [default: 127.0.0.1:8443].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Serve plain HTTP here, for a browser on this machine [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR|none")]
    pub http_listen: Option<HttpListen>,
    /// The address that clients use [default: made from --listen].
    #[arg(long, value_name = "URL")]
    pub public_url: Option<PublicUrl>,
    /// postgres://… or sqlite:FILE [default: provost.db in the data directory].
    #[arg(long, value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,
    /// Serve with a certificate from a private CA in the data directory [values: self-signed].
    #[arg(long, value_name = "self-signed")]
    pub tls: Option<TlsMode>,
    /// Serve with this certificate chain (PEM); wants --tls-key.
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert (PEM).
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Speak plain HTTP on --listen, because a proxy in front does TLS.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub behind_proxy: Option<bool>,
    /// How log lines look: text, json [default: text].
    #[arg(long, value_name = "text|json")]
    pub log_format: Option<LogFormat>,
    /// The `[limits]` section; not a flag.
    #[arg(skip)]
    pub limits: Option<Limits>,
    /// The `[network]` section; not a flag.
    #[arg(skip)]
    pub network: Option<Network>,
    /// The `[keys]` section; not a flag.
    #[arg(skip)]
    pub keys: Option<Keys>,
}

impl Settings {
    /// This layer over a weaker one.
    pub(super) fn or(self, weaker: Self) -> Self {
        Self {
            data: self.data.or(weaker.data),
            listen: self.listen.or(weaker.listen),
            http_listen: self.http_listen.or(weaker.http_listen),
            public_url: self.public_url.or(weaker.public_url),
            database_url: self.database_url.or(weaker.database_url),
            tls: self.tls.or(weaker.tls),
            tls_cert: self.tls_cert.or(weaker.tls_cert),
            tls_key: self.tls_key.or(weaker.tls_key),
            behind_proxy: self.behind_proxy.or(weaker.behind_proxy),
            log_format: self.log_format.or(weaker.log_format),
            limits: self.limits.or(weaker.limits),
            network: self.network.or(weaker.network),
            keys: self.keys.or(weaker.keys),
        }
    }
}

/// What to write for a key, for the second line of an error about it.
pub(super) fn way_out(key: &str) -> &'static str {
    match key {
        "listen" => r#"write an IP address and a port, such as "127.0.0.1:8443""#,
        "http_listen" => r#"write an IP address and a port, such as "127.0.0.1:8080", or "none""#,
        "public_url" => r#"write what clients reach, such as "https://codex.example.com""#,
        "database_url" => r#"write "postgres://USER:PASSWORD@HOST/DATABASE" or "sqlite:FILE""#,
        "tls" => r#"write "self-signed", or name your own files with tls_cert and tls_key"#,
        "behind_proxy" | "allow_private_upstreams" => "write true or false",
        "log_format" => r#"write "text" or "json""#,
        "data" | "tls_cert" | "tls_key" | "master_key_file" | "previous_master_key_file" => "write a path",
        "kms_command" | "previous_kms_command" => {
            r#"write a program and its arguments, such as ["/opt/kms", "--key", "provost"]"#
        }
        "trusted_proxies" => r#"write networks, such as ["127.0.0.1/32", "10.0.0.0/8"]"#,
        key if key.ends_with("_bytes") => "write a number of bytes",
        key if key.ends_with("_seconds") => "write a number of seconds",
        "connections" | "sign_in_attempts_per_minute" => "write a number",
        _ => "remove it, or use one of the keys above",
    }
}

/// `--http-listen`: an address, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum HttpListen {
    /// No plain HTTP at all.
    Off,
    /// Plain HTTP on this address.
    On(SocketAddr),
}

/// `--tls`: the one kind of TLS that needs no files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TlsMode {
    /// A certificate from the private CA in the data directory.
    SelfSigned,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    /// One line a person reads.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A word that is none of the allowed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    expected: &'static str,
}

impl Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for UnknownWord {}

impl FromStr for HttpListen {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let expected = "an IP address and a port, or none";
        match text {
            "none" => Ok(Self::Off),
            address => address.parse().map(Self::On).map_err(|_| UnknownWord { expected }),
        }
    }
}

impl FromStr for TlsMode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "self-signed" => Ok(Self::SelfSigned),
            _ => Err(UnknownWord { expected: "self-signed" }),
        }
    }
}

impl FromStr for LogFormat {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownWord { expected: "text or json" }),
        }
    }
}

impl TryFrom<String> for HttpListen {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, UnknownWord> {
        text.parse()
    }
}

impl TryFrom<String> for TlsMode {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, UnknownWord> {
        text.parse()
    }
}

impl TryFrom<String> for LogFormat {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, UnknownWord> {
        text.parse()
    }
}
