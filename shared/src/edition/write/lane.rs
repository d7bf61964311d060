//! A lane's next version: drafted by the operators' tool, checked by whoever publishes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp as Instant;

use super::{Life, files, target_file};
use crate::edition::profile;
use crate::limits::Limits;
use crate::recipe::{Lane, RecipePath, Slug};
use crate::tuf::error::{TrustError, TrustErrorKind};
use crate::tuf::metadata::{TargetFile, Targets};
use crate::tuf::verify::{self, Verified};
use crate::tuf::write::exhausted;

/// The next version of a lane in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneDraft {
    lane: Lane,
    previous: u64,
    targets: BTreeMap<String, TargetFile>,
}

impl LaneDraft {
    /// Continues the lane's current metadata; `None` makes its first version, which is empty.
    #[must_use]
    pub fn new(lane: Lane, current: Option<&Targets>) -> Self {
        Self {
            lane,
            previous: current.map_or(0, |current| current.version),
            targets: current.map(|current| current.targets.clone()).unwrap_or_default(),
        }
    }

    /// Adds a recipe, or replaces it by these bytes.
    ///
    /// # Errors
    /// `against-profile` when the path is another lane's.
    pub fn add(&mut self, path: &RecipePath, bytes: &[u8]) -> Result<(), TrustError> {
        if path.lane != self.lane {
            let sentence =
                format!("it belongs to the {} lane, and the {} lane is drafted", path.lane, self.lane);
            return Err(TrustError::new(TrustErrorKind::AgainstProfile, path.to_string(), sentence));
        }
        self.targets.insert(path.to_string(), target_file(bytes));
        Ok(())
    }

    /// Takes a recipe out.
    ///
    /// # Errors
    /// `undeclared` when the lane does not list it.
    pub fn withdraw(&mut self, slug: &Slug) -> Result<(), TrustError> {
        let path = RecipePath { lane: self.lane, slug: slug.clone() }.to_string();
        match self.targets.remove(&path) {
            Some(_) => Ok(()),
            None => Err(not_listed(&path, self.lane)),
        }
    }

    /// The body to sign: version previous + 1, living as long as a lane does.
    ///
    /// # Errors
    /// `too-many` when versions are exhausted.
    pub fn build(&self, now: Instant) -> Result<Targets, TrustError> {
        let version = self.previous.checked_add(1).ok_or_else(exhausted)?;
        Ok(files(version, Life::Lane.from(now), self.targets.clone()))
    }
}

/// A lane's new metadata, checked, and what it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneChange {
    /// The new metadata.
    pub metadata: Verified<Targets>,
    /// What it changes.
    pub difference: LaneDifference,
}

/// What a lane's next version changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneDifference {
    /// Recipes that were not there before.
    pub added: Vec<RecipePath>,
    /// Recipes whose bytes change.
    pub changed: Vec<RecipePath>,
    /// Recipes that are there no more; all of them were named.
    pub withdrawn: Vec<RecipePath>,
    /// Recipes that stay as they are.
    pub unchanged: Vec<RecipePath>,
}

/// What a lane's next metadata is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// The targets role in force.
    pub targets: &'a Verified<Targets>,
    /// The lane as published; `None` before its first version.
    pub current: Option<&'a Verified<Targets>>,
    /// The lanes published beside it, whose slugs are taken.
    pub other_lanes: &'a [&'a Targets],
}

/// Checks a lane's next metadata before it is published, as strictly as any client will.
///
/// The version must be exactly the current one plus one: two proposals made side by side cannot both be published, and a
/// slip of the pen cannot use up versions. Every recipe that disappears must be named in `withdraw`, and nothing else.
///
/// # Errors
/// As [`verify::check`] (threshold, shape …); `wrong-version`, `expired`, `against-profile`, `undeclared`, `too-many`.
pub fn verify_lane(
    published: Published<'_>,
    lane: Lane,
    bytes: &[u8],
    withdraw: &[Slug],
    now: Instant,
    limits: &Limits,
) -> Result<LaneChange, TrustError> {
    let role = lane.as_str();
    verify::too_large(role, bytes, limits.trust.targets_bytes)?;
    let metadata = verify::delegated(published.targets, "targets", role, bytes, limits)?;
    let difference = compare_lane(published, lane, &metadata, withdraw, now, limits)?;
    Ok(LaneChange { metadata, difference })
}

/// Everything of [`verify_lane`] that does not depend on who has signed: for metadata that people are still signing.
///
/// # Errors
/// `wrong-version`, `expired`, `against-profile`, `undeclared`, `too-many`, `wrong-hash`, `not-delegated`.
pub fn compare_lane(
    published: Published<'_>,
    lane: Lane,
    next: &Targets,
    withdraw: &[Slug],
    now: Instant,
    limits: &Limits,
) -> Result<LaneDifference, TrustError> {
    let Published { targets, current, other_lanes } = published;
    let role = lane.as_str();
    verify::unexpired(role, next, now)?;
    profile::check(role, next, limits)?;
    check_version(role, next.version, current.map_or(0, |current| current.version))?;
    let mut difference = LaneDifference::default();
    let none = BTreeMap::new();
    let before = current.map_or(&none, |current| &current.targets);
    let taken: BTreeSet<&str> =
        other_lanes.iter().flat_map(|other| other.targets.keys()).filter_map(|p| slug(p)).collect();
    for (path, file) in &next.targets {
        let parsed = own_path(lane, path)?;
        check_file(path, file, limits)?;
        check_delegation(targets, role, path)?;
        if taken.contains(parsed.slug.as_str()) {
            let sentence = "another lane has a recipe of this name; rename one of them";
            return Err(TrustError::new(TrustErrorKind::AgainstProfile, path.clone(), sentence));
        }
        match before.get(path) {
            None => difference.added.push(parsed),
            Some(old) if old.length == file.length && old.sha256() == file.sha256() => {
                difference.unchanged.push(parsed);
            }
            Some(_) => difference.changed.push(parsed),
        }
    }
    let withdraw: BTreeSet<&Slug> = withdraw.iter().collect();
    for slug in &withdraw {
        let slug = *slug;
        let path = RecipePath { lane, slug: slug.clone() };
        if !before.contains_key(&path.to_string()) {
            return Err(not_listed(&path.to_string(), lane));
        }
        if next.targets.contains_key(&path.to_string()) {
            let sentence =
                "it is to be withdrawn, and the new metadata still lists it; sign again without it";
            return Err(TrustError::new(TrustErrorKind::Undeclared, path.to_string(), sentence));
        }
    }
    for path in before.keys().filter(|path| !next.targets.contains_key(*path)) {
        let Ok(parsed) = path.parse::<RecipePath>() else { continue };
        if !withdraw.contains(&parsed.slug) {
            let sentence = format!(
                "it would disappear; say so with --withdraw {}, or sign metadata that keeps it",
                parsed.slug
            );
            return Err(TrustError::new(TrustErrorKind::Undeclared, path.clone(), sentence));
        }
        difference.withdrawn.push(parsed);
    }
    Ok(difference)
}

fn check_version(role: &str, new: u64, current: u64) -> Result<(), TrustError> {
    if Some(new) == current.checked_add(1) {
        return Ok(());
    }
    let sentence = format!(
        "version {new} follows version {current}; it must be the very next one: fetch what is published and sign again"
    );
    Err(TrustError::new(TrustErrorKind::WrongVersion, role, sentence))
}

fn own_path(lane: Lane, path: &str) -> Result<RecipePath, TrustError> {
    path.parse::<RecipePath>().ok().filter(|parsed| parsed.lane == lane).ok_or_else(|| {
        let sentence = format!("the {lane} lane may list {lane}/<slug>.json only");
        TrustError::new(TrustErrorKind::AgainstProfile, path, sentence)
    })
}

/// A client looks the path up by name: the first delegation that covers it must lead here.
fn check_delegation(targets: &Targets, role: &str, path: &str) -> Result<(), TrustError> {
    let first = targets.delegations.iter().flat_map(|d| &d.roles).find(|delegation| delegation.covers(path));
    if !targets.targets.contains_key(path) && first.is_some_and(|delegation| delegation.name == role) {
        return Ok(());
    }
    let sentence = "targets does not delegate this path to the lane, so clients would refuse it";
    Err(TrustError::new(TrustErrorKind::NotDelegated, path, sentence))
}

fn check_file(path: &str, file: &TargetFile, limits: &Limits) -> Result<(), TrustError> {
    if file.length > limits.trust.file_bytes {
        let sentence =
            format!("{} bytes, more than the {} a client takes", file.length, limits.trust.file_bytes);
        return Err(TrustError::new(TrustErrorKind::TooMany, path, sentence));
    }
    match file.sha256() {
        Some(_) => Ok(()),
        None => Err(TrustError::new(TrustErrorKind::WrongHash, path, "no SHA-256 is signed for it")),
    }
}

fn slug(path: &str) -> Option<&str> {
    path.rsplit_once('/')?.1.strip_suffix(".json")
}

fn not_listed(path: &str, lane: Lane) -> TrustError {
    let sentence = format!("the {lane} lane does not list it, so it cannot be withdrawn");
    TrustError::new(TrustErrorKind::Undeclared, path, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edition::test_repository::{Repository, dynamic, signers};
    use crate::edition::write;

    struct Case {
        repository: Repository,
        targets: Verified<Targets>,
        current: Verified<Targets>,
    }

    /// An emergency lane of version 2 with the recipe `fix`.
    fn case() -> Case {
        let mut repository = Repository::new();
        repository.add(Lane::Emergency, "fix", b"one");
        repository.publish();
        let (state, _) = repository.refresh(&repository.pinned());
        let held = |role| state.trusted().targets(role).unwrap().clone();
        Case { targets: held("targets"), current: held("emergency"), repository }
    }

    impl Case {
        fn draft(&self) -> LaneDraft {
            LaneDraft::new(Lane::Emergency, Some(&self.current))
        }

        fn check(
            &self,
            body: &Targets,
            keys: &[u8],
            withdraw: &[&str],
        ) -> Result<LaneChange, TrustErrorKind> {
            let bytes = write::sign(body, &dynamic(&signers(keys))).unwrap();
            let routine = [&self.repository.lanes[&Lane::Routine]];
            let published =
                Published { targets: &self.targets, current: Some(&self.current), other_lanes: &routine };
            let withdraw: Vec<Slug> = withdraw.iter().map(|slug| slug.parse().unwrap()).collect();
            let now = self.repository.now;
            verify_lane(published, Lane::Emergency, &bytes, &withdraw, now, &Limits::default())
                .map_err(|error| error.kind)
        }
    }

    fn path(text: &str) -> RecipePath {
        text.parse().unwrap()
    }

    #[test]
    fn a_drafted_and_signed_lane_passes_and_says_what_changes() {
        let case = case();
        let mut draft = case.draft();
        draft.add(&path("emergency/new.json"), b"new").unwrap();
        draft.add(&path("emergency/fix.json"), b"two").unwrap();
        let change = case.check(&draft.build(case.repository.now).unwrap(), &[21, 23], &[]).unwrap();
        assert_eq!((change.metadata.version, change.metadata.signed_by().len()), (3, 2));
        assert_eq!(
            (change.difference.added, change.difference.changed),
            (vec![path("emergency/new.json")], vec![path("emergency/fix.json")])
        );
        assert!(draft.add(&path("routine/new.json"), b"new").is_err());
        assert!(draft.withdraw(&"absent".parse().unwrap()).is_err());
    }

    #[test]
    fn what_disappears_must_be_named_and_what_is_named_must_disappear() {
        let case = case();
        let mut draft = case.draft();
        draft.withdraw(&"fix".parse().unwrap()).unwrap();
        let without = draft.build(case.repository.now).unwrap();
        let with = case.draft().build(case.repository.now).unwrap();
        let keys = [21, 22];
        assert_eq!(
            case.check(&without, &keys, &["fix"]).unwrap().difference.withdrawn,
            [path("emergency/fix.json")]
        );
        assert_eq!(case.check(&without, &keys, &[]), Err(TrustErrorKind::Undeclared));
        assert_eq!(case.check(&with, &keys, &["fix"]), Err(TrustErrorKind::Undeclared));
        assert_eq!(case.check(&with, &keys, &["absent"]), Err(TrustErrorKind::Undeclared));
        assert!(case.check(&with, &keys, &[]).is_ok());
    }

    #[test]
    fn what_clients_would_refuse_is_refused_before_it_is_published() {
        let case = case();
        let good = case.draft().build(case.repository.now).unwrap();
        let changed = |change: &dyn Fn(&mut Targets)| {
            let mut body = good.clone();
            change(&mut body);
            case.check(&body, &[21, 22], &[])
        };
        let list = |path: &'static str| {
            changed(&move |body| {
                body.targets.insert(path.into(), target_file(b"x"));
            })
        };
        assert_eq!(case.check(&good, &[21], &[]), Err(TrustErrorKind::Threshold));
        assert_eq!(case.check(&good, &[21, 31], &[]), Err(TrustErrorKind::Threshold));
        for version in [1, 2, 4, u64::MAX] {
            assert_eq!(changed(&|body| body.version = version), Err(TrustErrorKind::WrongVersion));
        }
        assert_eq!(changed(&|body| body.expires = case.repository.now), Err(TrustErrorKind::Expired));
        for path in ["routine/x.json", "gates.json", "emergency/X.json", "emergency/a/b.json"] {
            assert_eq!(list(path), Err(TrustErrorKind::AgainstProfile), "{path}");
        }
        let delegating = |body: &mut Targets| body.delegations = case.targets.delegations.clone();
        assert_eq!(changed(&delegating), Err(TrustErrorKind::AgainstProfile));
        let vast = |body: &mut Targets| body.targets.values_mut().for_each(|file| file.length = u64::MAX);
        assert_eq!(changed(&vast), Err(TrustErrorKind::TooMany));
        let unhashed = |body: &mut Targets| body.targets.values_mut().for_each(|file| file.hashes.clear());
        assert_eq!(changed(&unhashed), Err(TrustErrorKind::WrongHash));
    }

    #[test]
    fn a_slug_of_another_lane_is_taken() {
        let mut case = case();
        case.repository.add(Lane::Routine, "chore", b"chore");
        let mut draft = case.draft();
        draft.add(&path("emergency/chore.json"), b"x").unwrap();
        let body = draft.build(case.repository.now).unwrap();
        assert_eq!(case.check(&body, &[21, 22], &[]), Err(TrustErrorKind::AgainstProfile));
    }
}
