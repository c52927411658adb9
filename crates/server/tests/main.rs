//! What the executable promises, one module per part.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod api;
mod codex;
mod compliance;
mod door;
mod house;
mod scim;
mod sso;
