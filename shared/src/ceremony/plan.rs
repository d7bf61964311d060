//! From a wish to the parts that it takes.
//!
//! What would lock people out is refused here, before anybody is asked to sign; [`rules`] says it again to
//! everyone else.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::rules::{self, Names, RuleError};
use super::{Ceremony, CeremonyError, Live, Part, check};
use crate::edition::profile;
use crate::edition::write::{LaneDraft, Life};
use crate::limits::Limits;
use crate::proposal::Role;
use crate::proposal::signing::holder;
use crate::quoted::quoted;
use crate::recipe::Lane;
use crate::tuf::metadata::Delegations;
use crate::tuf::threshold::RoleKeys;
use crate::tuf::{Holder, Key, KeyId, Person, Root, Targets, TrustError};

/// The fewest hex digits of a fingerprint that name a key.
const FEWEST_DIGITS: usize = 8;

/// One wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One more person may sign for a role.
    Add {
        /// The role.
        role: Role,
        /// Their key, with their name.
        key: Key,
    },
    /// A key may not sign for a role any more.
    Revoke {
        /// The role.
        role: Role,
        /// The person, or the first 8 or more digits of the key's fingerprint.
        who: String,
    },
    /// How many people must sign.
    Threshold {
        /// The role.
        role: Role,
        /// How many.
        threshold: u32,
    },
    /// Root or targets live another year.
    Renew {
        /// The role.
        role: Role,
    },
    /// A person gets another name, in all roles; the keys stay.
    Rename {
        /// The name as it is recorded, or the first 8 or more digits of a key's fingerprint: then of that key alone.
        who: String,
        /// The new name.
        to: Person,
    },
    /// The server signs with these from now on, and with no other.
    Online {
        /// Snapshot, timestamp, gates.
        keys: BTreeMap<String, Key>,
    },
}

/// Whether one person alone may come to sign for a role that two had to sign for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lone {
    /// No.
    Refuse,
    /// Yes: somebody said so by name.
    OnePersonAlone,
}

/// A wish that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nobody of that name.
    #[error("{} holds no key of the {role} role; its keys are held by {holders}", quoted(.who))]
    NobodyOfThatName {
        /// The role.
        role: Role,
        /// As given.
        who: String,
        /// Who does.
        holders: String,
    },
    /// Nobody of that name, in any role.
    #[error("{} holds no key; keys are held by {holders}", quoted(.who))]
    NobodyAtAll {
        /// As given.
        who: String,
        /// Who does.
        holders: String,
    },
    /// One person would be enough.
    #[error(
        "one person alone could sign for the {role} role, where {before} had to until now. If that is meant, say so with \
         --accept one-person-alone"
    )]
    Lone {
        /// The role.
        role: Role,
        /// The threshold until now.
        before: u32,
    },
    /// It is so already.
    #[error("nothing would change: it is so already")]
    NothingChanges,
    /// A wish that makes no sense for its role.
    #[error("{0}")]
    Senseless(String),
    /// The keys.
    #[error("{0}")]
    Rules(#[from] RuleError),
    /// What is live cannot be continued.
    #[error("{0}")]
    Trust(#[from] TrustError),
    /// It cannot be written down.
    #[error("{0}")]
    Ceremony(#[from] CeremonyError),
}

/// A person who loses keys of some roles, and not of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Who.
    pub person: Person,
    /// The roles of which they lose the key that they have.
    pub lost: BTreeSet<Role>,
    /// The roles of which they keep it.
    pub kept: BTreeSet<Role>,
}

/// The people who lose keys by these wishes and keep others.
///
/// # Errors
/// `not-delegated` when a role is missing.
pub fn kept(live: &Live<'_>, steps: &[Step]) -> Result<Vec<Kept>, TrustError> {
    let revoked = |role: Role, key: &Key| {
        let is_meant =
            |step: &Step| matches!(step, Step::Revoke { role: of, who } if *of == role && names(who, key));
        steps.iter().any(is_meant)
    };
    let mut people = BTreeMap::<&Person, [BTreeSet<Role>; 2]>::new();
    for role in Role::PEOPLE {
        let authority = rules::authority(role, live.root, live.targets)?;
        for key in authority.role_keys.keyids.iter().filter_map(|id| authority.keys.get(id)) {
            let Some(person) = key.person() else { continue };
            let [lost, kept] = people.entry(person).or_default();
            if revoked(role, key) {
                lost.insert(role)
            } else {
                kept.insert(role)
            };
        }
    }
    let of_both = people.into_iter().filter(|(_, [lost, kept])| !lost.is_empty() && !kept.is_empty());
    Ok(of_both.map(|(person, [lost, kept])| Kept { person: person.clone(), lost, kept }).collect())
}

/// What is in the making.
struct Draft {
    root: Root,
    targets: Targets,
    renewed: BTreeSet<Role>,
}

/// The ceremony that carries these wishes out, with every part it takes; nobody has signed it.
///
/// # Errors
/// [`PlanError`]; nothing that locks people out is made.
pub fn make(
    live: &Live<'_>,
    steps: &[Step],
    lone: Lone,
    now: Timestamp,
    limits: &Limits,
) -> Result<Ceremony, PlanError> {
    let (root, targets) = ((**live.root).clone(), (**live.targets).clone());
    let mut draft = Draft { root, targets, renewed: BTreeSet::new() };
    for step in steps {
        draft.carry_out(step)?;
    }
    draft.forget_idle_keys();
    let Draft { mut root, mut targets, renewed } = draft;
    let changed = |role: Role, same: bool| !same || renewed.contains(&role);
    let new_root = changed(Role::Root, root == **live.root);
    let mut new_targets = changed(Role::Targets, targets == **live.targets);
    if !new_root && !new_targets {
        return Err(PlanError::NothingChanges);
    }
    rules::check(&root, &targets, Names::Checked)?;
    if lone == Lone::Refuse {
        refuse_lone(live, &root, &targets)?;
    }
    let missing = check::missing(Some(&root), Some(&targets), live, limits)?;
    new_targets |= missing.contains(&Role::Targets);
    let next = |version: u64| {
        let exhausted = || PlanError::Senseless("its versions are exhausted".to_owned());
        version.checked_add(1).ok_or_else(exhausted)
    };
    let mut parts = BTreeMap::new();
    if new_root {
        (root.version, root.expires) = (next(root.version)?, Life::Offline.from(now));
        parts.insert(Role::Root, Part::unsigned(Role::Root, &root, limits)?);
    }
    if new_targets {
        (targets.version, targets.expires) = (next(targets.version)?, Life::Offline.from(now));
        parts.insert(Role::Targets, Part::unsigned(Role::Targets, &targets, limits)?);
    }
    for lane in Lane::ALL {
        let Some(held) = live.lanes.get(&lane).filter(|_| missing.contains(&lane.into())) else { continue };
        let body = LaneDraft::new(lane, Some(held)).build(now)?;
        parts.insert(lane.into(), Part::unsigned(lane.into(), &body, limits)?);
    }
    Ok(Ceremony { parts, base: None })
}

impl Draft {
    fn carry_out(&mut self, step: &Step) -> Result<(), PlanError> {
        match step {
            Step::Add { role, key } => {
                let (keys, role_keys) = self.holders(*role)?;
                if role_keys
                    .keyids
                    .iter()
                    .any(|id| keys.get(id).is_some_and(|held| held.public() == key.public()))
                {
                    let sentence = format!("this key may sign for the {role} role already");
                    return Err(PlanError::Senseless(sentence));
                }
                let label = free_label(keys, key);
                keys.insert(label.clone(), key.clone());
                role_keys.keyids.push(label);
            }
            Step::Revoke { role, who } => {
                let (keys, role_keys) = self.holders(*role)?;
                let is_meant = |id: &KeyId| keys.get(id).is_some_and(|key| names(who, key));
                let before = role_keys.keyids.len();
                let holders = holders(keys, role_keys);
                role_keys.keyids.retain(|id| !is_meant(id));
                if role_keys.keyids.len() == before {
                    return Err(PlanError::NobodyOfThatName { role: *role, who: who.clone(), holders });
                }
            }
            Step::Threshold { role, threshold } => self.holders(*role)?.1.threshold = *threshold,
            Step::Renew { role: role @ (Role::Root | Role::Targets) } => drop(self.renewed.insert(*role)),
            Step::Renew { role } => {
                let sentence = format!(
                    "the {role} lane is renewed with: mulberryctl publish --renew {role} --key FILE …"
                );
                return Err(PlanError::Senseless(sentence));
            }
            Step::Rename { who, to } => self.rename(who, to)?,
            Step::Online { keys } => {
                for role in rules::ONLINE {
                    let key = keys.get(role).ok_or_else(|| {
                        PlanError::Senseless(format!("the file of the server's new keys has none for {role}"))
                    })?;
                    let (known, role_keys) = self.online(role)?;
                    let label = free_label(known, key);
                    known.insert(label.clone(), key.clone());
                    *role_keys = RoleKeys { keyids: vec![label], threshold: 1 };
                }
            }
        }
        Ok(())
    }

    fn rename(&mut self, who: &str, to: &Person) -> Result<(), PlanError> {
        let delegated = self.targets.delegations.iter_mut().flat_map(|all| all.keys.values_mut());
        let keys = self.root.keys.values_mut().chain(delegated);
        let (mut renamed, mut others) = (false, BTreeSet::new());
        for key in keys.filter(|key| *key.holder() != Holder::Nobody) {
            if names(who, key) {
                *key = key.clone().held_by(to);
                renamed = true;
            } else {
                others.insert(holder(key));
            }
        }
        let listed = || others.into_iter().collect::<Vec<_>>().join(", ");
        if renamed { Ok(()) } else { Err(PlanError::NobodyAtAll { who: who.to_owned(), holders: listed() }) }
    }

    fn holders(&mut self, role: Role) -> Result<(&mut BTreeMap<KeyId, Key>, &mut RoleKeys), PlanError> {
        match role {
            Role::Root | Role::Targets => self.top(role.as_str()),
            Role::Emergency | Role::Routine => self.delegated(role.as_str()),
        }
    }

    fn online(&mut self, role: &str) -> Result<(&mut BTreeMap<KeyId, Key>, &mut RoleKeys), PlanError> {
        if role == profile::GATES { self.delegated(role) } else { self.top(role) }
    }

    fn top(&mut self, role: &str) -> Result<(&mut BTreeMap<KeyId, Key>, &mut RoleKeys), PlanError> {
        let Some(role_keys) = self.root.roles.get_mut(role) else { return Err(no_role(role)) };
        Ok((&mut self.root.keys, role_keys))
    }

    fn delegated(&mut self, role: &str) -> Result<(&mut BTreeMap<KeyId, Key>, &mut RoleKeys), PlanError> {
        let Some(Delegations { keys, roles, .. }) = &mut self.targets.delegations else {
            return Err(no_role(role));
        };
        let found = roles.iter_mut().find(|delegation| delegation.name == role);
        Ok((keys, &mut found.ok_or_else(|| no_role(role))?.role_keys))
    }

    fn forget_idle_keys(&mut self) {
        let used: BTreeSet<KeyId> = self.root.roles.values().flat_map(|role| role.keyids.clone()).collect();
        self.root.keys.retain(|id, _| used.contains(id));
        if let Some(delegations) = &mut self.targets.delegations {
            let used: BTreeSet<KeyId> =
                delegations.roles.iter().flat_map(|role| role.role_keys.keyids.clone()).collect();
            delegations.keys.retain(|id, _| used.contains(id));
        }
    }
}

/// The key's usual label, or a longer one where another key has that: labels prove nothing, and must differ.
fn free_label(keys: &BTreeMap<KeyId, Key>, key: &Key) -> KeyId {
    let mut label = key.key_id();
    while keys.get(&label).is_some_and(|held| held != key) {
        label.0.push('0');
    }
    label
}

fn refuse_lone(live: &Live<'_>, root: &Root, targets: &Targets) -> Result<(), PlanError> {
    for role in Role::PEOPLE {
        let before = rules::authority(role, live.root, live.targets)?.role_keys.threshold;
        if before > 1 && rules::authority(role, root, targets)?.role_keys.threshold == 1 {
            return Err(PlanError::Lone { role, before });
        }
    }
    Ok(())
}

/// Whether `who` is the key's person, or the beginning of its fingerprint.
fn names(who: &str, key: &Key) -> bool {
    let person = match key.holder() {
        Holder::Nobody => false,
        Holder::Person(person) => person.as_str().eq_ignore_ascii_case(who),
        Holder::Unfit(name) => name == who,
    };
    let digits = who.len() >= FEWEST_DIGITS;
    person || digits && key.public().is_some_and(|key| key.fingerprint().to_string().starts_with(who))
}

fn holders(keys: &BTreeMap<KeyId, Key>, role_keys: &RoleKeys) -> String {
    let all: BTreeSet<String> = role_keys.keyids.iter().filter_map(|id| keys.get(id)).map(holder).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.into_iter().collect::<Vec<_>>().join(", ") }
}

fn no_role(role: &str) -> PlanError {
    PlanError::Senseless(format!("the trusted metadata has no role {role}"))
}
