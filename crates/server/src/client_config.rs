//! `provost client-config`: the files and variables that point a fleet of Codex clients here.
//!
//! Which keys and variables the real client reads, and since which version, was found by running
//! it; two ways lead here, and a fleet takes one of them.

use std::fmt::Write;
use std::path::Path;

use provost_identity::CODEX_CLIENT_ID;
use serde::Serialize;

/// What the devices of a fleet need, as data (`--json`). [`ClientConfig::text`] is the same for
/// people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientConfig {
    /// The address of this server.
    pub public_url: String,
    /// The certificate of the private CA, on this machine; absent when the server's certificate is
    /// one that every client trusts already.
    pub ca_certificate: Option<String>,
    /// Mode A, for every client version: members sign in here as they would to ChatGPT.
    pub mode_a: ModeA,
    /// Mode B, for Codex 0.164 and newer: the client's own configuration server.
    pub mode_b: ModeB,
}

/// The parts of mode A.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModeA {
    /// Text of `/etc/codex/config.toml` (the machine) or `~/.codex/config.toml` (one member).
    pub config_toml: String,
    /// Environment of every process that runs Codex, the IDE included.
    pub environment: Vec<Variable>,
    /// Signs a member in from a shell; the app and the IDE use the environment instead.
    pub sign_in: String,
}

/// The parts of mode B.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModeB {
    /// Text of `/etc/codex/requirements.toml`, which members cannot change.
    pub requirements_toml: String,
    /// Environment of every process that runs Codex; empty without a private CA.
    pub environment: Vec<Variable>,
    /// Signs a member in from a shell.
    pub sign_in: String,
}

/// One environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value, which needs no quotes in a shell unless the CA's path does.
    pub value: String,
    /// What breaks without it.
    pub why: &'static str,
}

/// Where a device keeps the private CA's certificate, in the lines that are to be copied.
const CA_ON_DEVICE: &str = "/etc/codex/provost-ca.pem";

impl ClientConfig {
    /// For the server at `public_url` (an origin without a slash at its end). `ca` is the
    /// certificate of its private CA, if it uses one.
    pub fn new(public_url: &str, ca: Option<&Path>) -> Self {
        let url = public_url.trim_end_matches('/');
        let variable = |name, value, why| Variable { name, value, why };
        let trust = ca.map(|_| {
            let why = "trusts this server's private CA";
            variable("CODEX_CA_CERTIFICATE", CA_ON_DEVICE.to_owned(), why)
        });
        let mut environment: Vec<_> = trust.clone().into_iter().collect();
        environment.extend([
            variable(
                "CODEX_APP_SERVER_LOGIN_ISSUER",
                url.to_owned(),
                "browser sign-in in the terminal UI, the app and the IDE",
            ),
            variable(
                "CODEX_REFRESH_TOKEN_URL_OVERRIDE",
                format!("{url}/oauth/token"),
                "refresh of Codex before 0.164, and of a hand-written auth.json",
            ),
            variable(
                "CODEX_REVOKE_TOKEN_URL_OVERRIDE",
                format!("{url}/oauth/revoke"),
                "without it, signing out sends the refresh token to auth.openai.com",
            ),
            variable("CODEX_AUTHAPI_BASE_URL", format!("{url}/api/accounts"), "sign-in with an access token (at-…)"),
        ]);
        let oauth = format!(
            "authorization_url = \"{url}/oauth/authorize\"\n\
             token_url = \"{url}/oauth/token\"\n\
             client_id = \"{CODEX_CLIENT_ID}\"\n\
             scopes = [\"openid\", \"offline_access\"]\n"
        );
        Self {
            public_url: url.to_owned(),
            ca_certificate: ca.map(|path| path.display().to_string()),
            mode_a: ModeA {
                config_toml: format!(
                    "chatgpt_base_url = \"{url}/backend-api\"\n\
                     openai_base_url = \"{url}/backend-api/codex\"\n"
                ),
                environment,
                sign_in: format!("codex login --device-auth --experimental_issuer {url}"),
            },
            mode_b: ModeB {
                // The client asks `{base_url}/codex/config/bundle`, which is at the root here, with
                // a bearer token only if `oauth` is set; this server answers nobody without one.
                // Models come from here too, by a provider with the same sign-in: where both are in the
                // keyring and spelled alike, the client asks its member once.
                requirements_toml: format!(
                    "model_provider = \"provost\"\n\
                     \n\
                     [config_server]\n\
                     base_url = \"{url}\"\n\
                     \n\
                     [config_server.oauth]\n\
                     {oauth}\
                     \n\
                     [model_providers.provost]\n\
                     name = \"Provost\"\n\
                     base_url = \"{url}/v1\"\n\
                     wire_api = \"responses\"\n\
                     \n\
                     [model_providers.provost.gateway_oauth]\n\
                     {oauth}\
                     credentials_store = \"keyring\"\n"
                ),
                environment: trust.into_iter().collect(),
                sign_in: "codex login".to_owned(),
            },
        }
    }

    /// The same for people: sections to copy from, the whole a valid shell-style comment file.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |text: &str| {
            out.push_str(text);
            out.push('\n');
        };
        line(&format!("# Codex clients -> {}", self.public_url));
        line("# Take mode A or mode B. Lines without # are to be copied.");
        if let Some(ca) = &self.ca_certificate {
            line("");
            line("# ---- The private CA (both modes) ----");
            line(&format!("# Copy this file:       {ca}"));
            line(&format!("# to every device as:   {CA_ON_DEVICE}"));
        }
        line("");
        line("# ======== Mode A: every Codex version, app and IDE included ========");
        line("");
        line("# ---- /etc/codex/config.toml (the machine) or ~/.codex/config.toml (one member) ----");
        line(self.mode_a.config_toml.trim_end());
        line("");
        line("# ---- environment of every process that runs Codex ----");
        line(&shell(&self.mode_a.environment));
        line("# ---- sign in from a shell ----");
        line(&self.mode_a.sign_in);
        line("");
        line("# ======== Mode B: Codex 0.164 and newer, on machines with a keyring ========");
        line("# (without one, as in containers and on headless machines, the client cannot keep");
        line("# this sign-in: use mode A there)");
        line("");
        line("# ---- /etc/codex/requirements.toml ----");
        line(self.mode_b.requirements_toml.trim_end());
        line("");
        if !self.mode_b.environment.is_empty() {
            line("# ---- environment of every process that runs Codex ----");
            line(&shell(&self.mode_b.environment));
        }
        line("# ---- sign in from a shell ----");
        line(&self.mode_b.sign_in);
        out
    }
}

/// The text of `provost client-config` for the server at `public_url`; see [`ClientConfig::new`].
pub fn render(public_url: &str, ca: Option<&Path>) -> String {
    ClientConfig::new(public_url, ca).text()
}

fn shell(environment: &[Variable]) -> String {
    let mut out = String::new();
    for Variable { name, value, why } in environment {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# {why}\n{name}={value}");
    }
    out
}
