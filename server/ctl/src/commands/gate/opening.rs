//! Openings that more than one person answers for: made and signed at once, or in a file on its way between two machines.
//!
//! What people read before they sign is computed from the bytes to be signed and from what this machine verified itself.

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
    files::{self, Existing},
    http::{Endpoint, Purpose},
    keys::PersonKey,
    operators::Operators,
    origin::{self, Source},
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::{SignedDuration, Timestamp};
use mulberry_shared::{
    approval::{AHEAD, LIFE, Opening, OpeningFile},
    digest::Sha256Digest,
    exit::Exit,
    gates::{Gate, ReadGates},
    limits::Limits,
    operators::{GateRequest, GateState, ProblemKind},
    proposal::{
        Signing,
        signing::{holders, names},
    },
    recipe::{Opens, Recipe, RecipePath, words},
    sampling::BasisPoints,
    trust::TrustState,
};
use std::{io, path::Path};

/// The recipe that is meant, as this machine verified it.
struct Meant {
    recipe: Recipe,
    sha256: Sha256Digest,
    gate: Option<Gate>,
}

/// Makes an opening, has it signed with the keys at hand, and hands it in or writes it to a file.
///
/// # Errors
/// Whatever is not as it should be, before anything is signed; or the server's refusal.
pub(super) async fn open(
    command: &cli::Open,
    said: Words,
    settings: &Settings,
    passphrases: &mut Passphrases,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    // Found out now rather than after people have typed passphrases.
    let server = match &command.out {
        None => Some(Operators::new(settings)?),
        Some(out) => {
            files::check_place(out, Existing::Refuse).map_err(|error| unwritable(out, &error))?;
            None
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
        Failure::no(ProblemKind::UnknownRecipe, format!("Among what is published {error}."))
    })?;
    let base = base::current(Source::Origin(&endpoint), &state, path.lane, now, limits).await?;
    let meant = meant(&state, &base, &path, limits)?;
    if let Some(revision) = command.revision.filter(|revision| *revision != meant.recipe.revision) {
        return Err(super::other_revision(&command.recipe, meant.recipe.revision, revision));
    }
    let percent = BasisPoints::new(command.percent).unwrap_or(BasisPoints::EVERYONE);
    let resumes = match &server {
        Some(server) => resumes(server, &path, percent, command.resume, now).await?,
        None => None,
    };
    let open_until = open_until(command.open_until, &meant.recipe, now)?;
    let mut file = OpeningFile {
        opening: Opening { open_until, ..opening(&path, &meant, percent, now) },
        reason: said.reason,
        note: said.note.unwrap_or_default(),
        signatures: Vec::new(),
        base: edition.map(|edition| edition.write()),
    };
    publish::say(format, &describe(&file, &meant, now))?;
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
            write(out, &file, Existing::Refuse)?;
            in_file(&file, out, &signing, needed, format)
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
        (None, Some(server)) => hand_in(&server, &file, resumes, format).await,
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
    let mut file = read(&command.file, limits)?;
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
    publish::say(format, &describe(&file, &meant, now))?;
    publish::say(format, &format!("Signed by {}.", names(&before.signed)))?;
    let keys = signers::load(&command.key, lane, &base.targets, state.trusted().root(), passphrases)?;
    signers::check_new(&command.file.display().to_string(), &keys, &before, lane, &base.targets)?;
    publish::agree(command.yes, "Sign this opening?", "signed")?;
    add(&mut file, &keys, &base)?;
    write(&command.file, &file, Existing::Replace)?;
    let after = signing(&file, &base, limits)?;
    in_file(&file, &command.file, &after, needed(&meant.recipe, &base)?, format)
}

/// Hands the opening in a file to the server.
///
/// # Errors
/// The file cannot be read, it would undo what somebody stopped, or the server refuses.
pub(in crate::commands) async fn submit(
    path: &Path,
    resume: bool,
    settings: &Settings,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let file = read(path, limits)?;
    let server = Operators::new(settings)?;
    let resumes = resumes(&server, &file.opening.path, file.opening.percent, resume, now).await?;
    hand_in(&server, &file, resumes, format).await
}

/// What the opening would undo. A recipe that the server does not have is for the server to refuse.
async fn resumes(
    server: &Operators,
    path: &RecipePath,
    percent: BasisPoints,
    resume: bool,
    now: Timestamp,
) -> Result<Option<u64>, Failure> {
    let status = server.status().await?;
    let recipe = status.recipes.iter().find(|recipe| recipe.path == path.to_string());
    recipe.map_or(Ok(None), |recipe| others::resumes(recipe, percent.get(), resume, now))
}

async fn hand_in(
    server: &Operators,
    file: &OpeningFile,
    resumes: Option<u64>,
    format: Format,
) -> Result<Exit, Failure> {
    let OpeningFile { opening, reason, note, signatures, .. } = file;
    let request = GateRequest {
        revision: opening.revision,
        state: GateState::Open,
        percent: Some(opening.percent.get()),
        reason: reason.clone(),
        note: (!note.is_empty()).then(|| note.clone()),
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

fn describe(file: &OpeningFile, meant: &Meant, now: Timestamp) -> String {
    let Opening { path, revision, percent, .. } = &file.opening;
    let gate = match &meant.gate {
        None => "closed".to_owned(),
        Some(gate) => match gate.state {
            GateState::Open => format!("open at {}", gate.percent),
            GateState::Paused => format!("paused at {}", gate.percent),
            GateState::Ended => "ended".to_owned(),
        },
    };
    let most = meant.recipe.rollout.max_percent;
    let beyond = if *percent > most {
        format!("\nPeople signed at most {most}, so that is all that it reaches.")
    } else {
        String::new()
    };
    format!(
        "OPENS {path} revision {revision} at {percent} of those it is for; now it is {gate}.{beyond}\n{}\n\
         Not signed, and can be changed on the way: the reason {:?}, {}\n\n{}",
        binds(&file.opening, &meant.recipe),
        file.reason,
        match file.note.as_str() {
            "" => "and no note for the public".to_owned(),
            note => format!("and the note for the public {note:?}"),
        },
        words::describe(&meant.recipe, now)
    )
}

/// Until when the signature counts, and whom that binds.
fn binds(opening: &Opening, recipe: &Recipe) -> String {
    let (handed_in, end) = (output::instant(opening.expires), output::instant(recipe.expires));
    let clients = match (recipe.opens, opening.open_until) {
        (Opens::Server, _) => format!(
            "Clients never see it: until the recipe ends, at {end}, they open by the server's keys alone."
        ),
        (Opens::People, Some(until)) => format!(
            "Clients take the recipe by it until {}, whoever holds the server's keys; who has taken it keeps it.",
            output::instant(until)
        ),
        (Opens::People, None) => format!(
            "Clients take the recipe by it until the recipe ends, at {end}, whoever holds the server's keys. To end that sooner: \
             --open-until."
        ),
    };
    format!(
        "The server takes it once, before {handed_in}. That binds the server, and nobody who stole its keys.\n{clients}"
    )
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

/// What the file holds, and what comes next.
fn in_file(
    file: &OpeningFile,
    path: &Path,
    signing: &Signing,
    needed: usize,
    format: Format,
) -> Result<Exit, Failure> {
    let Opening { path: recipe, revision, percent, since, expires, .. } = &file.opening;
    let (name, who) = (path.display(), names(&signing.signed));
    let incomplete = signing.signed.len() < needed;
    let next = if incomplete {
        format!("mulberryctl gate sign {name} --key people/NAME/{}.pem", recipe.lane)
    } else {
        format!("mulberryctl submit {name}")
    };
    format.print(
        || {
            let whose = match (incomplete, signing.signed.len()) {
                (true, _) => format!("Next, by one of {}", names(&signing.others)),
                (false, 1) => format!("Next, by somebody else than {who} alone"),
                (false, _) => "Next".to_owned(),
            };
            format!(
                "\n{name}: opens {recipe} revision {revision} at {percent}, signed by {who}. Nothing is open yet.\n{whose}: {next}"
            )
        },
        || {
            let signed: Vec<&str> = signing.signed.iter().map(|key| key.holder.as_str()).collect();
            serde_json::json!({
                "outcome": "in-file", "file": name.to_string(), "path": recipe, "revision": revision, "percent": percent,
                "since": since.to_string(), "expires": expires.to_string(), "signed": signed, "next": next,
            })
        },
    )?;
    Ok(Exit::Yes)
}

fn read(path: &Path, limits: &Limits) -> Result<OpeningFile, Failure> {
    let fault =
        |what: String| Failure::usage(FailureKind::OpeningUnreadable, format!("{}: {what}.", path.display()));
    let max = u64::try_from(limits.proposal.file_bytes).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(path, max).map_err(|error| fault(error.to_string()))?;
    OpeningFile::read(&bytes, limits).map_err(|error| fault(error.to_string()))
}

fn write(path: &Path, file: &OpeningFile, existing: Existing) -> Result<(), Failure> {
    let bytes = file.write().map_err(|error| {
        Failure::usage(FailureKind::FileUnwritable, format!("{}: {error}.", path.display()))
    })?;
    files::write_whole(path, &bytes, existing).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(
            FailureKind::FileExists,
            format!("{} exists and is left as it is. Name another file.", path.display()),
        ),
        _ => Failure::usage(FailureKind::FileUnwritable, format!("{}: {error}.", path.display())),
    }
}
