//! placeholder

pub mod codex;
pub mod postgres;
pub mod upstream;
