//! A developer's machine: a home directory, a Codex configuration, a project, and nothing else of this computer.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Codex, Output, Running};

/// Keys after which a test's own configuration may follow. `chatgpt_base_url` and `openai_base_url`
/// point everything at the server; the rest keeps the start short and the machine's network out of it.
const CONFIG: &str = r#"cli_auth_credentials_store = "file"
check_for_update_on_startup = false
"#;

/// Off, because each would call a vendor's host or ask the server for things that no test looks at.
const QUIET: &str = r#"
[analytics]
enabled = false

[features]
apps = false
plugins = false
"#;

/// One machine with one Codex CLI, pointed at one server. All of it lives in a temporary directory
/// that is removed on drop.
pub struct Device {
    codex: Codex,
    url: String,
    root: TempDir,
    environment: Vec<(String, String)>,
    private_etc: bool,
}

impl Device {
    /// A fresh machine whose project is a plain directory.
    ///
    /// `url` is the server's origin without a trailing slash (HTTPS: 0.169.0 refuses plain HTTP for
    /// model traffic), `ca_certificate` the PEM file of the authority that signed its certificate.
    #[must_use]
    pub fn new(codex: &Codex, url: &str, ca_certificate: &Path) -> Self {
        let root = tempfile::Builder::new().prefix("device-").tempdir().expect("a temporary directory");
        let device =
            Self { codex: codex.clone(), url: url.to_owned(), root, environment: Vec::new(), private_etc: false };
        for directory in ["home", "codex", "tmp", "project"] {
            std::fs::create_dir(device.path(directory)).expect("a directory in an empty one");
        }
        let ca = ca_certificate.display().to_string();
        let device = device
            .env("CODEX_CA_CERTIFICATE", &ca)
            .env("CODEX_APP_SERVER_LOGIN_ISSUER", url)
            .env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", &format!("{url}/oauth/token"))
            .env("CODEX_REVOKE_TOKEN_URL_OVERRIDE", &format!("{url}/oauth/revoke"))
            .env("CODEX_AUTHAPI_BASE_URL", &format!("{url}/api/accounts"))
            // Whatever still wants to leave this machine meets a closed port (9, "discard") at once.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "localhost,127.0.0.1,::1");
        device.configure("");
        device
    }

    /// Adds to, or replaces in, the environment of every later command.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the project a git repository with one commit.
    #[must_use]
    pub fn with_git(self) -> Self {
        let git = |arguments: &[&str]| {
            let done = std::process::Command::new("git")
                .args(["-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "init.defaultBranch=main"])
                .args(arguments)
                .current_dir(self.project())
                .env("HOME", self.path("home"))
                .output()
                .expect("git is installed");
            assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        git(&["init", "--quiet"]);
        git(&["commit", "--quiet", "--allow-empty", "--message", "Begin"]);
        self
    }

    /// Gives the machine an `/etc` of its own: a copy of the real one with `files` added (path below
    /// `/etc`, content), e.g. `("codex/requirements.toml", "…")`. Only processes of this device see it,
    /// through a private mount namespace; without root this needs a kernel with unprivileged user namespaces.
    #[must_use]
    pub fn with_private_etc(mut self, files: &[(&str, &str)]) -> Self {
        let etc = self.path("etc");
        // Unreadable files (when not root) are not needed, so the exit code says nothing.
        let copied = std::process::Command::new("cp").arg("-a").arg("/etc").arg(&etc).output();
        assert!(copied.is_ok() && etc.is_dir(), "a copy of /etc");
        for (path, content) in files {
            let path = etc.join(path);
            std::fs::create_dir_all(path.parent().expect("below etc")).expect("a directory in our copy of /etc");
            std::fs::write(path, content).expect("a file in our copy of /etc");
        }
        self.private_etc = true;
        self
    }

    /// Rewrites `config.toml` with `extra` in it: top-level keys first, then tables, but not the
    /// tables `analytics` and `features`, which are taken (use `-c features.NAME=true` for those).
    pub fn configure(&self, extra: &str) {
        let url = &self.url;
        let config = format!(
            "chatgpt_base_url = \"{url}/backend-api\"\nopenai_base_url = \"{url}/backend-api/codex\"\n{CONFIG}{extra}\n{QUIET}"
        );
        std::fs::write(self.codex_home().join("config.toml"), config).expect("a file of our own directory");
    }

    /// The project directory, where every command runs.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// `CODEX_HOME`: credentials, caches, sessions.
    #[must_use]
    pub fn codex_home(&self) -> PathBuf {
        self.path("codex")
    }

    /// The stored credentials, or `None` when nobody is signed in.
    #[must_use]
    pub fn auth(&self) -> Option<Value> {
        let text = std::fs::read(self.codex_home().join("auth.json")).ok()?;
        Some(serde_json::from_slice(&text).expect("the CLI writes JSON"))
    }

    /// Forgets the fetched policy and model list, so that the next command asks the server, as it
    /// would after an hour (client-side cache, both versions).
    pub fn clear_policy_cache(&self) {
        for file in ["cloud-config-bundle-cache.json", "cloud-requirements-cache.json", "models_cache.json"] {
            let _ = std::fs::remove_file(self.codex_home().join(file));
        }
    }

    /// Runs one turn: `codex exec ARGUMENTS PROMPT`.
    pub async fn exec(&self, prompt: &str, arguments: &[&str]) -> Output {
        self.start_exec(prompt, arguments).finish().await
    }

    /// Starts one turn without waiting for its end.
    #[must_use]
    pub fn start_exec(&self, prompt: &str, arguments: &[&str]) -> Running {
        self.start(&[&["exec", "--skip-git-repo-check"], arguments, &[prompt]].concat())
    }

    /// Runs any command: `codex ARGUMENTS`.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.start(arguments).finish().await
    }

    /// Starts any command, with an empty standard input.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        Running::start(command)
    }

    /// The policy that 0.169.0 would start under, as JSON, or the error that would stop it
    /// (`codex app-server --print-startup-config`).
    pub async fn print_startup_config(&self) -> Output {
        self.run(&["app-server", "--print-startup-config"]).await
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The launcher in this machine's environment; arguments and standard input are the caller's.
    pub(super) fn command(&self) -> Command {
        let mut command = if self.private_etc {
            let mut unshare = Command::new("unshare");
            unshare.arg("--mount");
            if !rustix::process::geteuid().is_root() {
                unshare.arg("--map-root-user");
            }
            unshare.args(["sh", "-c", r#"mount --bind "$0" /etc && exec "$@""#]);
            unshare.arg(self.path("etc")).arg(self.codex.launcher());
            unshare
        } else {
            Command::new(self.codex.launcher())
        };
        command
            .current_dir(self.project())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("HOME", self.path("home"))
            .env("CODEX_HOME", self.codex_home())
            .env("TMPDIR", self.path("tmp"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}
