//! Openings that more than one person answers for: made and signed at once, or in a file on its way between two machines.
//!
//! What people read before they sign is computed from the bytes to be signed and from what this machine verified itself. What only
//! a server or a file says is marked as that.
//!
//! | module | what |
//! |---|---|
//! | `in_file` | reading and writing the file, and what it holds |
//! | `words` | what people read before they sign |

mod in_file;
mod words;

use super::{Words, others};
use crate::{
    cli,
    commands::{
        bundle,
        publish::{
            self,
            base::{self, Base},
            signers,
        },
        sign,
    },
    config::Settings,
    failure::{Failure, FailureKind},
    files::Existing,
    http::{Endpoint, Purpose},
    keys::PersonKey,
    operators::Operators,
    origin::{self, Source},
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::{SignedDuration, Timestamp};
use mulberry_shared::{
    answer::sentence,
    approval::{AHEAD, LIFE, Opening, OpeningFile},
    digest::Sha256Digest,
    edition::TrustState,
    exit::Exit,
    gates::{Gate, ReadGates},
    limits::Limits,
    operators::{GateRequest, GateState, ProblemKind, RecipeStatus, StatusResponse},
    proposal::{
        Signing,
        signing::{holders, names},
    },
    recipe::{Opens, Recipe, RecipePath},
    sampling::BasisPoints,
};
use std::path::Path;

/// The recipe that is meant, as this machine verified it.
struct Meant {
    recipe: Recipe,
    sha256: Sha256Digest,
    gate: Option<Gate>,
}

impl Meant {
    /// Until when people signed its gate to be open, if not until the recipe's own end.
    fn open_until(&self) -> Option<Timestamp> {
        self.gate.as_ref()?.approval.as_ref()?.open_until
    }

    /// What is said to the public where nobody says anything new: a gate that stays as it is keeps its note.
    fn note(&self, percent: BasisPoints) -> String {
        let stays = |gate: &&Gate| (gate.state, gate.percent) == (GateState::Open, percent);
        self.gate.as_ref().filter(stays).map_or_else(String::new, |gate| gate.note.clone())
    }
}

/// Makes an opening, has it signed with the keys at hand, and submits it or writes it to a file.
///
/// # Errors
/// Whatever is not as it should be, before anything is signed; or the server's refusal.
pub(super) async fn open(
    command: &cli::Open,
    settings: &Settings,
    passphrases: &mut Passphrases,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    // Found out now rather than after people have typed passphrases.
    let said = Words::given(command.reason.as_deref(), command.public_note.as_deref(), limits)?;
    let (server, status) = match &command.out {
        None => {
            let server = Operators::new(settings)?;
            let status = server.status().await?;
            (Some(server), Some(status))
        }
        Some(out) => {
            in_file::check_place(out)?;
            (None, listen(settings).await)
        }
    };
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
    let path = command.recipe.among(&base::listed(&state)).map_err(|error| {
        Failure::no(ProblemKind::UnknownRecipe, format!("Among what is published {}", sentence(&error)))
    })?;
    let base = base::current(Source::Origin(&endpoint), &state, path.lane, now, limits).await?;
    let meant = meant(&state, &base, &path, limits)?;
    if let Some(revision) = command.revision.filter(|revision| *revision != meant.recipe.revision) {
        return Err(super::other_revision(&command.recipe, meant.recipe.revision, revision));
    }
    let percent = BasisPoints::new(command.percent).unwrap_or(BasisPoints::EVERYONE);
    let live = status.as_ref().and_then(|status| Some((status, listed(status, &path)?)));
    let stops = match live {
        Some((status, recipe)) if server.is_some() => {
            others::agreed(status, recipe, percent.get(), &command.resume, now)?
        }
        // Whoever submits the file names them.
        Some((_, recipe)) => others::undone(recipe, percent.get()),
        None => Vec::new(),
    };
    let before = meant.open_until().or_else(|| others::gate(live?.1)?.open_until);
    let chosen = command.no_open_until || command.open_until.is_some();
    others::check_open_until(before.filter(|_| meant.recipe.opens == Opens::People), chosen, now)?;
    let open_until = open_until(command.open_until, &meant.recipe, now)?;
    let mut file = OpeningFile {
        opening: Opening { open_until, ..opening(&path, &meant, percent, now) },
        reason: said.reason(limits)?,
        note: said.note.unwrap_or_else(|| meant.note(percent)),
        stops,
        signatures: Vec::new(),
        base: edition.map(|edition| edition.write()),
    };
    publish::say(format, &words::describe(&file, &meant, now))?;
    if command.out.is_some() && status.is_none() {
        output::warn("no server was asked, so who paused or narrowed the gate is not known here.");
    }
    if !command.key.is_empty() {
        let keys =
            signers::load(&command.key, path.lane, &base.targets, state.trusted().root(), passphrases)?;
        publish::agree(command.yes, "Open this, and sign it?", "opened")?;
        add(&mut file, &keys, &base)?;
    }
    let needed = needed(&meant.recipe, &base)?;
    let signing = signing(&file, &base, limits)?;
    match (&command.out, server) {
        (Some(out), _) => {
            in_file::write(out, &file, Existing::Refuse)?;
            in_file::print(&file, out, &signing, needed, format)
        }
        (None, Some(_)) if signing.signed.len() < needed => Err(Failure::no(
            ProblemKind::SecondKeyNeeded,
            format!(
                "Only the people of the {} lane open {path}, {needed} of them; {}. Nothing was opened. Run it again with their \
                 --key FILE added, or with --out FILE for their machines.",
                path.lane,
                signing.describe()
            ),
        )),
        (None, Some(server)) => {
            let resumes = file.stops.iter().map(|stop| stop.event).collect();
            hand_in(&server, &file, resumes, format).await
        }
        (None, None) => Err(Failure::usage(FailureKind::Internal, "Give --server URL or --out FILE.")),
    }
}

/// Signs the opening in a file.
///
/// # Errors
/// The file is none, or not for what is published; a key that may not sign.
pub(super) async fn sign_file(
    command: &cli::SignOpening,
    settings: &Settings,
    passphrases: &mut Passphrases,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let mut file = in_file::read(&command.file, limits)?;
    let opening = file.opening.clone();
    let lane = opening.path.lane;
    let pinned = origin::pinned(settings.root()?, limits)?;
    let (state, base) = sign::view_of_file(file.base.as_deref(), lane, settings, pinned, now, limits).await?;
    let meant = meant(&state, &base, &opening.path, limits)?;
    let unfit = |why: String| {
        Failure::refused(
            FailureKind::OpeningUnfit,
            format!("{}: {why}. Nothing was signed.", command.file.display()),
        )
    };
    if (opening.revision, opening.sha256) != (meant.recipe.revision, meant.sha256) {
        return Err(unfit(format!(
            "it is for revision {} with SHA-256 {:.12}…, and revision {} with SHA-256 {:.12}… is published",
            opening.revision,
            opening.sha256.to_string(),
            meant.recipe.revision,
            meant.sha256.to_string()
        )));
    }
    if opening.expires <= now {
        return Err(unfit(format!(
            "it could be handed in until {}; make a new one",
            output::instant(opening.expires)
        )));
    }
    let authority = signers::authority(&base.targets, lane)?;
    let broken = file.opening.broken(authority, &file.signatures, &limits.trust);
    sign::check_unaltered(broken.map(|labels| holders(authority, &labels)))?;
    let before = signing(&file, &base, limits)?;
    // Signatures of keys that do not count are left out here, whoever put them there.
    file.signatures.retain(|signature| before.signed.iter().any(|key| key.keyid == signature.keyid));
    publish::say(format, &words::describe(&file, &meant, now))?;
    publish::say(format, &format!("Signed by {}.", names(&before.signed)))?;
    let keys = signers::load(&command.key, lane, &base.targets, state.trusted().root(), passphrases)?;
    signers::check_new(&command.file.display().to_string(), &keys, &before, lane, &base.targets)?;
    publish::agree(command.yes, "Sign this opening?", "signed")?;
    add(&mut file, &keys, &base)?;
    in_file::write(&command.file, &file, Existing::Replace)?;
    let after = signing(&file, &base, limits)?;
    in_file::print(&file, &command.file, &after, needed(&meant.recipe, &base)?, format)
}

/// Submits the opening in a file.
///
/// # Errors
/// The file cannot be read, it would undo what somebody stopped, or the server refuses.
pub(in crate::commands) async fn submit(
    path: &Path,
    resume: &[u64],
    settings: &Settings,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let file = in_file::read(path, limits)?;
    let server = Operators::new(settings)?;
    let status = server.status().await?;
    // A recipe that the server does not have is for the server to refuse.
    let resumes = match listed(&status, &file.opening.path) {
        Some(recipe) => others::resumes(&status, recipe, file.opening.percent.get(), resume, now)?,
        None => Vec::new(),
    };
    hand_in(&server, &file, resumes, format).await
}

/// What a server says of its gates, where one is at hand: a file is made without one, too.
async fn listen(settings: &Settings) -> Option<StatusResponse> {
    Operators::new(settings).ok()?.status().await.ok()
}

fn listed<'a>(status: &'a StatusResponse, path: &RecipePath) -> Option<&'a RecipeStatus> {
    status.recipes.iter().find(|recipe| recipe.path == path.to_string())
}

async fn hand_in(
    server: &Operators,
    file: &OpeningFile,
    resumes: Vec<u64>,
    format: Format,
) -> Result<Exit, Failure> {
    let OpeningFile { opening, reason, note, signatures, .. } = file;
    let request = GateRequest {
        revision: opening.revision,
        state: GateState::Open,
        percent: Some(opening.percent.get()),
        reason: reason.clone(),
        // What was read before signing is what is published, also where that is nothing.
        note: Some(note.clone()),
        resumes,
        approval: Some(opening.approved(signatures.clone())),
    };
    let response = server.gate(&opening.path, &request).await?;
    super::print(format, &response, reason)
}

fn meant(state: &TrustState, base: &Base, path: &RecipePath, limits: &Limits) -> Result<Meant, Failure> {
    let unknown = |why: &str| Failure::no(ProblemKind::UnknownRecipe, format!("{path}: {why}."));
    let recipe = match base.recipes.get(path) {
        Some(Ok(recipe)) => recipe.clone(),
        Some(Err(why)) => return Err(unknown(&format!("what is published cannot be read ({why})"))),
        None => return Err(unknown("no such recipe is published")),
    };
    let read = edition_gates(state, limits);
    if let Some(why) = read.as_ref().and_then(|read| read.unclear.get(path)) {
        return Err(unknown(&format!("its gate is not understood here: {why}; use a newer mulberryctl")));
    }
    let edition = state.edition(limits);
    let lane = edition.as_ref().and_then(|edition| edition.lanes.get(&path.lane));
    let listed = lane.and_then(|lane| lane.recipes.iter().find(|listed| listed.path == *path));
    let content = listed.and_then(|listed| listed.content.as_ref().ok());
    let content = content
        .ok_or_else(|| unknown("its lane has expired, so agents take nothing new; renew the lane first"))?;
    let gate = base.gates.get(path).filter(|gate| gate.revision == recipe.revision).cloned();
    Ok(Meant { recipe, sha256: content.sha256, gate })
}

/// An opening from now on, and after whatever the gate was set to before, unless a wrong clock has dated that far ahead: a server
/// takes no such opening, and asks for none.
fn opening(path: &RecipePath, meant: &Meant, percent: BasisPoints, now: Timestamp) -> Opening {
    let second = SignedDuration::from_secs(1);
    let near = meant.gate.as_ref().filter(|gate| gate.since.duration_since(now) < AHEAD);
    let after = near.and_then(|gate| gate.since.checked_add(second).ok());
    let since = Timestamp::from_second(now.as_second()).unwrap_or(now).max(after.unwrap_or(Timestamp::MIN));
    Opening {
        path: path.clone(),
        revision: meant.recipe.revision,
        sha256: meant.sha256,
        percent,
        since,
        expires: since.saturating_add(LIFE).unwrap_or(Timestamp::MAX),
        open_until: None,
    }
}

/// The time that is signed: none for the recipe's own end, which clients keep to anyway. So older ones read the opening, too.
fn open_until(
    wanted: Option<Timestamp>,
    recipe: &Recipe,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    let Some(until) = wanted.filter(|until| *until != recipe.expires) else { return Ok(None) };
    let unfit = |why: String| {
        Err(Failure::usage(FailureKind::OpenUntil, format!("--open-until: {why} Nothing was signed.")))
    };
    if recipe.opens == Opens::Server {
        return unfit(
            "clients check it only where the recipe says opens = \"people\"; this one the server's keys alone open. Pause or end \
             its gate when the time has come."
                .to_owned(),
        );
    }
    if until <= now {
        return unfit(format!("{} is over.", output::instant(until)));
    }
    if until > recipe.expires {
        return unfit(format!("the recipe itself ends before that, at {}.", output::instant(recipe.expires)));
    }
    Ok(Some(until))
}

fn edition_gates(state: &TrustState, limits: &Limits) -> Option<ReadGates> {
    state.edition(limits)?.gates?.read.ok()
}

fn add(file: &mut OpeningFile, keys: &[PersonKey], base: &Base) -> Result<(), Failure> {
    let authority = signers::authority(&base.targets, file.opening.path.lane)?;
    for key in keys {
        let signature = file
            .opening
            .sign(authority, key.as_ref())
            .map_err(|error| Failure::refused(error.kind, error.to_string()))?;
        file.add(signature);
    }
    Ok(())
}

/// Who has signed it, so that it holds.
fn signing(file: &OpeningFile, base: &Base, limits: &Limits) -> Result<Signing, Failure> {
    let authority = signers::authority(&base.targets, file.opening.path.lane)?;
    let signed = file.opening.signed_by(authority, &file.signatures, &limits.trust);
    let signed = signed.map_err(|error| Failure::refused(error.kind, error.to_string()))?;
    Ok(Signing::of(authority, &signed))
}

/// How many must sign: one, who is not the one that asks; as many as sign a recipe, where only they may open it.
fn needed(recipe: &Recipe, base: &Base) -> Result<usize, Failure> {
    match recipe.opens {
        Opens::Server => Ok(1),
        Opens::People => {
            let authority = signers::authority(&base.targets, recipe.lane)?;
            Ok(usize::try_from(authority.role_keys.threshold).unwrap_or(usize::MAX))
        }
    }
}
