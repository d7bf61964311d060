//! `mulberryctl submit`: what is signed, to the server: a proposal or an opening in a file, or a proposal that it keeps and for
//! which fewer signatures are needed by now than when it was signed last.

use super::{
    ceremony::{self, Around},
    gate, propose,
    sign::Named,
    signable::Signable,
};
use crate::{
    cli,
    config::Settings,
    failure::{Failure, Kind},
    operators::Operators,
    output::Format,
};
use jiff::Timestamp;
use mulberry_shared::{
    exit::Exit,
    limits::Limits,
    operators::{ProblemKind, ProposalRequest},
};

/// Submits. The server checks every signature, and everything else, before it keeps or publishes it.
///
/// # Errors
/// The file cannot be read, nothing of that id is kept, or the server refuses.
pub async fn run(
    command: &cli::Submit,
    settings: &Settings,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let around = Around { settings, now, format, limits };
    let (proposal, server) = match Named::of(&command.proposal)? {
        Named::File(path) => match Signable::read(&path, limits)? {
            Signable::Proposal(proposal) => (proposal.without_base(), Operators::new(settings)?),
            Signable::Ceremony(held) => return ceremony::submit(held, &around).await,
            Signable::Opening => {
                return gate::opening::submit(&path, &command.resume, settings, now, format, limits).await;
            }
        },
        Named::Id(id) => {
            let server = Operators::new(settings)?;
            match server.proposal(&id, limits).await {
                Ok(proposal) => (proposal, server),
                Err(unknown) if unknown.kind == Kind::from(ProblemKind::UnknownProposal) => {
                    let Some(held) = server.shown_ceremony(&id, limits).await? else { return Err(unknown) };
                    return ceremony::submit(held, &around).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    };
    let request = ProposalRequest { proposal: proposal.document(), replaces: None };
    let response = server.propose(&request).await?;
    propose::print(format, &response, None, now)?;
    Ok(Exit::Yes)
}
