//! What the benchmarks share: a populated workspace, and a process to measure.
//!
//! Machines are noisy, so nothing here is judged by itself: every figure stands beside a baseline
//! that was measured in the same run, in turns with it.

pub mod client;
pub mod nodes;
pub mod population;
pub mod process;
pub mod report;
