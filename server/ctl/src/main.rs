//! The release engineers' tool: writes, signs and publishes recipes.

use clap::Parser;
use mulberry_shared::exit::{Exit, asks_for_json};
use mulberryctl::{
    cli::{Cli, check_arguments},
    failure::{Failure, FailureKind},
    output::{self, Format},
};

fn main() -> Exit {
    if let Err(failure) = check_arguments(std::env::args_os()) {
        output::tell(&format!("Error: {failure}"));
        if asks_for_json(std::env::args_os()) {
            let _ = Format::Json.print(String::new, || failure.to_json());
        }
        return failure.exit;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.use_stderr() && asks_for_json(std::env::args_os()) {
                let failure = Failure::usage(Exit::Usage, error.to_string());
                // Already a failure: that it cannot be told twice changes nothing.
                let _ = Format::Json.print(String::new, || failure.to_json());
            }
            error.exit()
        }
    };
    let format = cli.global.format();
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::usage(FailureKind::NoRuntime, format!("The system gives no event loop: {error}."))
        })
        .and_then(|runtime| runtime.block_on(cli.run()));
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            output::tell(&format!("Error: {failure}"));
            if format == Format::Json {
                let _ = format.print(String::new, || failure.to_json());
            }
            failure.exit
        }
    }
}
