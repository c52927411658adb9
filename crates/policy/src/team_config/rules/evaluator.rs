//! The outside of the process that evaluates one `.rules` file.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use super::{EVALUATE, MAX_RULES_BYTES, RulesFile};

/// The longest answer, in bytes: some times what the longest file could say without a loop.
const MAX_ANSWER_BYTES: u64 = 8 << 20;

/// The program that evaluates, where it is not the one that runs here.
static OTHER_PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Evaluates `.rules` files, each in a process of its own.
#[derive(Debug, Clone)]
pub struct Evaluator {
    program: PathBuf,
}

impl Evaluator {
    /// With a program that calls [`evaluate_standard_input`](super::evaluate_standard_input) if its one argument is
    /// [`EVALUATE`].
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// For those who have Provost inside of another program, such as its tests: names the program to evaluate with. The
    /// first one named counts.
    pub fn always_with(program: impl Into<PathBuf>) {
        let _ = OTHER_PROGRAM.set(program.into());
    }

    /// With the program that runs here, whatever has become of its file since.
    pub fn of_this_program() -> Self {
        if let Some(other) = OTHER_PROGRAM.get() {
            return Self::new(other);
        }
        let own = PathBuf::from("/proc/self/exe");
        Self::new(if own.exists() { own } else { std::env::current_exe().unwrap_or_default() })
    }

    /// What a file says. Takes a few milliseconds, and up to some seconds for a file that means harm; blocks so long.
    pub fn evaluate(&self, contents: &str) -> RulesFile {
        if contents.len() > MAX_RULES_BYTES {
            let message = format!("The file is longer than {} KiB. Write fewer rules.", MAX_RULES_BYTES >> 10);
            return RulesFile::refused(1, "too_large", message);
        }
        let started = Command::new(&self.program)
            .arg(EVALUATE)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = started else {
            return RulesFile::refused(1, "not_evaluated", "The file could not be evaluated here. Try again.");
        };
        let answer = talk(&mut child, contents);
        // It has said all it may, or too much.
        let _ = child.kill();
        let _ = child.wait();
        answer.and_then(|answer| serde_json::from_slice(&answer).ok()).unwrap_or_else(|| {
            let message = "The file takes too long, too much memory, or nests too deeply: nobody can evaluate it \
                safely. Write its rules out, without loops over many values.";
            RulesFile::refused(1, "too_expensive", message)
        })
    }
}

fn talk(child: &mut Child, contents: &str) -> Option<Vec<u8>> {
    // The child reads all before it writes: neither waits for the other. Dropped, its input ends.
    child.stdin.take()?.write_all(contents.as_bytes()).ok()?;
    let mut answer = Vec::new();
    child.stdout.take()?.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).ok()?;
    Some(answer)
}
