//! Mulberry's rules above TUF: what targets delegates to, and what lanes and gates may say.

use std::collections::BTreeMap;

use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::recipe::{Lane, RecipePath};
use crate::tuf::error::{TrustError, TrustErrorKind};
use crate::tuf::key::PublicKey;
use crate::tuf::lookup::{Found, Lookup};
use crate::tuf::metadata::{Root, TargetFile, Targets};
use crate::tuf::threshold::Authority;
use crate::tuf::trusted::{RollbackFloor, Trusted};

/// The role of the server's gates.
pub const GATES: &str = "gates";

/// The one file of that role.
pub const GATES_FILE: &str = "gates.json";

/// The delegated roles, in order of delegation and of refresh: the emergency lane waits for nobody.
pub const DELEGATED: [&str; 3] = ["emergency", "routine", GATES];

/// Roles that people sign keep their floors when the online keys rotate.
pub const FLOOR: RollbackFloor = RollbackFloor::UntilKeysRotate(&["targets", "emergency", "routine"]);

/// One recipe that a lane lists and that a client may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path.
    pub path: RecipePath,
    /// Its SHA-256.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub length: u64,
}

/// What a lane lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Each recipe of the lane, or why that one is refused.
    pub recipes: Vec<(RecipePath, Result<Listed, TrustError>)>,
    /// Entries whose path is no recipe of this lane; ignored.
    pub foreign: Vec<TrustError>,
}

/// The lane of a role.
#[must_use]
pub fn lane_of(role: &str) -> Option<Lane> {
    role.parse().ok()
}

/// The path patterns that targets must delegate to `role`.
#[must_use]
pub fn patterns(role: &str) -> Vec<String> {
    vec![if role == GATES { GATES_FILE.to_owned() } else { format!("{role}/*.json") }]
}

/// Checks whose keys targets names, against the root above it.
///
/// A lane's metadata does not say which lane it is, so whatever one role's keys sign can be served as that of every other
/// role of the same kind that names enough of them: an empty routine lane as the emergency lane, which would then read as
/// withdrawn. So top-level targets and the roles that it delegates to share no key, and no online key is a person's.
/// Decoded keys are compared: labels prove nothing.
///
/// # Errors
/// `against-profile`.
pub fn check_keys(targets: &Targets, root: &Root) -> Result<(), TrustError> {
    let top = |role: &'static str| root.authority(role);
    let delegated = targets.delegations.iter().flat_map(|delegations| {
        let keys = &delegations.keys;
        delegations.roles.iter().map(move |delegation| Authority {
            role: &delegation.name,
            keys,
            role_keys: &delegation.role_keys,
        })
    });
    let alike: Vec<Authority<'_>> = std::iter::once(top("targets")?).chain(delegated).collect();
    let is_online = |authority: &&Authority<'_>| authority.role == GATES;
    let mut holders: BTreeMap<&PublicKey, &str> = BTreeMap::new();
    for authority in &alike {
        for key in authority.distinct_keys() {
            if let Some(other) = holders.insert(key, authority.role) {
                return Err(shared(key, other, authority.role));
            }
        }
    }
    let mut people: BTreeMap<&PublicKey, &str> = BTreeMap::new();
    for person in alike.iter().filter(|authority| !is_online(authority)).chain([&top("root")?]) {
        people.extend(person.distinct_keys().into_iter().map(|key| (key, person.role)));
    }
    for machine in alike.iter().filter(is_online).chain(&[top("snapshot")?, top("timestamp")?]) {
        for key in machine.distinct_keys() {
            if let Some(person) = people.get(key) {
                return Err(shared(key, machine.role, person));
            }
        }
    }
    Ok(())
}

fn shared(key: &PublicKey, one: &str, other: &str) -> TrustError {
    let fingerprint: String = key.fingerprint().to_string().chars().take(12).collect();
    let sentence = format!(
        "the roles {one} and {other} share the {} key with fingerprint {fingerprint}, so what is signed for one could be served \
         as the other's; sign targets that gives each role keys of its own",
        key.algorithm()
    );
    TrustError::new(TrustErrorKind::AgainstProfile, "targets", sentence)
}

/// Checks what a delegated role says as a whole. Single recipes that a lane should not list are refused alone, by
/// [`list`], so that one cannot stop another.
///
/// # Errors
/// `against-profile` when the role delegates further or gates list anything but `gates.json`; `too-many` recipes.
pub fn check(role: &str, targets: &Targets, limits: &Limits) -> Result<(), TrustError> {
    let refuse = |sentence: String| Err(TrustError::new(TrustErrorKind::AgainstProfile, role, sentence));
    if targets.delegations.as_ref().is_some_and(|delegations| !delegations.roles.is_empty()) {
        return refuse("it delegates further, which no lane may".into());
    }
    if role == GATES {
        return match targets.targets.keys().find(|path| *path != GATES_FILE) {
            Some(path) => refuse(format!("it lists {path}; the online key may speak for {GATES_FILE} only")),
            None => Ok(()),
        };
    }
    if targets.targets.len() > limits.trust.recipes {
        let sentence =
            format!("{} recipes, more than the {} allowed", targets.targets.len(), limits.trust.recipes);
        return Err(TrustError::new(TrustErrorKind::TooMany, role, sentence));
    }
    Ok(())
}

/// What the lane lists, as far as it is trusted.
///
/// The agent asks which recipes exist and TUF answers look-ups by name, so each listed path must also resolve, by the
/// delegated look-up, to the lane that lists it.
#[must_use]
pub fn list(lane: Lane, trusted: &Trusted, limits: &Limits) -> Listing {
    let mut listing = Listing::default();
    let Some(metadata) = trusted.targets(lane.as_str()) else { return listing };
    let too_many = trusted.targets("targets").and_then(|targets| too_many_patterns(targets, limits));
    for (path, file) in &metadata.targets {
        match path.parse::<RecipePath>() {
            Ok(parsed) if parsed.lane == lane => {
                let listed = match &too_many {
                    Some(error) => Err(error.clone()),
                    None => listed(&parsed, path, file, trusted, limits),
                };
                listing.recipes.push((parsed, listed));
            }
            _ => {
                let sentence =
                    format!("the {lane} lane lists it, and may list {lane}/<slug>.json only; ignored");
                listing.foreign.push(TrustError::new(TrustErrorKind::AgainstProfile, path.clone(), sentence));
            }
        }
    }
    listing
}

/// Why no recipe of a lane is looked up: each would be held against all patterns.
fn too_many_patterns(targets: &Targets, limits: &Limits) -> Option<TrustError> {
    let delegations = targets.delegations.iter().flat_map(|delegations| &delegations.roles);
    let patterns = delegations.flat_map(|delegation| [&delegation.paths, &delegation.path_hash_prefixes]);
    let bytes = patterns.flatten().flatten().map(|pattern| pattern.len().saturating_add(16));
    let (bytes, most) = (bytes.fold(0, usize::saturating_add), limits.trust.pattern_bytes);
    let sentence = || format!("its delegations have patterns of {bytes} bytes, more than the {most} allowed");
    (bytes > most).then(|| TrustError::new(TrustErrorKind::TooMany, "targets", sentence()))
}

fn listed(
    parsed: &RecipePath,
    path: &str,
    file: &TargetFile,
    trusted: &Trusted,
    limits: &Limits,
) -> Result<Listed, TrustError> {
    let refuse = |kind, sentence: String| Err(TrustError::new(kind, path, sentence));
    let held = |role: &str, delegator: &str| {
        role == "targets" || trusted.delegated().get(role).is_some_and(|held| held.delegator == delegator)
    };
    match Lookup::new(path).step(trusted, limits, held)? {
        Found::Target { role, file: found } if role == parsed.lane.as_str() && found == *file => {}
        Found::Target { role, .. } | Found::Needs { role, .. } => {
            let sentence =
                format!("looked up by name it leads to the role {role}, not to the lane that lists it");
            return refuse(TrustErrorKind::NotDelegated, sentence);
        }
        Found::Nothing => {
            let sentence = "looked up by name it leads to no role; targets does not delegate it to its lane";
            return refuse(TrustErrorKind::NotDelegated, sentence.into());
        }
    }
    if file.length > limits.trust.file_bytes {
        let sentence =
            format!("{} bytes are signed, more than the {} allowed", file.length, limits.trust.file_bytes);
        return refuse(TrustErrorKind::TooMany, sentence);
    }
    let Some(sha256) = file.sha256() else {
        return refuse(TrustErrorKind::WrongHash, "no SHA-256 is signed for it".into());
    };
    // Slugs name recipes for people: one slug, one recipe. The emergency lane is never the one that yields.
    if parsed.lane != Lane::Emergency {
        let rival = RecipePath { lane: Lane::Emergency, slug: parsed.slug.clone() }.to_string();
        if trusted.targets(Lane::Emergency.as_str()).is_some_and(|lane| lane.targets.contains_key(&rival)) {
            let sentence =
                format!("its slug is also that of {rival}, which takes precedence; rename one of them");
            return refuse(TrustErrorKind::AgainstProfile, sentence);
        }
    }
    Ok(Listed { path: parsed.clone(), sha256, length: file.length })
}
