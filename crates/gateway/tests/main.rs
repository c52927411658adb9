//! What the gateway promises, at the wire, one module per part.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod wire;
