//! Who may hold keys. The tool asks before it proposes, each signer's tool before it signs, and the server before it keeps.
//!
//! Roles that people sign: each key has a person, no person has two keys of a role, and the people are as many as must sign at
//! least. Roles that the server signs: one key alone suffices. No key serves two roles, and none is named that serves no role.
//!
//! A person's name is a [`Person`](crate::tuf::Person), and two that look alike are one person. Repositories whose metadata has other names were
//! published before that was checked. Agents count keys and read no names, so they go on; a ceremony is refused until it gives
//! those people other names ([`Step::Rename`](super::Step::Rename)), and a ledger that records such metadata still reads
//! ([`Names::AsRecorded`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::edition::profile;
use crate::proposal::Role;
use crate::quoted::quoted;
use crate::tuf::threshold::{Authority, RoleKeys};
use crate::tuf::{Holder, Key, KeyId, PublicKey, Root, Targets, TrustError};

/// The roles whose keys the server holds.
pub const ONLINE: [&str; 3] = ["snapshot", "timestamp", profile::GATES];

/// How names of people are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Each must be a [`Person`](crate::tuf::Person), and no two of a role may look alike: whatever people are yet to sign.
    Checked,
    /// As they were judged when names might be any text: what a ledger recorded happened, and reads for ever.
    AsRecorded,
}

/// Why a set of keys is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not enough people for the threshold.
    #[error(
        "the {role} role would have {people} people, and {threshold} of them must sign: nobody could ever sign it again. Add a \
         person's key first, or lower the threshold"
    )]
    LocksOut {
        /// The role.
        role: String,
        /// How many people would be left.
        people: usize,
        /// How many must sign.
        threshold: u32,
    },
    /// A key of nobody.
    #[error("a key of the {role} role names no person; record whose it is")]
    Nobody {
        /// The role.
        role: String,
    },
    /// A name that is none.
    #[error(
        "a key of the {role} role is held by {name}, which is no name of a person: {}. Give that person another name first: \
         mulberryctl root rename {digits}=NAME",
        crate::tuf::NotAPerson
    )]
    NotAPerson {
        /// The role.
        role: String,
        /// The name in quotation marks.
        name: String,
        /// The first digits of the key's fingerprint.
        digits: String,
    },
    /// One person with two keys.
    #[error(
        "{person} would hold two keys of the {role} role, and could be two of the people who must sign. Revoke the old one in \
         the same step: rotate"
    )]
    PersonTwice {
        /// Who.
        person: String,
        /// The role.
        role: String,
    },
    /// Two people whom a reader could take for one, or one who passes for two.
    #[error(
        "the {role} role would be held by {one} and by {other}, names that look alike: nobody could tell whether they are two \
         people. Give one of them another name: mulberryctl root rename {other}=NAME"
    )]
    LookAlike {
        /// The role.
        role: String,
        /// One name.
        one: String,
        /// The other.
        other: String,
    },
    /// One key in two places.
    #[error(
        "one key would serve both {one} and {other}: whoever has it would have both. Make a key for each role"
    )]
    KeyTwice {
        /// A role.
        one: String,
        /// Another, or the same.
        other: String,
    },
    /// A key that cannot count.
    #[error("a key of the {role} role cannot be read, so it could never sign")]
    Unreadable {
        /// The role.
        role: String,
    },
    /// A key of a person where the server's belongs, or several of them.
    #[error(
        "the {role} role is signed by the server alone, with one key of its own that names no person: {why}"
    )]
    Online {
        /// The role.
        role: String,
        /// What is wrong.
        why: String,
    },
    /// A key that no role uses.
    #[error("it names a key that serves no role, which nobody would see")]
    Idle,
    /// Something the workflow of every client refuses.
    #[error("{0}")]
    Trust(#[from] TrustError),
}

/// Checks the keys of all seven roles together.
///
/// # Errors
/// [`RuleError`].
pub fn check(root: &Root, targets: &Targets, names: Names) -> Result<(), RuleError> {
    let mut taken: BTreeMap<&PublicKey, String> = BTreeMap::new();
    for authority in authorities(root, targets)? {
        let role = authority.role.to_owned();
        let mut people = BTreeMap::new();
        for id in &authority.role_keys.keyids {
            let key = authority.keys.get(id);
            let public =
                key.and_then(Key::public).ok_or_else(|| RuleError::Unreadable { role: role.clone() })?;
            if let Some(other) = taken.insert(public, role.clone()) {
                return Err(RuleError::KeyTwice { one: other, other: role });
            }
            let holder = key.map_or(&Holder::Nobody, Key::holder);
            if ONLINE.contains(&authority.role) {
                let is_named = match names {
                    Names::Checked => *holder != Holder::Nobody,
                    Names::AsRecorded => matches!(holder, Holder::Person(_)),
                };
                if is_named {
                    return Err(online(authority.role, "a key names a person"));
                }
                continue;
            }
            let (name, shown) = told_apart(&role, holder, public, names)?;
            if let Some(other) = people.insert(name, shown.clone()) {
                return Err(if other.eq_ignore_ascii_case(&shown) {
                    RuleError::PersonTwice { person: shown, role }
                } else {
                    RuleError::LookAlike { role, one: other, other: shown }
                });
            }
        }
        let threshold = authority.role_keys.threshold;
        if ONLINE.contains(&authority.role) {
            if authority.role_keys.keyids.len() != 1 || threshold != 1 {
                let why =
                    format!("it would have {} and {threshold} must sign", authority.role_keys.keyids.len());
                return Err(online(authority.role, &why));
            }
        } else if threshold == 0 || u32::try_from(people.len()).is_ok_and(|people| people < threshold) {
            return Err(RuleError::LocksOut { role, people: people.len(), threshold });
        }
    }
    let used = |keys: &BTreeMap<KeyId, Key>, roles: &[&RoleKeys]| {
        let named: BTreeSet<&KeyId> = roles.iter().flat_map(|role| &role.keyids).collect();
        keys.keys().all(|id| named.contains(id))
    };
    let top: Vec<&RoleKeys> = root.roles.values().collect();
    let delegations = targets.delegations.as_ref();
    let below: Vec<&RoleKeys> =
        delegations.iter().flat_map(|all| &all.roles).map(|delegation| &delegation.role_keys).collect();
    if !used(&root.keys, &top) || !delegations.is_none_or(|all| used(&all.keys, &below)) {
        return Err(RuleError::Idle);
    }
    profile::check_keys(targets, root)?;
    Ok(())
}

/// What each of the seven roles is checked against.
///
/// # Errors
/// `not-delegated` when one is missing.
pub fn authorities<'a>(root: &'a Root, targets: &'a Targets) -> Result<Vec<Authority<'a>>, TrustError> {
    let mut all = Vec::new();
    for role in ["root", "targets", "snapshot", "timestamp"] {
        all.push(root.authority(role)?);
    }
    for role in profile::DELEGATED {
        all.push(targets.authority(role, "targets")?);
    }
    Ok(all)
}

/// What `role` is checked against.
///
/// # Errors
/// `not-delegated` when it is missing.
pub fn authority<'a>(role: Role, root: &'a Root, targets: &'a Targets) -> Result<Authority<'a>, TrustError> {
    match role {
        Role::Root | Role::Targets => root.authority(role.as_str()),
        Role::Emergency | Role::Routine => targets.authority(role.as_str(), "targets"),
    }
}

/// What a holder is told apart by from the others of the role, and the name as people see it.
fn told_apart(
    role: &str,
    holder: &Holder,
    key: &PublicKey,
    names: Names,
) -> Result<(String, String), RuleError> {
    match (holder, names) {
        (Holder::Nobody, _) => Err(RuleError::Nobody { role: role.to_owned() }),
        (Holder::Person(person), Names::Checked) => Ok((person.folded(), person.to_string())),
        (Holder::Person(person), Names::AsRecorded) => {
            Ok((person.as_str().to_lowercase(), person.to_string()))
        }
        (Holder::Unfit(name), Names::AsRecorded) => Ok((name.to_lowercase(), quoted(name))),
        (Holder::Unfit(name), Names::Checked) => Err(RuleError::NotAPerson {
            role: role.to_owned(),
            name: quoted(name),
            digits: format!("{:.16}", key.fingerprint().to_string()),
        }),
    }
}

fn online(role: &str, why: &str) -> RuleError {
    RuleError::Online { role: role.to_owned(), why: why.to_owned() }
}
