//! placeholder

pub mod codex;
pub mod upstream;
