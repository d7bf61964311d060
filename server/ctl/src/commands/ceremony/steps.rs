//! The steps of a ceremony, from what was typed and the files of public keys.

use super::Around;
use crate::{
    cli::{self, RoleName},
    failure::{Failure, FailureKind},
    files,
};
use mulberry_shared::{
    ceremony::{Step, public::PublicKeys},
    proposal::Role,
    tuf::Person,
};
use std::{collections::BTreeSet, path::Path};

pub(super) fn roles(named: &[RoleName], usual: &[Role]) -> BTreeSet<Role> {
    if named.is_empty() {
        usual.iter().copied().collect()
    } else {
        named.iter().map(|role| (*role).into()).collect()
    }
}

pub(super) fn add(command: &cli::AddKey, usual: &[Role], around: &Around<'_>) -> Result<Vec<Step>, Failure> {
    let public = of_person(&command.file, around)?;
    let step = |role: Role| match public.keys.get(role.as_str()) {
        Some(key) => Ok(Step::Add { role, key: key.clone() }),
        None => Err(Failure::usage(
            FailureKind::PublicKeysUnreadable,
            format!(
                "{}: has no key for the {role} role. Have it made: mulberryctl key new DIR --person NAME --role {role}",
                command.file.display()
            ),
        )),
    };
    roles(&command.role, usual).into_iter().map(step).collect()
}

pub(super) fn rotate(
    command: &cli::AddKey,
    usual: &[Role],
    around: &Around<'_>,
) -> Result<Vec<Step>, Failure> {
    let who = of_person(&command.file, around)?.person.map(|person| person.to_string()).unwrap_or_default();
    let old = roles(&command.role, usual).into_iter().map(|role| Step::Revoke { role, who: who.clone() });
    Ok(old.chain(add(command, usual, around)?).collect())
}

pub(super) fn revoke(command: &cli::RevokeKey, usual: &[Role]) -> Vec<Step> {
    let all = roles(&command.role, usual).into_iter();
    all.map(|role| Step::Revoke { role, who: command.who.clone() }).collect()
}

pub(super) fn rename(command: &cli::Rename) -> Result<Vec<Step>, Failure> {
    let step = |text: &String| {
        // A new name has no `=` in it; an old one may have anything.
        let (who, to) = text.rsplit_once('=').ok_or_else(|| {
            Failure::usage(
                FailureKind::PersonName,
                format!("{text:?}: give WHO=NAME, such as 'Mei Lin=mei-lin'."),
            )
        })?;
        Ok(Step::Rename { who: who.to_owned(), to: person(to)? })
    };
    command.names.iter().map(step).collect()
}

/// A person's name from the command line.
///
/// # Errors
/// It is none.
pub(in super::super) fn person(text: &str) -> Result<Person, Failure> {
    text.parse().map_err(|why| {
        Failure::usage(FailureKind::PersonName, format!("{text:?} is no name of a person: {why}."))
    })
}

pub(super) fn threshold(command: &cli::Threshold, usual: &[Role]) -> Vec<Step> {
    let all = roles(&command.role, usual).into_iter();
    all.map(|role| Step::Threshold { role, threshold: command.threshold }).collect()
}

pub(super) fn public_keys(file: &Path, around: &Around<'_>) -> Result<PublicKeys, Failure> {
    let fault = |why: String| {
        Failure::usage(FailureKind::PublicKeysUnreadable, format!("{}: {why}.", file.display()))
    };
    let bytes = files::read_bounded(file, 64 << 10).map_err(|error| fault(error.to_string()))?;
    if bytes.starts_with(b"-----BEGIN") && bytes.windows(11).any(|part| part == b"PRIVATE KEY") {
        let what = "this is a private key, which stays with its owner. Give the file that ends in .public";
        return Err(fault(what.to_owned()));
    }
    PublicKeys::read(&bytes, around.limits).map_err(|error| fault(error.to_string()))
}

fn of_person(file: &Path, around: &Around<'_>) -> Result<PublicKeys, Failure> {
    let public = public_keys(file, around)?;
    if public.person.is_some() {
        return Ok(public);
    }
    let sentence = format!(
        "{}: these are a server's keys, which go in with `mulberryctl online-keys rotate`.",
        file.display()
    );
    Err(Failure::usage(FailureKind::PublicKeysUnreadable, sentence))
}
