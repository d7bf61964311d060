//! Mulberry's laboratory: a PKI, an add-on signer, the incident replay and the journeys.

use std::process::ExitCode;

use clap::Parser;
use mulberry_lab::commands;

fn main() -> ExitCode {
    commands::run(commands::Cli::parse())
}
