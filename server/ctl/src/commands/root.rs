//! `mulberryctl root`: who may sign for root and targets.

use crate::{
    arguments::{self, RoleName},
    ceremony::{
        self,
        steps::{AddKey, Held, RevokeKey, Threshold, roles},
    },
    context::CommandContext,
    failure::{Failure, FailureKind},
};
use clap::{Args, Subcommand};
use mulberry_shared::{ceremony::Step, exit::Exit, proposal::Role};

/// `root …`, without `init`
#[derive(Debug, Subcommand)]
pub enum RootCommand {
    /// One more person may sign
    #[command(after_help = "FILE is what `mulberryctl key new` made for them.\n\n\
                      Example:\n  mulberryctl root add-key dora.public --role root --role targets --key alice/root.pem")]
    AddKey(AddKey),
    /// A person's key may not sign any more: it was lost or stolen, or they left
    #[command(
        after_help = "What the key signed that is still published is signed again in the same step.\n\n\
                      Example:\n  mulberryctl root revoke-key alice --role root --role targets --role emergency --role routine"
    )]
    RevokeKey(RevokeKey),
    /// How many people must sign
    #[command(after_help = "Example:\n  mulberryctl root threshold 3 --role root")]
    Threshold(Threshold),
    /// A person's new key takes the place of their old one
    #[command(after_help = "FILE is what `mulberryctl key new` made for them.\n\n\
                      Example:\n  mulberryctl root rotate alice.public --role root --role targets")]
    Rotate(AddKey),
    /// People get other names: one that is no longer allowed, or that looks like another's
    #[command(
        after_help = "The keys stay, and so does everything that they signed. WHO is a name as it is recorded, for all of that \
                      person's keys; where it cannot be typed, the first digits of a key's fingerprint, for that key.\n\n\
                      Example:\n  mulberryctl root rename 'Mei Lin=mei-lin' --key alice/root.pem --key alice/targets.pem\n  \
                      mulberryctl root rename 3f2a9c01d4e5b6a7=carol 99b1c2d3e4f5a6b7=carol"
    )]
    Rename(Rename),
    /// Sign root or targets again before they expire
    #[command(
        after_help = "A lane is renewed with `mulberryctl publish --renew LANE` or `propose --renew LANE`.\n\n\
                      Example:\n  mulberryctl root renew --key alice/root.pem\n  \
                      mulberryctl root renew --role root --role targets"
    )]
    Renew(Renew),
}

/// `root rename`
#[derive(Args, Debug)]
pub struct Rename {
    /// Who, and the new name; repeats
    #[arg(value_name = "WHO=NAME", required = true)]
    pub names: Vec<String>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `root renew`
#[derive(Args, Debug)]
pub struct Renew {
    /// root or targets; repeats [default: root]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

impl RootCommand {
    /// Proposes a ceremony.
    ///
    /// # Errors
    /// Whatever stands in the way, before anything has changed; or the server's refusal.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let mut passphrases = context.passphrases()?;
        let usual = [Role::Root];
        let (steps, held) = match self {
            Self::AddKey(command) => (command.add(&usual, context)?, &command.held),
            Self::RevokeKey(command) => (command.steps(&usual), &command.held),
            Self::Threshold(command) => (command.steps(&usual), &command.held),
            Self::Rotate(command) => (command.rotate(&usual, context)?, &command.held),
            Self::Rename(command) => (command.steps()?, &command.held),
            Self::Renew(command) => {
                let steps = roles(&command.role, &usual).into_iter().map(|role| Step::Renew { role });
                (steps.collect(), &command.held)
            }
        };
        ceremony::propose(&steps, held, context, &mut passphrases).await
    }
}

impl Rename {
    fn steps(&self) -> Result<Vec<Step>, Failure> {
        let step = |text: &String| {
            // A new name has no `=` in it; an old one may have anything.
            let (who, to) = text.rsplit_once('=').ok_or_else(|| {
                Failure::usage(
                    FailureKind::PersonName,
                    format!("{text:?}: give WHO=NAME, such as 'Mei Lin=mei-lin'."),
                )
            })?;
            Ok(Step::Rename { who: who.to_owned(), to: arguments::person(to)? })
        };
        self.names.iter().map(step).collect()
    }
}
