//! People's keys: who signed, who is missing, and keys that do not belong here.

use crate::{
    failure::{Failure, FailureKind},
    keys::{self, PersonKey},
    passphrase::Passphrases,
};
use mulberry_shared::{
    operators::ProblemKind,
    proposal::{
        Signing,
        signing::{holder, names},
    },
    recipe::Lane,
    tuf::{Key, Person, Root, Targets, TrustError, TrustErrorKind, threshold::Authority},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Opens the keys and makes sure that each belongs to the lane.
///
/// # Errors
/// A key that cannot be opened, is given twice, or is not one of the lane's.
pub fn load(
    files: &[PathBuf],
    lane: Lane,
    targets: &Targets,
    root: &Root,
    passphrases: &mut Passphrases,
) -> Result<Vec<PersonKey>, Failure> {
    let authority = authority(targets, lane)?;
    let mut signers: Vec<PersonKey> = Vec::new();
    let mut people: Vec<&Person> = Vec::new();
    for file in files {
        let signer = keys::open(file, passphrases)?;
        let public = signer.key().public();
        if signers.iter().any(|known| known.key().public() == public) {
            return Err(Failure::usage(
                FailureKind::KeyTwice,
                format!(
                    "{}: this key is given twice, and one key signs once. Give another person's key.",
                    file.display()
                ),
            ));
        }
        let Some(own) = eligible(&authority).find(|key| key.public() == public) else {
            return Err(foreign(file, lane, signer.key(), targets, root));
        };
        let person =
            own.person().filter(|person| people.iter().any(|known| known.folded() == person.folded()));
        if let Some(person) = person {
            return Err(Failure::usage(
                FailureKind::PersonTwice,
                format!(
                    "{}: {person} signs already with another key, and {} different people must sign. Give another person's key.",
                    file.display(),
                    authority.role_keys.threshold
                ),
            ));
        }
        people.extend(own.person());
        signers.push(signer);
    }
    Ok(signers)
}

/// Makes sure that none of the signers' people has signed what they `named` already, with this key or another.
///
/// # Errors
/// `already-signed`, with who may sign instead, or what comes next where nobody is missing.
pub fn check_new(
    named: &str,
    signers: &[PersonKey],
    signing: &Signing,
    lane: Lane,
    targets: &Targets,
) -> Result<(), Failure> {
    let authority = authority(targets, lane)?;
    let signed: Vec<&Key> = signing.signed.iter().filter_map(|key| authority.keys.get(&key.keyid)).collect();
    for signer in signers {
        let own = eligible(&authority).find(|key| key.public() == signer.key().public());
        let Some(own) = own else { continue };
        let same = |other: &&&Key| {
            let folded = |key: &Key| key.person().map(Person::folded);
            other.public() == own.public() || (own.person().is_some() && folded(other) == folded(own))
        };
        if let Some(before) = signed.iter().find(same) {
            let next = match signing.missing() {
                0 => format!("Nobody is missing. Next: mulberryctl submit {named}"),
                missing => format!("Missing: {missing} of {}.", names(&signing.others)),
            };
            let holder = holder(before);
            return Err(Failure::no(
                ProblemKind::AlreadySigned,
                format!("{holder} has signed it already, and one person signs once. {next}"),
            ));
        }
    }
    Ok(())
}

/// Turns "below the threshold" into names; any other refusal stays what it is.
pub fn explain(error: TrustError, lane: Lane, targets: &Targets, signers: &[PersonKey]) -> Failure {
    let Ok(authority) = authority(targets, lane) else { return refused(error) };
    if error.kind != TrustErrorKind::Threshold {
        return refused(error);
    }
    let signed = |key: &&Key| signers.iter().any(|signer| signer.key().public() == key.public());
    let held_by = |keys: Vec<&Key>| -> String {
        let names: BTreeSet<String> = keys.into_iter().map(holder).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
    };
    let needed = authority.role_keys.threshold;
    let missing = needed.saturating_sub(u32::try_from(signers.len()).unwrap_or(u32::MAX));
    Failure::refused(
        TrustErrorKind::Threshold,
        format!(
            "{needed} people must sign the {lane} lane. Signed: {}. Missing: {missing} of {}. Nothing was published; run it \
             again with their --key FILE (people/NAME/{lane}.pem) added.",
            held_by(eligible(&authority).filter(signed).collect()),
            held_by(eligible(&authority).filter(|key| !signed(key)).collect()),
        ),
    )
}

/// The keys that count for the lane, and how many of them must sign.
///
/// # Errors
/// Targets names none.
pub fn authority(targets: &Targets, lane: Lane) -> Result<Authority<'_>, Failure> {
    targets.authority(lane.as_str(), "targets").map_err(refused)
}

fn eligible<'a>(authority: &Authority<'a>) -> impl Iterator<Item = &'a Key> + use<'a> {
    let keys = authority.keys;
    authority.role_keys.keyids.iter().filter_map(move |id| keys.get(id))
}

/// A key of another role is the usual slip: name whose it is and which one is needed.
fn foreign(file: &Path, lane: Lane, key: &Key, targets: &Targets, root: &Root) -> Failure {
    let mut roles: Vec<Authority<'_>> = Vec::new();
    roles.extend(
        ["root", "targets", "snapshot", "timestamp"].into_iter().filter_map(|role| root.authority(role).ok()),
    );
    let delegated = ["emergency", "routine", "gates"].into_iter();
    roles.extend(delegated.filter_map(|role| targets.authority(role, "targets").ok()));
    let found = roles.iter().find_map(|authority| {
        let own = eligible(authority).find(|own| own.public() == key.public())?;
        Some((authority.role, holder(own)))
    });
    let what = match found {
        Some((role, person)) => {
            format!("this is the {role} key of {person}, and the {lane} lane needs {lane}.pem")
        }
        None => {
            format!("this key belongs to no role of the trusted metadata, so it cannot sign the {lane} lane")
        }
    };
    Failure::usage(
        FailureKind::KeyOfAnotherRole,
        format!("{}: {what}. Give the right --key FILE.", file.display()),
    )
}

fn refused(error: TrustError) -> Failure {
    Failure::refused(error.kind, format!("The new metadata was refused before it was sent: {error}."))
}
