//! A master key that is not on this machine: a command of the operator's wraps and unwraps with it.
//!
//! The command is run with `wrap` or `unwrap` as its last argument. It reads one value in base64 from
//! standard input, writes one value in base64 to standard output, and exits with 0.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::wrong;
use crate::Result;

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much it may write: what services answer for a key of 40 bytes is a few hundred.
const MAX_BYTES: u64 = 16 * 1024;

/// The command, and how long it may take.
#[derive(Debug, Clone)]
pub struct KmsCommand {
    argv: Arc<[String]>,
    patience: Duration,
}

impl KmsCommand {
    /// From a program and its arguments.
    ///
    /// # Errors
    /// There is no program.
    pub fn new(argv: &[String]) -> Result<Self> {
        if argv.first().is_none_or(String::is_empty) {
            return Err(wrong("the KMS command is a program and its arguments: it names no program"));
        }
        Ok(Self { argv: argv.into(), patience: PATIENCE })
    }

    /// With another patience than ten seconds.
    #[must_use]
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Runs it: `wrap` or `unwrap`.
    pub(super) async fn run(&self, verb: &str, value: &[u8]) -> Result<Vec<u8>> {
        let failed = |why: String| wrong(format!("the KMS command `{} {verb}` {why}", self.argv[0]));
        let mut command = Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).arg(verb);
        // What it says to people may hold what it was given: that belongs in no log. Our own secrets are
        // none of its business.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PROVOST_")) {
            command.env_remove(name);
        }
        // A group of its own, so that what it starts ends with it.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let talked = tokio::time::timeout(self.patience, talk(&mut child, value)).await;
        if let (Err(_) | Ok(Err(_)), Some(group)) = (&talked, group) {
            // It may have ended meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let text = match talked {
            Err(_) => return Err(failed(format!("gave no answer within {} s", self.patience.as_secs_f32()))),
            Ok(Err(why)) => return Err(failed(why)),
            Ok(Ok(text)) => text,
        };
        let answer = STANDARD.decode(text.trim_ascii()).ok().filter(|answer| !answer.is_empty());
        answer.ok_or_else(|| failed("did not answer in base64".to_owned()))
    }
}

async fn talk(child: &mut Child, value: &[u8]) -> Result<Vec<u8>, String> {
    let line = format!("{}\n", STANDARD.encode(value));
    let io = |error: std::io::Error| format!("cannot be talked to: {error}");
    if let Some(mut stdin) = child.stdin.take()
        // One that does not read to the end may still answer.
        && let Err(error) = stdin.write_all(line.as_bytes()).await
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(io(error));
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MAX_BYTES + 1).read_to_end(&mut answer).await.map_err(io)?;
    }
    if answer.len() as u64 > MAX_BYTES {
        return Err(format!("answered more than {MAX_BYTES} bytes"));
    }
    let status = child.wait().await.map_err(io)?;
    if !status.success() {
        return Err(format!("failed ({status}): run it by hand to see why"));
    }
    Ok(answer)
}

impl From<KmsCommand> for super::MasterKey {
    fn from(command: KmsCommand) -> Self {
        Self::kms(command)
    }
}
