//! Team Config: what a repository keeps in `.codex` for everybody who opens it (inventory.md §6).
pub mod rules;
