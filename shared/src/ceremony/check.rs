//! Everything a ceremony must be before anybody signs it, keeps it or publishes it.
//!
//! It may change keys, thresholds, versions and expiries, and nothing else: so before and after in words is all there is.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::rules::{self, Names, RuleError};
use super::{Ceremony, Live};
use crate::edition::profile;
use crate::limits::Limits;
use crate::proposal::Role;
use crate::recipe::Lane;
use crate::tuf::{Key, KeyId, Root, Targets, TrustError, Verified, verify};

/// Why a ceremony cannot be signed or published on what is live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A role has moved on.
    #[error("it is version {version} of {role}, and version {live} is published already")]
    Overtaken {
        /// The role.
        role: Role,
        /// Its version.
        version: u64,
        /// What is published.
        live: u64,
    },
    /// A part changes more than keys, thresholds and expiries, skips a version, or is of no use.
    #[error("{role}: {why}")]
    Part {
        /// The part.
        role: Role,
        /// What is wrong.
        why: String,
    },
    /// Without another part, agents could not verify a role any more.
    #[error(
        "the published {role} would not verify any more, and the ceremony does not sign it again: agents would lose it. \
         Propose the ceremony again"
    )]
    Unverifiable {
        /// The role.
        role: Role,
    },
    /// The keys.
    #[error("{0}")]
    Rules(#[from] RuleError),
    /// The metadata is refused.
    #[error("{0}")]
    Metadata(#[from] TrustError),
}

/// What is in force after a ceremony, verified as every client verifies it. Absent: as before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The next root.
    pub root: Option<Verified<Root>>,
    /// The next targets.
    pub targets: Option<Verified<Targets>>,
    /// The lanes that were signed again.
    pub lanes: BTreeMap<Lane, Verified<Targets>>,
}

impl Ceremony {
    /// Everything that depends neither on the time nor on who has signed.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn check(&self, live: &Live<'_>, limits: &Limits) -> Result<(), Unfit> {
        self.check_by(Names::Checked, live, limits)?;
        let Some(role) = self.says_more(live) else { return Ok(()) };
        let why =
            "it gives a key attributes that nobody is shown; a key has its type, its value and its person"
                .to_owned();
        Err(Unfit::Part { role, why })
    }

    /// The same by the rules of earlier versions, which let people have any names: only for what a ledger recorded.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn check_recorded(&self, live: &Live<'_>, limits: &Limits) -> Result<(), Unfit> {
        self.check_by(Names::AsRecorded, live, limits)
    }

    fn check_by(&self, names: Names, live: &Live<'_>, limits: &Limits) -> Result<(), Unfit> {
        for (role, part) in &self.parts {
            let current = match role.lane() {
                None if *role == Role::Root => live.root.version,
                None => live.targets.version,
                Some(lane) => live.lanes.get(&lane).map_or(0, |held| held.version),
            };
            let version = part.version();
            if version <= current {
                return Err(Unfit::Overtaken { role: *role, version, live: current });
            }
            if Some(version) != current.checked_add(1) {
                let why =
                    format!("version {version} follows version {current}; it must be the very next one");
                return Err(Unfit::Part { role: *role, why });
            }
        }
        let same = |role: Role, same: bool| {
            let why = "it changes more than keys, thresholds and expiry, which a ceremony may not".to_owned();
            if same { Ok(()) } else { Err(Unfit::Part { role, why }) }
        };
        if let Some(root) = self.root() {
            same(Role::Root, frame_of_root(root) == frame_of_root(live.root))?;
        }
        if let Some(targets) = self.targets() {
            same(Role::Targets, frame_of_targets(targets) == frame_of_targets(live.targets))?;
        }
        let root = self.root().unwrap_or(live.root);
        let targets = self.targets().unwrap_or(live.targets);
        rules::check(root, targets, names)?;
        for lane in Lane::ALL {
            let Some(next) = self.lane(lane) else { continue };
            if self.targets().is_none() {
                let why = "a lane is signed again in a ceremony only where its keys change".to_owned();
                return Err(Unfit::Part { role: lane.into(), why });
            }
            let held =
                live.lanes.get(&lane).is_some_and(|held| frame_of_targets(next) == frame_of_targets(held));
            same(lane.into(), held)?;
            profile::check(lane.as_str(), next, limits)?;
        }
        match missing(self.root(), self.targets(), live, limits)?
            .into_iter()
            .find(|role| !self.parts.contains_key(role))
        {
            Some(role) => Err(Unfit::Unverifiable { role }),
            None => Ok(()),
        }
    }

    /// The first part in which a key says more than people are shown, and than it says now.
    fn says_more(&self, live: &Live<'_>) -> Option<Role> {
        let hides = |next: &BTreeMap<KeyId, Key>, now: &BTreeMap<KeyId, Key>| {
            let known = |key: &Key| now.values().any(|held| held.is_but_for_holder(key));
            next.values().any(|key| key.says_more() && !known(key))
        };
        let none = BTreeMap::new();
        let delegated = |targets: &Targets| targets.delegations.as_ref().map(|all| all.keys.clone());
        let of_root = self.root().is_some_and(|root| hides(&root.keys, &live.root.keys));
        let of_targets = self.targets().and_then(delegated).is_some_and(|keys| {
            hides(&keys, live.targets.delegations.as_ref().map_or(&none, |all| &all.keys))
        });
        of_root.then_some(Role::Root).or(of_targets.then_some(Role::Targets))
    }

    /// That no part has expired already.
    ///
    /// # Errors
    /// `expired`.
    pub fn check_unexpired(&self, now: Timestamp) -> Result<(), TrustError> {
        self.parts.iter().try_for_each(|(role, part)| part.check_unexpired(*role, now))
    }

    /// What is in force after it, if enough have signed every part.
    ///
    /// # Errors
    /// `threshold-not-met` and all others of [`verify::check`].
    pub fn verify(&self, live: &Live<'_>, limits: &Limits) -> Result<Next, TrustError> {
        let bytes = |role: Role| self.parts.get(&role).map(super::Part::metadata);
        let root = bytes(Role::Root).map(|bytes| verify::next_root(live.root, &bytes, limits)).transpose()?;
        let above = root.as_ref().unwrap_or(live.root);
        let targets = bytes(Role::Targets)
            .map(|bytes| verify::top_level::<Targets>(above, &bytes, limits))
            .transpose()?;
        let vouching = targets.as_ref().unwrap_or(live.targets);
        let mut lanes = BTreeMap::new();
        for lane in Lane::ALL {
            let Some(bytes) = bytes(lane.into()) else { continue };
            lanes.insert(lane, verify::delegated(vouching, "targets", lane.as_str(), &bytes, limits)?);
        }
        Ok(Next { root, targets, lanes })
    }
}

/// The roles whose published metadata does not verify under a next root and next targets: they must be signed again.
///
/// # Errors
/// `not-delegated` when a role is missing above.
pub(super) fn missing(
    root: Option<&Root>,
    targets: Option<&Targets>,
    live: &Live<'_>,
    limits: &Limits,
) -> Result<Vec<Role>, TrustError> {
    let mut missing = Vec::new();
    let above = root.unwrap_or(live.root);
    if verify::check::<Targets>(above.authority("targets")?, live.targets.bytes(), limits).is_err() {
        missing.push(Role::Targets);
    }
    let vouching = targets.unwrap_or(live.targets);
    for (lane, held) in &live.lanes {
        let authority = vouching.authority(lane.as_str(), "targets")?;
        if verify::check::<Targets>(authority, held.bytes(), limits).is_err() {
            missing.push((*lane).into());
        }
    }
    Ok(missing)
}

/// A root without what a ceremony may change.
fn frame_of_root(root: &Root) -> Root {
    let mut frame = root.clone();
    (frame.version, frame.expires) = (0, Timestamp::UNIX_EPOCH);
    frame.keys.clear();
    frame.roles.values_mut().for_each(|role| (role.keyids, role.threshold) = (Vec::new(), 0));
    frame
}

/// Targets or a lane without what a ceremony may change: all files stay.
fn frame_of_targets(targets: &Targets) -> Targets {
    let mut frame = targets.clone();
    (frame.version, frame.expires) = (0, Timestamp::UNIX_EPOCH);
    if let Some(delegations) = &mut frame.delegations {
        delegations.keys.clear();
        let roles = delegations.roles.iter_mut().map(|delegation| &mut delegation.role_keys);
        roles.for_each(|role| (role.keyids, role.threshold) = (Vec::new(), 0));
    }
    frame
}
