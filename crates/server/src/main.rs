//! The `provost` executable.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use provost_server::cli::{Cli, run};

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse()).await.unwrap_or_else(|error| {
        // One line with every cause, and no trace: what went wrong is the operator's to read.
        let _ = writeln!(std::io::stderr(), "provost: {error:#}");
        ExitCode::FAILURE
    })
}
