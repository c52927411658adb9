//! The merge of layers, held against what the real client read back.

mod config;
mod read_back;
mod recorded;
