//! The issuer that Codex clients sign in to.

pub(super) mod device;
