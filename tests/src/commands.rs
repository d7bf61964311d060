//! The command line of `mulberry-lab`.

use std::process::{ExitCode, Termination};

use clap::{Parser, Subcommand};

use crate::LabError;

pub mod bench;
pub mod corpus;
pub mod error_catalogue;
pub mod fuzz_seeds;
pub mod kills;
pub mod measure;
pub mod mutate;
pub mod oracle;
pub mod recipe_certificates;
pub mod record_fixtures;
pub mod replay;

/// Mulberry's laboratory: fixtures of add-ons and certificates, and the incident replay.
#[derive(Debug, Parser)]
#[command(name = "mulberry-lab", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write many signed add-ons, their certificates and the verdicts to expect.
    Corpus(corpus::Arguments),
    /// Write the laboratory certificates that the example recipes use.
    RecipeCertificates(recipe_certificates::Arguments),
    /// Write the error catalogue from the texts beside the names, or check it.
    ErrorCatalogue(error_catalogue::Arguments),
    /// Write valid inputs from which the fuzz targets start.
    FuzzSeeds(fuzz_seeds::Arguments),
    /// Record an edition, a ledger and an agent's state for later versions to read.
    RecordFixtures(record_fixtures::Arguments),
    /// Run one program and note the most memory it held.
    Measure(measure::Arguments),
    /// Measure how fast verification and polls are, as ratios.
    Bench(bench::Arguments),
    /// Replay the incident of May 2019 with real processes, and check every figure.
    Replay(replay::Arguments),
    /// Kill real servers and agents at every stage of their work, and check what is left.
    Kills(kills::Arguments),
    /// Show a client a great many mutations of valid metadata.
    Mutate(mutate::Arguments),
    /// Ask a real host about add-ons of every shape, and compare.
    Oracle(oracle::Arguments),
}

/// Runs one command. Exit code 0 when done, 1 when a replay, a measurement or a client differs from what it must show, 2 when input was unreadable
/// or output could not be written.
pub fn run(cli: Cli) -> ExitCode {
    let result = match &cli.command {
        Command::Corpus(arguments) => corpus::run(arguments),
        Command::RecipeCertificates(arguments) => recipe_certificates::run(arguments),
        Command::ErrorCatalogue(arguments) => error_catalogue::run(arguments),
        Command::FuzzSeeds(arguments) => fuzz_seeds::run(arguments),
        Command::Measure(arguments) => match measure::run(arguments) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Bench(arguments) => match bench::run(arguments) {
            Ok(exit) => return exit.report(),
            Err(error) => Err(error),
        },
        Command::Mutate(arguments) => match mutate::run(arguments) {
            Ok(exit) => return exit.report(),
            Err(error) => Err(error),
        },
        Command::Oracle(arguments) => match oracle::run(arguments) {
            Ok(exit) => return exit.report(),
            Err(error) => Err(error),
        },
        Command::RecordFixtures(arguments) => {
            record_fixtures::run(arguments).map_err(|error| LabError::Impossible(error.0))
        }
        Command::Replay(arguments) => return replay::run(arguments).report(),
        Command::Kills(arguments) => return kills::run(arguments).report(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mulberry-lab: {error}");
            ExitCode::from(2)
        }
    }
}
