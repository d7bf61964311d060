//! `mulberryctl submit`: the proposal or the opening in a file and its signatures, to the server.

use super::{
    ceremony::{self, Around},
    gate,
    propose::{self, proposal_of},
};
use crate::{cli, config::Settings, failure::Failure, files, operators::Operators, output::Format};
use jiff::Timestamp;
use mulberry_shared::{approval, exit::Exit, limits::Limits, operators::ProposalRequest};

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
    // What cannot be read at all is named as no proposal, below.
    let max = u64::try_from(limits.proposal.file_bytes).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(&command.file, max).unwrap_or_default();
    if approval::file::is_one(&bytes, limits) {
        return gate::opening::submit(&command.file, settings, format, limits).await;
    }
    if let Some(held) = ceremony::of_file(&command.file, limits)? {
        return ceremony::submit(held, &Around { settings, now, format, limits }).await;
    }
    let proposal = proposal_of(&command.file, limits)?.without_base();
    let server = Operators::new(settings)?;
    let request = ProposalRequest { proposal: proposal.document(), replaces: None };
    let response = server.propose(&request).await?;
    propose::print(format, &response, None, now)?;
    Ok(Exit::Yes)
}
