//! `mulberryctl sign`: reads what a proposal changes from the bytes to be signed, against what this machine verified itself,
//! shows it, asks, signs.

use crate::{
    ceremony,
    context::CommandContext,
    failure::{Failure, FailureKind, Kind},
    files::Existing,
    lane::{base, draft, signers},
    output, proposals,
    signable::{Named, Signable, check_unaltered},
};
use clap::Args;
use mulberry_shared::{
    exit::Exit,
    operators::{ProblemKind, ProposalOutcome, SignatureRequest},
    proposal::{self, Proposal},
};
use std::path::PathBuf;

/// `sign`
#[derive(Args, Debug)]
#[command(
    after_help = "What is shown is computed from the bytes to be signed, against what this machine verifies from its own root: not from \
                  what the server says. A file is compared with the edition in it, unless --origin names an origin.\n\n\
                  Example:\n  mulberryctl sign 3f2a81c0aa17 --key bob/emergency.pem\n  \
                  mulberryctl sign fix.proposal --key bob/emergency.pem"
)]
pub struct Sign {
    /// The first digits of a proposal's id, or its file
    #[arg(value_name = "PROPOSAL")]
    pub proposal: String,
    /// Your own key of the lane, a file or a PKCS#11 URI; repeats
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// Do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

impl Sign {
    /// Signs.
    ///
    /// # Errors
    /// Whatever is not as it should be, before anything is signed; or the server's refusal.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        let CommandContext { now, format, limits, .. } = context;
        let mut passphrases = context.passphrases()?;
        let named = Named::of(&self.proposal)?;
        // Found out now rather than after the server was asked.
        context.pinned()?;
        let (proposal, server) = match &named {
            Named::File(path) => match Signable::read(path, limits)? {
                Signable::Proposal(proposal) => (*proposal, None),
                Signable::Ceremony(held) => {
                    return ceremony::sign(held, Some(path), &self.key, self.yes, context, &mut passphrases)
                        .await;
                }
                Signable::Opening => {
                    let path = path.display();
                    let sentence = format!(
                        "{path}: this is the opening of a gate. Sign it with mulberryctl gate sign {path}"
                    );
                    return Err(Failure::usage(FailureKind::ProposalUnreadable, sentence));
                }
            },
            Named::Id(id) => {
                let server = context.server()?;
                match server.proposal(id, limits).await {
                    Ok(proposal) => (proposal, Some(server)),
                    Err(unknown) if unknown.kind == Kind::from(ProblemKind::UnknownProposal) => {
                        let Some(held) = server.shown_ceremony(id, limits).await? else {
                            return Err(unknown);
                        };
                        return ceremony::sign(held, None, &self.key, self.yes, context, &mut passphrases)
                            .await;
                    }
                    Err(failure) => return Err(failure),
                }
            }
        };
        let lane = proposal.lane();
        let (state, base) = match &named {
            Named::File(_) => base::of_file(proposal.base(), lane, context).await?,
            Named::Id(_) => base::of_origin(lane, context).await?,
        };
        let examined = draft::examine(&proposal, &base, *now, limits)?;
        let authority = signers::authority(&base.targets, lane)?;
        check_unaltered(proposal.broken(authority, limits))?;
        format.say(&examined.describe(base.live(), *now))?;
        format.say(&proposals::failed_preflights(proposal.failed_preflights(), *now))?;

        // Signatures of keys that do not count are left out here, whoever put them there.
        let mut proposal = proposal.merged(&proposal, authority, limits).map_err(|error| {
            Failure::refused(ProblemKind::ProposalRefused, format!("The proposal is refused: {error}."))
        })?;
        let signing_of = |proposal: &Proposal| {
            proposal
                .signing(authority, limits)
                .map_err(|error| Failure::refused(error.kind, error.to_string()))
        };
        let signing = signing_of(&proposal)?;
        let id = proposal::shown(&proposal.id());
        format.say(&format!("Proposal {id}, {}.", signing.describe()))?;
        let keys = signers::load(&self.key, lane, &base.targets, state.trusted().root(), &mut passphrases)?;
        signers::check_new(&self.proposal, &keys, &signing, lane, &base.targets)?;
        output::agree(self.yes, &format!("Sign proposal {id}?"), "signed")?;
        let signatures = draft::sign(&mut proposal, &keys, &base)?;

        let Some(server) = server else {
            let Named::File(path) = &named else {
                return Err(Failure::usage(FailureKind::Internal, "Name a file."));
            };
            proposals::write(path, &proposal, Existing::Replace)?;
            let signing = signing_of(&proposal)?;
            format.print(
                || proposals::in_file(&proposal, path, &signing),
                || proposals::file_json(&proposal, path, &signing),
            )?;
            return Ok(Exit::Yes);
        };
        let mut last = None;
        for signature in signatures {
            let request = SignatureRequest { keyid: signature.keyid.0, sig: signature.sig };
            let response = server.sign(&proposal.id().to_string(), &request).await?;
            let done = response.outcome == ProposalOutcome::Published;
            last = Some(response);
            if done {
                break;
            }
        }
        if let Some(response) = last {
            proposals::print(*format, &response, Some(&examined.changes), *now)?;
        }
        Ok(Exit::Yes)
    }
}
