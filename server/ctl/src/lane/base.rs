//! The lane as it is published now, verified as every agent verifies it.

use crate::{
    context::CommandContext,
    edition,
    failure::Failure,
    http::Endpoint,
    origin::{self, Source},
    output,
};
use mulberry_shared::{
    bundle::Bundle,
    edition::{OnlineRole, TrustState, Waiver, profile},
    gates::Gate,
    limits::Limits,
    proposal::{Live, UnknownRecipe},
    recipe::{Lane, Recipe, RecipePath, published},
    tuf::{
        Fetch, Reply, Targets, TrustError, TrustErrorKind, Verified, location, metadata::MetaFile, trusted,
        verify,
    },
};
use std::{collections::BTreeMap, path::Path};

/// What is published now.
pub struct Base {
    /// The targets role, which names the lane's keys.
    pub targets: Verified<Targets>,
    /// The lane's metadata.
    pub lane: Verified<Targets>,
    /// The other lane, where it verifies.
    pub other: Option<Verified<Targets>>,
    /// The recipes of the lane; why not, where one cannot be read.
    pub recipes: BTreeMap<RecipePath, Result<Recipe, UnknownRecipe>>,
    /// The gates, where they verify.
    pub gates: BTreeMap<RecipePath, Gate>,
}

impl Base {
    /// The same, as proposals are compared with it.
    pub fn live(&self) -> Live<'_> {
        Live {
            targets: &self.targets,
            lane: &self.lane,
            other: self.other.as_deref(),
            recipes: &self.recipes,
            gates: &self.gates,
        }
    }
}

/// A whole refresh from the pinned root.
///
/// # Errors
/// Unreachable, or refused, up to and including the targets role; lanes are judged when they are used.
pub async fn refresh(
    endpoint: &Endpoint,
    pinned: TrustState,
    context: &CommandContext,
) -> Result<TrustState, Failure> {
    output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
    let (state, report) = origin::refresh(endpoint, pinned, context.now, &context.limits).await;
    let above = ["root", "timestamp", "snapshot", "targets"];
    if let Some(error) = report.errors().find(|error| above.contains(&error.subject.as_str())) {
        return Err(origin::failure(endpoint, error));
    }
    // An expired lane gets its own word when it is the one to continue; when it is not, it does not matter here.
    for error in report.errors().filter(|error| error.kind != TrustErrorKind::Expired) {
        output::warn(&error.to_string());
    }
    Ok(state)
}

/// The same for what goes into a file, `out`: with the edition that whoever signs it compares it with.
///
/// # Errors
/// As [`refresh`].
pub async fn refresh_for(
    out: Option<&Path>,
    endpoint: &Endpoint,
    pinned: TrustState,
    context: &CommandContext,
) -> Result<(Option<Bundle>, TrustState), Failure> {
    if out.is_none() {
        return Ok((None, refresh(endpoint, pinned, context).await?));
    }
    output::progress(&format!("Fetching and verifying what {} publishes", endpoint.base()));
    let (bundle, state) = edition::collect(endpoint, &pinned, context.now, &context.limits).await?;
    Ok((Some(bundle), state))
}

/// What is live at the origin, as this machine verifies it from its own root.
///
/// # Errors
/// As [`refresh`] and [`current`].
pub async fn of_origin(lane: Lane, context: &CommandContext) -> Result<(TrustState, Base), Failure> {
    let (pinned, endpoint) = (context.pinned()?, context.origin()?);
    let state = refresh(&endpoint, pinned, context).await?;
    let base = current(Source::Origin(&endpoint), &state, lane, context).await?;
    Ok((state, base))
}

/// The same in the edition that a file carries, unless an origin is named on the command line.
///
/// # Errors
/// There is none in it, or it is refused.
pub async fn of_file(
    carried: Option<&[u8]>,
    lane: Lane,
    context: &CommandContext,
) -> Result<(TrustState, Base), Failure> {
    // A person hands the file in and is told how old it is; what people signed is never waived.
    let waiver = Waiver::of(OnlineRole::ALL);
    let Some((bundle, state)) = edition::carried(carried, context.now, &waiver, context)? else {
        return of_origin(lane, context).await;
    };
    let base = current(Source::Bundle(&bundle), &state, lane, context).await?;
    let consequence =
        "What was published since then is not known here; the server refuses what no longer fits.";
    edition::warn_of_age(&state, consequence, context);
    if let Some(missing) = base.recipes.values().find_map(|recipe| recipe.as_ref().err()) {
        output::warn(&format!("a published recipe cannot be read in the file: {missing}"));
    }
    Ok((state, base))
}

/// What the lanes of the verified state list.
pub fn listed(state: &TrustState) -> Vec<RecipePath> {
    let lanes = Lane::ALL.into_iter().filter_map(|lane| state.trusted().targets(lane.as_str()));
    lanes.flat_map(|metadata| metadata.targets.keys()).filter_map(|path| path.parse().ok()).collect()
}

/// Everything that the next version of `lane` builds on.
///
/// A lane whose metadata has expired is still the one to continue: its signatures, hash and version hold, and signing it
/// again is how it comes back to life. Its expiry is waived here, loudly, and nowhere else.
///
/// # Errors
/// The lane cannot be fetched or does not verify.
pub async fn current(
    source: Source<'_>,
    state: &TrustState,
    lane: Lane,
    context: &CommandContext,
) -> Result<Base, Failure> {
    let (now, limits) = (context.now, &context.limits);
    let role = lane.as_str();
    let refused = |error: TrustError| source.failure(&error);
    let missing = || TrustError::new(TrustErrorKind::Absent, "targets", "it has not been verified");
    let targets = state.trusted().targets("targets").ok_or_else(|| refused(missing()))?;
    let expected = state.trusted().expected_targets(role).map_err(refused)?;
    let lane_metadata = match state.trusted().targets(role) {
        Some(held) if state.trusted().has_expected_targets(role, "targets") => held.clone(),
        _ => {
            let held = waive_expiry(source, targets, role, expected, limits).await.map_err(refused)?;
            match held.check_unexpired(role, now) {
                Err(_) => output::warn(&format!(
                    "the {lane} lane has expired, and agents take nothing new from it. Publishing this continues it and brings it \
                     back to life."
                )),
                Ok(()) => {
                    let sentence = "it could not be verified in the refresh, see the warning above";
                    return Err(refused(TrustError::new(TrustErrorKind::AgainstProfile, role, sentence)));
                }
            }
            held
        }
    };
    let mut recipes = BTreeMap::new();
    let edition = state.edition(limits);
    let verified = edition.as_ref().and_then(|edition| edition.lanes.get(&lane));
    for (path, file) in &lane_metadata.targets {
        let Ok(path) = path.parse::<RecipePath>() else { continue };
        let here = verified.and_then(|content| content.recipes.iter().find(|recipe| recipe.path == path));
        let bytes = match here {
            Some(recipe) => match &recipe.content {
                Ok(content) => Ok(content.bytes.to_vec()),
                Err(error) => Err(error.clone().into()),
            },
            None => match file.sha256().filter(|_| file.length <= limits.trust.file_bytes) {
                None => Err(UnknownRecipe::Unfetchable),
                Some(sha256) => {
                    let wanted = Fetch {
                        path: location::file(&path.to_string(), Some(&sha256)),
                        max_bytes: file.length,
                    };
                    let reply = reply(source.fetch(&wanted).await, &wanted);
                    reply.map_err(UnknownRecipe::NotFetched).and_then(|bytes| {
                        let name = path.to_string();
                        trusted::check_content(&name, &bytes, Some(file.length), Some(&file.hashes))?;
                        Ok(bytes)
                    })
                }
            },
        };
        let recipe = bytes.and_then(|bytes| Ok(published::read(&path, &bytes, limits)?));
        recipes.insert(path, recipe);
    }
    let gates = edition.and_then(|edition| edition.gates).and_then(|gates| gates.read.ok());
    let other = Lane::ALL.into_iter().find(|other| *other != lane);
    Ok(Base {
        targets: targets.clone(),
        lane: lane_metadata,
        other: other.and_then(|other| state.trusted().targets(other.as_str()).cloned()),
        recipes,
        gates: gates.map(|read| read.gates.0).unwrap_or_default(),
    })
}

async fn waive_expiry(
    source: Source<'_>,
    targets: &Verified<Targets>,
    role: &str,
    expected: &MetaFile,
    limits: &Limits,
) -> Result<Verified<Targets>, TrustError> {
    let limit = limits.trust.targets_bytes;
    let max_bytes = expected.length.unwrap_or(limit).min(limit);
    let wanted = Fetch { path: location::consistent_metadata(role, expected.version), max_bytes };
    let bytes = reply(source.fetch(&wanted).await, &wanted)
        .map_err(|why| TrustError::new(TrustErrorKind::Unreachable, role, why))?;
    trusted::check_content(role, &bytes, expected.length, expected.hashes.as_ref())?;
    let lane = verify::delegated(targets, "targets", role, &bytes, limits)?;
    profile::check(role, &lane, limits)?;
    if lane.version == expected.version {
        return Ok(lane);
    }
    let sentence = format!("version {} where the snapshot promises {}", lane.version, expected.version);
    Err(TrustError::new(TrustErrorKind::WrongVersion, role, sentence))
}

fn reply(reply: Reply, wanted: &Fetch) -> Result<Vec<u8>, String> {
    match reply {
        Reply::Bytes(bytes) => Ok(bytes),
        Reply::TooLong => Err(format!("{} is longer than it may be", wanted.path)),
        Reply::Absent => Err(format!("the origin has no {}", wanted.path)),
        Reply::Failed(why) => Err(format!("{} could not be fetched: {why}", wanted.path)),
    }
}
