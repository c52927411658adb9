//! The `provost` executable.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use provost_policy::team_config::rules::{EVALUATE, evaluate_standard_input};
use provost_server::cli::{Cli, run};

fn main() -> ExitCode {
    // A process of its own for what a repository brings along, before there is anything else in it.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == EVALUATE) {
        return evaluate_standard_input();
    }
    work()
}

#[tokio::main]
async fn work() -> ExitCode {
    run(Cli::parse()).await.unwrap_or_else(|error| {
        // One line with every cause, and no trace: what went wrong is the operator's to read.
        let _ = writeln!(std::io::stderr(), "provost: {error:#}");
        ExitCode::FAILURE
    })
}
