//! `mulberryctl submit`: what is signed, to the server: a proposal or an opening in a file, or a proposal that it keeps and for
//! which fewer signatures are needed by now than when it was signed last.

use crate::{
    ceremony,
    context::CommandContext,
    failure::{Failure, Kind},
    opening, proposals,
    signable::{Named, Signable},
};
use clap::Args;
use mulberry_shared::{
    exit::Exit,
    operators::{ProblemKind, ProposalRequest},
};

/// `submit`
#[derive(Args, Debug)]
#[command(
    after_help = "With enough signatures a proposal is published; otherwise it waits for the others, who may sign the file or the \
                  proposal. One that waits on the server is published by its id, where fewer signatures are needed by now than \
                  when it was signed. An opening of a gate is carried out or refused.\n\n\
                  Example:\n  mulberryctl submit fix.proposal\n  mulberryctl submit all.opening\n  \
                  mulberryctl submit 3f2a81c0aa17"
)]
pub struct Submit {
    /// The file, or the first digits of a proposal's id
    #[arg(value_name = "PROPOSAL")]
    pub proposal: String,
    /// With an opening of a gate: undo these pauses and narrowings, by the events that the answer without this option names
    #[arg(long, value_name = "EVENT", value_delimiter = ',')]
    pub resume: Vec<u64>,
}

impl Submit {
    /// Submits. The server checks every signature, and everything else, before it keeps or publishes it.
    ///
    /// # Errors
    /// The file cannot be read, nothing of that id is kept, or the server refuses.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let limits = &context.limits;
        let (proposal, server) = match Named::of(&self.proposal)? {
            Named::File(path) => match Signable::read(&path, limits)? {
                Signable::Proposal(proposal) => (proposal.without_base(), context.server()?),
                Signable::Ceremony(held) => return ceremony::submit(held, context).await,
                Signable::Opening => {
                    return opening::submit(&path, &self.resume, context).await;
                }
            },
            Named::Id(id) => {
                let server = context.server()?;
                match server.proposal(&id, limits).await {
                    Ok(proposal) => (proposal, server),
                    Err(unknown) if unknown.kind == Kind::from(ProblemKind::UnknownProposal) => {
                        let Some(held) = server.shown_ceremony(&id, limits).await? else {
                            return Err(unknown);
                        };
                        return ceremony::submit(held, context).await;
                    }
                    Err(failure) => return Err(failure),
                }
            }
        };
        let request = ProposalRequest { proposal: proposal.document(), replaces: None };
        let response = server.propose(&request).await?;
        proposals::print(context.format, &response, None, context.now)?;
        Ok(Exit::Yes)
    }
}
