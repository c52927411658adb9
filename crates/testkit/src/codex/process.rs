//! A running CLI: its output as it appears, its end, and that nothing of it stays behind.

use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a command may take unless a test says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command printed, without colours, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output: of `exec`, the last message of the model.
    pub stdout: String,
    /// Standard error: of `exec`, the banner, warnings, tool calls and `ERROR: …` lines.
    pub stderr: String,
}

impl Output {
    /// Whether it ended with code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The value of a line of the banner that `exec` prints first, e.g. `banner("sandbox")` → `read-only`.
    #[must_use]
    pub fn banner(&self, key: &str) -> Option<&str> {
        self.stderr.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    }

    /// The text after the last `ERROR: ` at the start of a line: what `exec` tells the developer when a turn fails.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.stderr.lines().rev().find_map(|line| line.strip_prefix("ERROR: "))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n-- stdout\n{}\n-- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A command that runs. Dropping it kills it, with everything it started.
pub struct Running {
    child: Child,
    group: Group,
    stdout: Capture,
    stderr: Capture,
}

impl Running {
    /// Starts `command` in a process group of its own, with both outputs captured.
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node is installed (`make clients` checks it)");
        let group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let stdout = Capture::of(child.stdout.take().expect("stdout is piped"));
        let stderr = Capture::of(child.stderr.take().expect("stderr is piped"));
        Self { child, group, stdout, stderr }
    }

    pub(super) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until the standard output so far satisfies `found`, and returns what it found.
    ///
    /// # Panics
    /// When the output ends, or a minute passes, without it.
    pub async fn wait_for_stdout<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        self.stdout.find(what, found, &self.stderr).await
    }

    /// The same for the standard error.
    ///
    /// # Panics
    /// When the output ends, or a minute passes, without it.
    pub async fn wait_for_stderr<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        self.stderr.find(what, found, &self.stdout).await
    }

    /// Waits for the end, at most a minute.
    ///
    /// # Panics
    /// When it takes longer.
    pub async fn finish(self) -> Output {
        self.finish_within(PATIENCE).await
    }

    /// Waits for the end, at most `patience`.
    ///
    /// # Panics
    /// When it takes longer: the command and all that it started is killed, and the panic shows what it had printed.
    pub async fn finish_within(mut self, patience: Duration) -> Output {
        let status = tokio::time::timeout(patience, self.child.wait()).await;
        self.group.kill();
        let output = self.output(status.as_ref().ok().and_then(|status| status.as_ref().ok())).await;
        assert!(status.is_ok(), "the command did not end within {patience:?}: {output}");
        output
    }

    /// Kills it at once, as a developer's Ctrl-C twice or a closed lid would.
    pub async fn kill(mut self) -> Output {
        self.group.kill();
        let status = self.child.wait().await.ok();
        self.output(status.as_ref()).await
    }

    async fn output(&mut self, status: Option<&ExitStatus>) -> Output {
        Output {
            code: status.and_then(ExitStatus::code),
            stdout: self.stdout.all().await,
            stderr: self.stderr.all().await,
        }
    }
}

/// The launcher is a Node script that starts the native binary, which starts shells: only the group reaches all.
struct Group(Option<Pid>);

impl Group {
    fn kill(&self) {
        if let Some(group) = self.0 {
            // It fails when nobody is left, which is what we want.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One output stream, readable while it grows.
struct Capture {
    bytes: watch::Receiver<Vec<u8>>,
    reader: JoinHandle<()>,
}

impl Capture {
    fn of(mut stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, bytes) = watch::channel(Vec::new());
        let reader = tokio::spawn(async move {
            let mut chunk = vec![0; 16 * 1024];
            while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                sender.send_modify(|bytes| bytes.extend_from_slice(&chunk[..length]));
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        without_ansi(&String::from_utf8_lossy(&self.bytes.borrow()))
    }

    /// Everything, once the stream has ended; a grandchild that holds it open is not waited for.
    async fn all(&mut self) -> String {
        let _ = tokio::time::timeout(Duration::from_secs(1), &mut self.reader).await;
        self.text()
    }

    async fn find<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>, other: &Self) -> T {
        let mut bytes = self.bytes.clone();
        let search = async {
            loop {
                bytes.borrow_and_update();
                if let Some(hit) = found(&self.text()) {
                    return Some(hit);
                }
                if bytes.changed().await.is_err() {
                    return found(&self.text());
                }
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(Some(hit)) => hit,
            _ => panic!("the command never printed {what}:\n{}\n{}", self.text(), other.text()),
        }
    }
}

/// Drops `ESC [ … letter` sequences: the CLI colours its login page even when nobody looks.
fn without_ansi(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\u{1b}' {
            plain.push(char);
        } else if chars.next() == Some('[') {
            chars.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    plain
}
