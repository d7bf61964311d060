//! `mulberryctl submit`: the proposal or the opening in a file and its signatures, to the server.

use super::{
    ceremony::{self, Around},
    gate, propose,
    signable::Signable,
};
use crate::{cli, config::Settings, failure::Failure, operators::Operators, output::Format};
use jiff::Timestamp;
use mulberry_shared::{exit::Exit, limits::Limits, operators::ProposalRequest};

/// Submits. The server checks every signature, and everything else, before it keeps or publishes it.
///
/// # Errors
/// The file cannot be read, or the server refuses.
pub async fn run(
    command: &cli::Submit,
    settings: &Settings,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let proposal = match Signable::read(&command.file, limits)? {
        Signable::Proposal(proposal) => proposal.without_base(),
        Signable::Ceremony(held) => {
            return ceremony::submit(held, &Around { settings, now, format, limits }).await;
        }
        Signable::Opening => {
            return gate::opening::submit(&command.file, settings, format, limits).await;
        }
    };
    let server = Operators::new(settings)?;
    let request = ProposalRequest { proposal: proposal.document(), replaces: None };
    let response = server.propose(&request).await?;
    propose::print(format, &response, None, now)?;
    Ok(Exit::Yes)
}
