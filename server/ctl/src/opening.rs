//! Openings that more than one person answers for: made and signed at once, or in a file on its way between two machines.
//!
//! What people read before they sign is computed from the bytes to be signed and from what this machine verified itself. What only
//! a server or a file says is marked as that.
//!
//! | module | what |
//! |---|---|
//! | `in_file` | reading and writing the file, and what it holds |
//! | `words` | what people read before they sign |

pub mod in_file;
pub mod words;

use crate::{
    context::CommandContext,
    failure::Failure,
    gates::{answer, stops},
    keys::PersonKey,
    lane::{base::Base, signers},
    operators::Operators,
};
use jiff::Timestamp;
use mulberry_shared::{
    approval::OpeningFile,
    digest::Sha256Digest,
    edition::TrustState,
    exit::Exit,
    gates::{Gate, ReadGates},
    limits::Limits,
    operators::{GateRequest, GateState, ProblemKind, RecipeStatus, StatusResponse},
    proposal::Signing,
    recipe::{Opens, Recipe, RecipePath},
    sampling::BasisPoints,
};
use std::path::Path;

/// The recipe that is meant, as this machine verified it.
pub struct Meant {
    /// What is published.
    pub recipe: Recipe,
    /// Of its bytes.
    pub sha256: Sha256Digest,
    /// Its gate, where there is one for this revision.
    pub gate: Option<Gate>,
}

impl Meant {
    /// Until when people signed its gate to be open, if not until the recipe's own end.
    #[must_use]
    pub fn open_until(&self) -> Option<Timestamp> {
        self.gate.as_ref()?.approval.as_ref()?.open_until
    }

    /// What is said to the public where nobody says anything new: a gate that stays as it is keeps its note.
    #[must_use]
    pub fn note(&self, percent: BasisPoints) -> String {
        let stays = |gate: &&Gate| (gate.state, gate.percent) == (GateState::Open, percent);
        self.gate.as_ref().filter(stays).map_or_else(String::new, |gate| gate.note.clone())
    }
}

/// Submits the opening in a file.
///
/// # Errors
/// The file cannot be read, it would undo what somebody stopped, or the server refuses.
pub async fn submit(path: &Path, resume: &[u64], context: &CommandContext) -> Result<Exit, Failure> {
    let file = in_file::read(path, &context.limits)?;
    let server = context.server()?;
    let status = server.status().await?;
    // A recipe that the server does not have is for the server to refuse.
    let resumes = match listed(&status, &file.opening.path) {
        Some(recipe) => stops::resumes(&status, recipe, file.opening.percent.get(), resume, context.now)?,
        None => Vec::new(),
    };
    hand_in(&server, &file, resumes, context).await
}

/// What the server says of a recipe.
#[must_use]
pub fn listed<'a>(status: &'a StatusResponse, path: &RecipePath) -> Option<&'a RecipeStatus> {
    status.recipes.iter().find(|recipe| recipe.path == path.to_string())
}

/// Hands the opening to the server, to undo these pauses and narrowings.
///
/// # Errors
/// The server refuses.
pub async fn hand_in(
    server: &Operators,
    file: &OpeningFile,
    resumes: Vec<u64>,
    context: &CommandContext,
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
    answer::print(context.format, &response, reason)
}

/// Finds the recipe of this path, and its gate, in what was verified.
///
/// # Errors
/// It is not published, or not as this program can read it.
pub fn meant(state: &TrustState, base: &Base, path: &RecipePath, limits: &Limits) -> Result<Meant, Failure> {
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

fn edition_gates(state: &TrustState, limits: &Limits) -> Option<ReadGates> {
    state.edition(limits)?.gates?.read.ok()
}

/// Signs it with each of the keys.
///
/// # Errors
/// A key that cannot sign.
pub fn add(file: &mut OpeningFile, keys: &[PersonKey], base: &Base) -> Result<(), Failure> {
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
///
/// # Errors
/// The signatures cannot be counted.
pub fn signing(file: &OpeningFile, base: &Base, limits: &Limits) -> Result<Signing, Failure> {
    let authority = signers::authority(&base.targets, file.opening.path.lane)?;
    let signed = file.opening.signed_by(authority, &file.signatures, &limits.trust);
    let signed = signed.map_err(|error| Failure::refused(error.kind, error.to_string()))?;
    Ok(Signing::of(authority, &signed))
}

/// How many must sign: one, who is not the one that asks; as many as sign a recipe, where only they may open it.
///
/// # Errors
/// The lane has no keys.
pub fn needed(recipe: &Recipe, base: &Base) -> Result<usize, Failure> {
    match recipe.opens {
        Opens::Server => Ok(1),
        Opens::People => {
            let authority = signers::authority(&base.targets, recipe.lane)?;
            Ok(usize::try_from(authority.role_keys.threshold).unwrap_or(usize::MAX))
        }
    }
}
