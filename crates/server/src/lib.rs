//! placeholder

pub mod client_config;
pub mod config;
pub mod listen;
pub mod logging;
pub mod tls;
