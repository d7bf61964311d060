//! `mulberryctl completions`: a script for a shell.

use crate::{failure::Failure, output};
use clap::Args;
use mulberry_shared::exit::Exit;

/// `completions`
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  mulberryctl completions bash > /etc/bash_completion.d/mulberryctl")]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

impl Completions {
    /// Prints the script for everything that `all` takes.
    ///
    /// # Errors
    /// Standard output takes no more.
    pub fn run(&self, mut all: clap::Command) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut all, "mulberryctl", &mut script);
        output::answer(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Yes)
    }
}
