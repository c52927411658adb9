//! The policy linter against the recorded verdicts of a real client, and against everything else.

mod arbitrary;
mod conformance;
mod messages;
mod versions;
