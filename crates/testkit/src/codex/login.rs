//! Signing in and out from the shell.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::{Device, Output, Running};

impl Device {
    /// Starts `codex login --device-auth` against the server.
    #[must_use]
    pub fn login_device(&self) -> DeviceLogin {
        DeviceLogin(self.start(&["login", "--device-auth", "--experimental_issuer", self.url()]))
    }

    /// Signs in with an `at-…` token on the standard input (not known to 0.130.0).
    pub async fn login_access_token(&self, token: &str) -> Output {
        let mut command = self.command();
        command.args(["login", "--with-access-token"]).stdin(Stdio::piped());
        let mut login = Running::start(command);
        if let Some(mut stdin) = login.take_stdin() {
            // A command that ends without reading has its say in the output.
            let _ = stdin.write_all(format!("{token}\n").as_bytes()).await;
        }
        login.finish().await
    }

    /// `codex logout`.
    pub async fn logout(&self) -> Output {
        self.run(&["logout"]).await
    }
}

/// A device login that waits for its member.
pub struct DeviceLogin(Running);

impl DeviceLogin {
    /// The code the developer would type into the browser, as soon as it is printed.
    ///
    /// # Panics
    /// When the CLI ends without printing one, as it does when device login is switched off: then only `finish`.
    pub async fn user_code(&self) -> String {
        self.0.wait_for_stdout("a one-time code", |text| printed_code(text).map(str::to_owned)).await
    }

    /// Waits until the CLI has its tokens or gives up.
    pub async fn finish(self) -> Output {
        self.0.finish().await
    }
}

/// "2. Enter this one-time code (expires in 15 minutes)", and the code alone on the next line, in both versions.
fn printed_code(text: &str) -> Option<&str> {
    let after = text.split_once("one-time code")?.1.split_once('\n')?.1;
    Some(after.split_once('\n')?.0.trim())
}
