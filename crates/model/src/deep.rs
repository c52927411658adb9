//! Room for texts that nest deeper than the usual stack carries.

use std::thread::{Builder, scope};

/// Below this many characters that open a level, the usual stack is enough and no thread is begun.
const SHALLOW: usize = 64;

/// How much the deepest text takes: 80 levels of brackets with keys of 80 parts each.
const STACK_BYTES: usize = 128 << 20;

/// Runs a job over a TOML text with room for the deepest one that the parser lets through.
///
/// # Errors
/// When no thread could be begun.
pub(crate) fn with_room<T: Send>(text: &str, job: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    if !nests(text) {
        return Ok(job());
    }
    scope(|scope| {
        let thread = Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, job)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Whether some line, or some run of brackets over lines, could nest deeply: an upper bound that costs one pass.
pub(crate) fn nests(text: &str) -> bool {
    let mut open = 0_usize;
    for line in text.lines() {
        let dots = line.bytes().filter(|byte| *byte == b'.').count();
        let opened = line.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
        let closed = line.bytes().filter(|byte| matches!(byte, b']' | b'}')).count();
        if open + opened + dots > SHALLOW {
            return true;
        }
        open = (open + opened).saturating_sub(closed);
    }
    false
}
