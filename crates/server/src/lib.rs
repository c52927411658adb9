//! The executable `provost`: verbs, configuration, wiring, routes, TLS.

pub mod cli;
pub mod client_config;
pub mod config;
pub mod device_files;
pub mod listen;
pub mod logging;
pub mod node;
pub mod openapi;
mod operations;
pub mod remote;
pub mod routes;
pub mod tls;
