//! `mulberryctl lanes`: who may sign for the lanes.

use crate::{
    ceremony::{
        self,
        steps::{AddKey, RevokeKey, Threshold},
    },
    context::CommandContext,
    failure::Failure,
};
use clap::Subcommand;
use mulberry_shared::{exit::Exit, proposal::Role};

/// `lanes …`
#[derive(Debug, Subcommand)]
pub enum LanesCommand {
    /// One more person may sign
    #[command(after_help = "Example:\n  mulberryctl lanes add-key dora.public --key alice/targets.pem")]
    AddKey(AddKey),
    /// A person's key may not sign any more: it was lost or stolen, or they left
    #[command(
        after_help = "A lane that would not verify any more is signed again in the same step, by the people who stay.\n\n\
                      Example:\n  mulberryctl lanes revoke-key alice --role emergency"
    )]
    RevokeKey(RevokeKey),
    /// How many people must sign
    #[command(after_help = "Example:\n  mulberryctl lanes threshold 3 --role emergency")]
    Threshold(Threshold),
    /// A person's new key takes the place of their old one
    #[command(after_help = "Example:\n  mulberryctl lanes rotate alice.public")]
    Rotate(AddKey),
}

impl LanesCommand {
    /// Proposes a ceremony.
    ///
    /// # Errors
    /// Whatever stands in the way, before anything has changed; or the server's refusal.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let mut passphrases = context.passphrases()?;
        let usual = [Role::Emergency, Role::Routine];
        let (steps, held) = match self {
            Self::AddKey(command) => (command.add(&usual, context)?, &command.held),
            Self::RevokeKey(command) => (command.steps(&usual), &command.held),
            Self::Threshold(command) => (command.steps(&usual), &command.held),
            Self::Rotate(command) => (command.rotate(&usual, context)?, &command.held),
        };
        ceremony::propose(&steps, held, context, &mut passphrases).await
    }
}
