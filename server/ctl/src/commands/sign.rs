//! `mulberryctl sign`: reads what a proposal changes from the bytes to be signed, against what this machine verified itself,
//! shows it, asks, signs.

use super::{
    ceremony::{self, Around},
    propose,
    publish::{
        self,
        base::{self, Base},
        signers,
    },
    signable::Signable,
};
use crate::{
    cli,
    config::{self, Settings},
    failure::{Failure, FailureKind, Kind},
    files::Existing,
    http::{Endpoint, Purpose},
    operators::Operators,
    origin::{self, Source},
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::Timestamp;
use mulberry_shared::{
    bundle::Bundle,
    edition::{OnlineRole, TrustState, Waiver},
    exit::Exit,
    limits::Limits,
    operators::{ProblemKind, ProposalOutcome, SignatureRequest},
    proposal::{self, FEWEST_DIGITS, KeyHolder, Proposal, signing},
    recipe::Lane,
    tuf::TrustError,
};
use std::path::PathBuf;

/// How somebody names a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A file.
    File(PathBuf),
    /// The first digits of an id, on the server.
    Id(String),
}

impl Named {
    /// A file that is there, or digits.
    ///
    /// # Errors
    /// Neither.
    pub(super) fn of(text: &str) -> Result<Self, Failure> {
        let path = PathBuf::from(text);
        if path.exists() {
            return Ok(Self::File(path));
        }
        if proposal::is_prefix(text) {
            return Ok(Self::Id(text.to_owned()));
        }
        Err(Failure::usage(
            FailureKind::NoSuchProposal,
            format!(
                "{text:?} is neither a file nor the first {FEWEST_DIGITS} or more digits of a proposal's id. Look at \
                 mulberryctl proposals."
            ),
        ))
    }
}

/// Signs.
///
/// # Errors
/// Whatever is not as it should be, before anything is signed; or the server's refusal.
pub async fn run(
    command: &cli::Sign,
    settings: &Settings,
    passphrases: &mut Passphrases,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let named = Named::of(&command.proposal)?;
    let around = Around { settings, now, format, limits };
    let pinned = origin::pinned(settings.root()?, limits)?;
    let (proposal, server) = match &named {
        Named::File(path) => match Signable::read(path, limits)? {
            Signable::Proposal(proposal) => (*proposal, None),
            Signable::Ceremony(held) => {
                return ceremony::sign(command, held, Some(path), &around, passphrases).await;
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
            let server = Operators::new(settings)?;
            match server.proposal(id, limits).await {
                Ok(proposal) => (proposal, Some(server)),
                Err(unknown) if unknown.kind == Kind::from(ProblemKind::UnknownProposal) => {
                    let Some(held) = server.shown_ceremony(id, limits).await? else { return Err(unknown) };
                    return ceremony::sign(command, held, None, &around, passphrases).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    };
    let lane = proposal.lane();
    let (state, base) = match &named {
        Named::File(_) => view_of_file(proposal.base(), lane, settings, pinned, now, limits).await?,
        Named::Id(_) => view_of_origin(lane, settings, pinned, now, limits).await?,
    };
    let examined = publish::examine(&proposal, &base, now, limits)?;
    let authority = signers::authority(&base.targets, lane)?;
    check_unaltered(proposal.broken(authority, limits))?;
    publish::say(format, &examined.describe(base.live(), now))?;
    publish::say(format, &propose::failed_preflights(proposal.failed_preflights(), now))?;

    // Signatures of keys that do not count are left out here, whoever put them there.
    let mut proposal = proposal.merged(&proposal, authority, limits).map_err(|error| {
        Failure::refused(ProblemKind::ProposalRefused, format!("The proposal is refused: {error}."))
    })?;
    let signing_of = |proposal: &Proposal| {
        proposal.signing(authority, limits).map_err(|error| Failure::refused(error.kind, error.to_string()))
    };
    let signing = signing_of(&proposal)?;
    let id = proposal::shown(&proposal.id());
    publish::say(format, &format!("Proposal {id}, {}.", signing.describe()))?;
    let keys = signers::load(&command.key, lane, &base.targets, state.trusted().root(), passphrases)?;
    signers::check_new(&command.proposal, &keys, &signing, lane, &base.targets)?;
    publish::agree(command.yes, &format!("Sign proposal {id}?"), "signed")?;
    let signatures = publish::sign(&mut proposal, &keys, &base)?;

    let Some(server) = server else {
        let Named::File(path) = &named else {
            return Err(Failure::usage(FailureKind::Internal, "Name a file."));
        };
        propose::write(path, &proposal, Existing::Replace)?;
        let signing = signing_of(&proposal)?;
        format.print(
            || propose::in_file(&proposal, path, &signing),
            || propose::file_json(&proposal, path, &signing),
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
        propose::print(format, &response, Some(&examined.changes), now)?;
    }
    Ok(Exit::Yes)
}

/// Makes sure that whoever signed what is to be signed has signed just this.
///
/// # Errors
/// A signature of theirs does not hold, or the signatures cannot be counted.
pub(super) fn check_unaltered(broken: Result<Vec<KeyHolder>, TrustError>) -> Result<(), Failure> {
    let broken = broken.map_err(|error| Failure::refused(error.kind, format!("{error}.")))?;
    if broken.is_empty() {
        return Ok(());
    }
    let who = signing::names(&broken);
    Err(Failure::refused(
        ProblemKind::SignatureRefused,
        format!(
            "A signature of {who} in it does not hold: it was changed after {who} signed it, or damaged. Nothing was signed. Ask \
             for the original."
        ),
    ))
}

/// What is live at the origin, as this machine verifies it from its own root.
async fn view_of_origin(
    lane: Lane,
    settings: &Settings,
    pinned: TrustState,
    now: Timestamp,
    limits: &Limits,
) -> Result<(TrustState, Base), Failure> {
    let endpoint = Endpoint::new(&settings.origin.value, Purpose::PublicDocuments)?;
    output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
    let state = base::refresh(&endpoint, pinned, now, limits).await?;
    let base = base::current(Source::Origin(&endpoint), &state, lane, now, limits).await?;
    Ok((state, base))
}

/// The same in the edition that a file carries, unless an origin is named on the command line.
///
/// # Errors
/// There is none in it, or it is refused.
pub(super) async fn view_of_file(
    carried: Option<&[u8]>,
    lane: Lane,
    settings: &Settings,
    pinned: TrustState,
    now: Timestamp,
    limits: &Limits,
) -> Result<(TrustState, Base), Failure> {
    if settings.origin.source == config::Source::Flag {
        return view_of_origin(lane, settings, pinned, now, limits).await;
    }
    let Some(bytes) = carried else {
        return Err(Failure::usage(
            FailureKind::NoEdition,
            "The file carries no edition to compare with. Name an origin with --origin URL, or have it made with --out.",
        ));
    };
    let refused = |what: String| {
        Failure::refused(
            FailureKind::EditionRefused,
            format!(
                "The edition in the file is refused: {what}. Nothing was signed. Check --root, or use --origin URL."
            ),
        )
    };
    let bundle = Bundle::read(bytes, &limits.bundle).map_err(|error| refused(error.to_string()))?;
    // A person hands the file in and is told how old it is; what people signed is never waived.
    let waiver = Waiver::of(OnlineRole::ALL);
    let (state, _) =
        bundle.take(&pinned, now, &waiver, limits).map_err(|unfit| refused(unfit.to_string()))?;
    let base = base::current(Source::Bundle(&bundle), &state, lane, now, limits).await?;
    let signed = state.edition(limits).and_then(|edition| edition.signed_at);
    let age = signed.map_or_else(
        || "at an unknown time".to_owned(),
        |at| format!("{} ({})", output::instant(at), output::distance(at, now)),
    );
    output::warn(&format!(
        "without a network this is compared with the edition in the file, which the server signed {age}. What was published \
         since then is not known here; the server refuses what no longer fits."
    ));
    if let Some(missing) = base.recipes.values().find_map(|recipe| recipe.as_ref().err()) {
        output::warn(&format!("a published recipe cannot be read in the file: {missing}"));
    }
    Ok((state, base))
}
