//! The `provost` executable.
fn main() {}
