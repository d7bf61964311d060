//! `mulberryctl online-keys`: which keys the server signs with.

use crate::{
    ceremony::{
        self,
        steps::{Held, public_keys},
    },
    context::CommandContext,
    failure::{Failure, FailureKind},
};
use clap::Subcommand;
use mulberry_shared::{ceremony::Step, exit::Exit};
use std::path::PathBuf;

/// `online-keys …`
#[derive(Debug, Subcommand)]
pub enum OnlineKeysCommand {
    /// The server signs with its new keys from now on, and with no other
    #[command(
        after_help = "FILE is what `mulberry-server keys new` wrote. Root and targets change together; agents follow without \
                      reinstalling, whatever a thief of the old keys had them believe.\n\n\
                      Example:\n  mulberryctl online-keys rotate server.keys --key alice/root.pem --key alice/targets.pem"
    )]
    Rotate {
        /// The server's new public keys
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How
        #[command(flatten)]
        held: Held,
    },
}

impl OnlineKeysCommand {
    /// Proposes a ceremony.
    ///
    /// # Errors
    /// Whatever stands in the way, before anything has changed; or the server's refusal.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let mut passphrases = context.passphrases()?;
        let Self::Rotate { file, held } = self;
        let public = public_keys(file, &context.limits)?;
        if public.person.is_some() {
            let sentence = format!(
                "{}: these are a person's keys. Give the file that `mulberry-server keys new` wrote.",
                file.display()
            );
            return Err(Failure::usage(FailureKind::PublicKeysUnreadable, sentence));
        }
        ceremony::propose(&[Step::Online { keys: public.keys }], held, context, &mut passphrases).await
    }
}
