//! `mulberryctl submit`: the proposal in a file and its signatures, to the server.

use super::propose::{self, proposal_of};
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
    let proposal = proposal_of(&command.file, limits)?.without_base();
    let server = Operators::new(settings)?;
    let request = ProposalRequest { proposal: proposal.document(), replaces: None };
    let response = server.propose(&request).await?;
    propose::print(format, &response, None, now)?;
    Ok(Exit::Yes)
}
