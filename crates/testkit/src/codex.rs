//! The real Codex CLI, driven from a test.
//!
//! ```ignore
//! let laptop = Device::new(&Codex::new(Version::V0_169), &server_url, &ca_certificate);
//! let login = laptop.login_device();
//! approve(&login.user_code().await).await;
//! assert_eq!(login.finish().await.code, Some(0));
//! let turn = laptop.exec("say hi", &["-m", "gpt-test"]).await;
//! assert!(turn.stdout.contains("hello"), "{turn}");
//! ```
//!
//! The CLI is the one of the npm registry, started through its own launcher, so a test sees what a
//! developer sees. A missing installation fails the test; it never skips it.
//!
//! # What a test can rely on
//! Observed on Debian 12, as root in a virtual machine and with the features that [`Device`] switches off:
//! * `codex exec` with one turn takes 0.3 to 0.7 s, with one tool call 0.1 s more; a device login
//!   takes as long as the polling interval, and an `app-server` is ready in 0.3 to 0.6 s.
//! * The Linux sandbox works, also as root, through the bubblewrap that the npm package carries (a
//!   warning on stderr says so when `bwrap` is not on `PATH`). It needs mount and user namespaces from the
//!   kernel. In `read-only` a command really cannot write anywhere, `/tmp` and `$HOME` included
//!   ("Read-only file system"), nor reach the network, loopback included. In `workspace-write` the
//!   working directory, `/tmp` and `$TMPDIR` are writable; **other directories below `/tmp` are too**, so do not
//!   put a file that must stay untouched there. In `danger-full-access` nothing is held back.
//! * The shell tool is `exec_command` with argument `cmd` in both versions, as long as the server
//!   lists the model with `shell_type` `shell_command` (see [`Reply::shell`](crate::upstream::Reply::shell)).
//!   With the built-in catalogue 0.169.0 offers one JavaScript tool `exec` instead: name a listed model with `-m`.
//! * A command that fails, or that policy rejects, does not fail `codex exec`, and one that ends with a
//!   code other than 0 is not even shown on stderr: look at what the model was told
//!   ([`Recorded::tool_output`](crate::upstream::Recorded::tool_output)) and at the file system.
//! * `codex exec` of 0.169.0 always starts with approval policy `never`, and when that meets a policy
//!   without `danger-full-access`, it refuses to start such a request (exit 1, "…cannot be used because
//!   requirements do not allow `sandbox_mode = "danger-full-access"`…"). To see the request *held to
//!   read-only* the policy must also name `allowed_approval_policies = ["on-request"]`. 0.130.0 holds it
//!   either way, and 0.169.0 so holds a `workspace-write` request.
//! * 0.130.0 knows no `at-…` access token ("invalid agent identity JWT format"), no
//!   `CODEX_APP_SERVER_LOGIN_ISSUER` (its browser sign-in goes to the vendor) and no `--print-startup-config`.

mod app_server;
mod device;
mod login;
mod process;

use std::fmt;
use std::path::{Path, PathBuf};

pub use app_server::{AppServer, BrowserLogin};
pub use device::Device;
pub use login::DeviceLogin;
pub use process::{Output, Running};

/// The versions that `clients/package.json` pins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 0.169.0: policy as a bundle, workspace routing, the exact text of a refusal with status 403.
    V0_169,
    /// 0.130.0: policy as `config/requirements`, plain refusals; stands for fleets that update slowly.
    V0_130,
}

impl Version {
    /// Both, newest first, for tests that must hold on each.
    pub const ALL: [Self; 2] = [Self::V0_169, Self::V0_130];
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V0_169 => "0.169.0",
            Self::V0_130 => "0.130.0",
        })
    }
}

/// An installed CLI of one version.
#[derive(Debug, Clone)]
pub struct Codex {
    version: Version,
    launcher: PathBuf,
}

impl Codex {
    /// Finds the CLI below `clients/node_modules`.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn new(version: Version) -> Self {
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients");
        let launcher = clients.join(format!("node_modules/codex-{version}/bin/codex.js"));
        assert!(launcher.exists(), "Codex CLI {version} is not installed: run `make clients`");
        Self { version, launcher: launcher.canonicalize().expect("a file that exists has a canonical path") }
    }

    /// Which version this is.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn launcher(&self) -> &Path {
        &self.launcher
    }
}
