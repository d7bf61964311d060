//! The release engineers' tool: writes, signs and publishes recipes.

use clap::Parser;
use mulberry_shared::exit::Exit;
use mulberryctl::{cli::Cli, commands, failure::Failure, output::Format};

fn main() -> Exit {
    let cli = Cli::parse();
    let format = cli.global.format();
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::usage("no-runtime", format!("The system gives no event loop: {error}.")))
        .and_then(|runtime| runtime.block_on(commands::run(cli)));
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("Error: {failure}");
            if format == Format::Json {
                format.print(String::new, || failure.to_json());
            }
            failure.exit
        }
    }
}
