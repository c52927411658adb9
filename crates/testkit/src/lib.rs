//! Dev-only: an in-process server, clients, scripted upstreams, a clock.

pub mod codex;
pub mod dns;
pub mod issuer;
pub mod postgres;
pub mod saml;
pub mod server;
pub mod upstream;
