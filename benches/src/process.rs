//! Another process to measure: this program again, with an argument that makes it a server.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A server in a process of its own, so that its memory and its CPU can be told from the client's.
pub struct Server {
    /// What it said when it was ready: usually its address.
    pub ready: String,
    child: Child,
}

impl Server {
    /// Starts this program again with these arguments; it says one line when it is ready.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let out = child.stdout.take().context("a piped output")?;
        let ready = BufReader::new(out).lines().next_line().await?.context("the server ended before it was ready")?;
        Ok(Self { ready, child })
    }

    /// Its resident memory in bytes (`/proc/PID/status`, VmRSS).
    pub fn resident_bytes(&self) -> Result<u64> {
        let id = self.child.id().context("it runs")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kib * 1024)
    }

    /// The CPU time that it has used, in ticks of 10 ms (`/proc/PID/stat`; Linux counts 100 a second
    /// for user space on every architecture).
    pub fn cpu(&self) -> Result<Duration> {
        let id = self.child.id().context("it runs")?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name in the second field may hold spaces; after it come the third field and on.
        let (_, rest) = stat.rsplit_once(") ").context("no name")?;
        let mut fields = rest.split(' ').skip(11);
        let mut ticks = || -> Result<u64> { Ok(fields.next().context("no times")?.parse()?) };
        Ok(Duration::from_millis(10 * (ticks()? + ticks()?)))
    }

    /// Ends it.
    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}
