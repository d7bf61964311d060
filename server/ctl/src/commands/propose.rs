//! `mulberryctl propose`: the next version of a lane for people to sign, one after the other.

use super::{
    bundle,
    publish::{self, base, plan, signers},
    sign::Named,
};
use crate::{
    cli,
    config::Settings,
    failure::{Failure, FailureKind},
    files::{self, Existing},
    http::{Endpoint, Purpose},
    operators::Operators,
    origin::{self, Source},
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::Timestamp;
use mulberry_shared::{
    exit::Exit,
    limits::Limits,
    operators::{ProblemKind, ProposalOutcome, ProposalRequest, ProposalStatus, ProposeResponse},
    proposal::{self, Changes, FailedPreflight, Proposal, Signing, signing::names},
    recipe::{Lane, Recipe, Slug, published},
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// What somebody wants to be published.
struct Wishes {
    recipes: Vec<(PathBuf, Recipe)>,
    withdraw: Vec<Slug>,
    renew: bool,
    /// `None` where the wishes say it.
    lane: Option<Lane>,
    /// The proposal whose place this takes.
    old: Option<Proposal>,
}

/// Proposes.
///
/// # Errors
/// Whatever stands in the way, before anything has changed; or the server's refusal.
pub async fn run(
    command: &cli::Propose,
    settings: &Settings,
    passphrases: &mut Passphrases,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    if let Some(out) = command.out.as_ref().filter(|out| out.exists()) {
        return Err(exists(out));
    }
    // Found out now rather than after people have typed passphrases.
    let server = match &command.out {
        None => Some(Operators::new(settings)?),
        Some(_) => None,
    };
    let wishes = wishes(command, settings, server.as_ref(), now, limits).await?;
    let pinned = origin::pinned(settings.root()?, limits)?;
    let endpoint = Endpoint::new(&settings.origin.value, Purpose::PublicDocuments)?;
    output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
    let (edition, state) = match &command.out {
        None => (None, base::refresh(&endpoint, pinned, now, limits).await?),
        Some(_) => {
            let (bundle, state) = bundle::collect(&endpoint, &pinned, now, limits).await?;
            (Some(bundle), state)
        }
    };
    let lane = match wishes.lane {
        Some(lane) => lane,
        None => publish::lane(command.renew, &wishes.recipes, &command.withdraw, &state)?,
    };
    let base = base::current(Source::Origin(&endpoint), &state, lane, now, limits).await?;
    let withdraw = match &wishes.old {
        // What is gone already need not be withdrawn again.
        Some(old) if command.rebase.is_some() => {
            check_overtaken(old, base.lane.version, now)?;
            let live = |slug: &Slug| base.recipes.keys().any(|path| path.slug == *slug);
            wishes.withdraw.iter().filter(|slug| live(slug)).cloned().collect()
        }
        _ => wishes.withdraw.clone(),
    };
    let plan = plan::make(lane, &base, &wishes.recipes, &withdraw, wishes.renew, now)?;
    let mut proposal = publish::draft(lane, &base, &plan, &withdraw, now, limits)?;
    let examined = publish::examine(&proposal, &base, now, limits)?;
    publish::say(format, &examined.describe(base.live(), now))?;
    let failed = match &wishes.old {
        // On a new base it is what it was.
        Some(old) if command.rebase.is_some() => old.failed_preflights().to_vec(),
        _ => {
            publish::say(format, &publish::preflights(&wishes.recipes, &plan, now, limits))?;
            let despite = command.despite_preflight.as_deref();
            publish::check_preflights(&wishes.recipes, &plan, despite, limits)?
        }
    };
    publish::say(format, &failed_preflights(&failed, now))?;
    proposal = proposal.despite(failed);
    let authority = signers::authority(&base.targets, lane)?;
    if let Some(old) = &wishes.old {
        let signed = old.signing(authority, limits).map(|signing| signing.signed).unwrap_or_default();
        publish::say(format, &voided(old, &names(&signed), signed.is_empty()))?;
    }

    if !command.key.is_empty() {
        let keys = signers::load(&command.key, lane, &base.targets, state.trusted().root(), passphrases)?;
        publish::agree(command.yes, "Propose this, and sign it?", "proposed")?;
        publish::sign(&mut proposal, &keys, &base)?;
    }
    let signing = proposal
        .signing(authority, limits)
        .map_err(|error| Failure::refused(error.kind, error.to_string()))?;
    if let Some((out, edition)) = command.out.as_ref().zip(edition) {
        write(out, &proposal.on(edition.write()), Existing::Refuse)?;
        let read = proposal_of(out, limits)?;
        format.print(|| in_file(&read, out, &signing), || file_json(&read, out, &signing))?;
        return Ok(Exit::Yes);
    }
    let Some(server) = server else {
        return Err(Failure::usage(FailureKind::Internal, "Give --server URL or --out FILE."));
    };
    let replaces = match (&command.replace, &command.rebase, &wishes.old) {
        (Some(_), _, Some(old)) => Some(old.id().to_string()),
        (None, Some(named), Some(old)) if matches!(Named::of(named)?, Named::Id(_)) => {
            Some(old.id().to_string())
        }
        _ => None,
    };
    let response = server.propose(&ProposalRequest { proposal: proposal.document(), replaces }).await?;
    print(format, &response, Some(&plan), now)?;
    Ok(Exit::Yes)
}

async fn wishes(
    command: &cli::Propose,
    settings: &Settings,
    server: Option<&Operators>,
    now: Timestamp,
    limits: &Limits,
) -> Result<Wishes, Failure> {
    if let Some(named) = &command.rebase {
        let old = match Named::of(named)? {
            Named::File(path) => proposal_of(&path, limits)?,
            Named::Id(id) => match server {
                Some(server) => server.proposal(&id, limits).await?,
                None => Operators::new(settings)?.proposal(&id, limits).await?,
            },
        };
        let mut recipes = Vec::new();
        for (path, bytes) in old.recipes() {
            let recipe = published::read(path, bytes, limits).map_err(|error| {
                Failure::refused(
                    ProblemKind::RecipeRefused,
                    format!("The proposal is refused: {path}: {error}."),
                )
            })?;
            recipes.push((PathBuf::from(path.to_string()), recipe));
        }
        let withdraw: Vec<Slug> = old.withdraw().iter().cloned().collect();
        let renew = recipes.is_empty() && withdraw.is_empty();
        return Ok(Wishes { recipes, withdraw, renew, lane: Some(old.lane()), old: Some(old) });
    }
    let old = match (&command.replace, server) {
        (Some(id), Some(server)) => Some(server.proposal(id, limits).await?),
        _ => None,
    };
    Ok(Wishes {
        recipes: publish::wishes(&command.recipes, &settings.known_words(), now, limits)?,
        withdraw: command.withdraw.iter().map(|name| name.slug().clone()).collect(),
        renew: command.renew.is_some(),
        lane: None,
        old,
    })
}

fn check_overtaken(old: &Proposal, live: u64, now: Timestamp) -> Result<(), Failure> {
    if old.body().version <= live || old.body().expires <= now {
        return Ok(());
    }
    let id = proposal::shown(&old.id());
    Err(Failure::no(
        FailureKind::NotOvertaken,
        format!(
            "Proposal {id} was not overtaken: it can be signed as it is. To change it: mulberryctl propose RECIPE --replace {id}"
        ),
    ))
}

fn voided(old: &Proposal, whose: &str, nobody: bool) -> String {
    let id = proposal::shown(&old.id());
    if nobody {
        return format!("It takes the place of proposal {id}, which nobody has signed.");
    }
    format!(
        "It takes the place of proposal {id}. VOID: the signatures of {whose}, which were for other bytes; they must sign anew."
    )
}

/// The preflights that failed, for whoever signs.
pub(super) fn failed_preflights(failed: &[FailedPreflight], now: Timestamp) -> String {
    if failed.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = failed
        .iter()
        .map(|one| format!("\n  {} {}: {:?}", one.path, output::distance(one.failed, now), one.reason))
        .collect();
    format!(
        "PREFLIGHT FAILED, and it was proposed all the same. So says whoever made the proposal; nobody signed it, so ask them:{}",
        lines.concat()
    )
}

/// Reads a proposal's file.
///
/// # Errors
/// It cannot be read, or is none.
pub(super) fn proposal_of(path: &Path, limits: &Limits) -> Result<Proposal, Failure> {
    let max = u64::try_from(limits.proposal.file_bytes).unwrap_or(u64::MAX);
    let fault = |what: String| {
        Failure::usage(FailureKind::ProposalUnreadable, format!("{}: {what}.", path.display()))
    };
    let bytes = files::read_bounded(path, max).map_err(|error| fault(error.to_string()))?;
    Proposal::read(&bytes, limits).map_err(|error| fault(error.to_string()))
}

/// Writes a proposal's file, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(path: &Path, proposal: &Proposal, existing: Existing) -> Result<(), Failure> {
    let unwritable =
        |what: String| Failure::usage(FailureKind::FileUnwritable, format!("{}: {what}.", path.display()));
    let bytes = proposal.write().map_err(|error| unwritable(error.to_string()))?;
    files::write_whole(path, &bytes, existing).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => unwritable(error.to_string()),
    })
}

fn exists(path: &Path) -> Failure {
    Failure::usage(
        FailureKind::FileExists,
        format!("{} exists and is left as it is. Name another file.", path.display()),
    )
}

/// What became of a proposal that was handed to the server.
///
/// # Errors
/// As [`Format::print`].
pub(super) fn print(
    format: Format,
    response: &ProposeResponse,
    changes: Option<&Changes>,
    now: Timestamp,
) -> Result<(), Failure> {
    format.print(
        || match (&response.outcome, &response.published, &response.proposal) {
            (ProposalOutcome::Published, Some(published), _) => {
                publish::outcome::words(published, changes, now)
            }
            (_, _, Some(status)) => waiting(status),
            _ => format!("Proposal {}: look at mulberryctl proposals", proposal::shown(&response.id)),
        },
        || {
            let mut json = serde_json::json!(response);
            if let (Some(object), Some(status)) = (json.as_object_mut(), &response.proposal) {
                object.insert("next".to_owned(), next(status).into());
            }
            json
        },
    )
}

fn waiting(status: &ProposalStatus) -> String {
    format!(
        "\nWAITING: proposal {}, lane {} version {}. {}\nNothing is published yet. Next, one of them: {}",
        proposal::shown(&status.id),
        status.role,
        status.version,
        so_far(status),
        next(status)
    )
}

/// Who has signed, and how many of whom are missing, as the server says it.
pub(super) fn so_far(status: &ProposalStatus) -> String {
    let signed: Vec<&str> = status.signed.iter().map(|one| one.holder.as_str()).collect();
    let signed = if signed.is_empty() { "nobody".to_owned() } else { signed.join(", ") };
    match status.missing {
        0 => format!("Signed by {signed}: enough."),
        missing => format!("Signed by {signed}; missing {missing} of {}.", status.may_sign.join(", ")),
    }
}

/// The command that comes next.
pub(super) fn next(status: &ProposalStatus) -> String {
    let id = proposal::shown(&status.id);
    match status.missing {
        // A ceremony lowered the threshold since the last of them signed.
        0 => format!("mulberryctl submit {id}"),
        _ => format!("mulberryctl sign {id} --key people/NAME/{}.pem", status.role),
    }
}

/// What the file holds, and what comes next.
pub(super) fn in_file(proposal: &Proposal, path: &Path, signing: &Signing) -> String {
    let (id, file, lane) = (proposal::shown(&proposal.id()), path.display(), proposal.lane());
    let next = next_of_file(path, lane, signing);
    format!(
        "\n{file}: proposal {id}, lane {lane} version {}, {}.\nNext: {next}",
        proposal.body().version,
        signing.describe()
    )
}

/// The same for scripts.
pub(super) fn file_json(proposal: &Proposal, path: &Path, signing: &Signing) -> serde_json::Value {
    let holders =
        |keys: &[proposal::KeyHolder]| keys.iter().map(|key| key.holder.clone()).collect::<Vec<_>>();
    serde_json::json!({
        "outcome": "in-file",
        "id": proposal.id(),
        "file": path.display().to_string(),
        "role": proposal.lane().as_str(),
        "version": proposal.body().version,
        "signed": holders(&signing.signed),
        "missing": signing.missing(),
        "may_sign": holders(&signing.others),
        "next": next_of_file(path, proposal.lane(), signing),
    })
}

fn next_of_file(path: &Path, lane: Lane, signing: &Signing) -> String {
    match signing.missing() {
        0 => format!("mulberryctl submit {}", path.display()),
        _ => format!("mulberryctl sign {} --key people/NAME/{lane}.pem", path.display()),
    }
}
