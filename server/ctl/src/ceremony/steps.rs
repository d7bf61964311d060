//! What the commands of ceremonies take alike, and the steps that it comes to.

use crate::{
    arguments::RoleName,
    context::CommandContext,
    failure::{Failure, FailureKind},
    files,
};
use clap::{Args, ValueEnum};
use mulberry_shared::{
    ceremony::{Step, public::PublicKeys},
    limits::Limits,
    proposal::Role,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// A dangerous choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accept {
    /// From now on one person alone may sign, where two had to
    OnePersonAlone,
}

/// What all ceremonies take.
#[derive(Args, Debug)]
pub struct Held {
    /// Your own key of a role that must sign, a file or a PKCS#11 URI, to sign right away; repeats
    #[arg(long, value_name = "KEY")]
    pub key: Vec<PathBuf>,
    /// Write it into a file, with the edition it was made on, and tell the server nothing
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Make it on the edition in a mirror's folder or in a bundle, where the server and its origin are gone [default: the origin]
    #[arg(long, value_name = "PATH", requires = "out")]
    pub from: Option<PathBuf>,
    /// Do what is refused otherwise
    #[arg(long, value_enum)]
    pub accept: Option<Accept>,
    /// Do not ask; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `… add-key`, `… rotate`
#[derive(Args, Debug)]
pub struct AddKey {
    /// The person's public keys
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// For which role; repeats [default: root, of `lanes` both lanes]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `… revoke-key`
#[derive(Args, Debug)]
pub struct RevokeKey {
    /// The person, or the first 8 or more digits of the key's fingerprint
    #[arg(value_name = "PERSON")]
    pub who: String,
    /// For which role; repeats [default: root, of `lanes` both lanes]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

/// `… threshold`
#[derive(Args, Debug)]
pub struct Threshold {
    /// How many people must sign
    #[arg(value_name = "K")]
    pub threshold: u32,
    /// For which role; repeats [default: root, of `lanes` both lanes]
    #[arg(long, value_enum)]
    pub role: Vec<RoleName>,
    /// How
    #[command(flatten)]
    pub held: Held,
}

impl AddKey {
    /// One more key for each role.
    ///
    /// # Errors
    /// The file of public keys cannot be read, or has none for a role.
    pub fn add(&self, usual: &[Role], context: &CommandContext) -> Result<Vec<Step>, Failure> {
        let public = of_person(&self.file, &context.limits)?;
        let step = |role: Role| match public.keys.get(role.as_str()) {
            Some(key) => Ok(Step::Add { role, key: key.clone() }),
            None => Err(Failure::usage(
                FailureKind::PublicKeysUnreadable,
                format!(
                    "{}: has no key for the {role} role. Have it made: mulberryctl key new DIR --person NAME --role {role}",
                    self.file.display()
                ),
            )),
        };
        roles(&self.role, usual).into_iter().map(step).collect()
    }

    /// The key that takes the place of the person's old one, for each role.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn rotate(&self, usual: &[Role], context: &CommandContext) -> Result<Vec<Step>, Failure> {
        let person = of_person(&self.file, &context.limits)?.person;
        let who = person.map(|person| person.to_string()).unwrap_or_default();
        let old = roles(&self.role, usual).into_iter().map(|role| Step::Revoke { role, who: who.clone() });
        Ok(old.chain(self.add(usual, context)?).collect())
    }
}

impl RevokeKey {
    /// The key that goes, for each role.
    #[must_use]
    pub fn steps(&self, usual: &[Role]) -> Vec<Step> {
        let all = roles(&self.role, usual).into_iter();
        all.map(|role| Step::Revoke { role, who: self.who.clone() }).collect()
    }
}

impl Threshold {
    /// The new threshold, for each role.
    #[must_use]
    pub fn steps(&self, usual: &[Role]) -> Vec<Step> {
        let all = roles(&self.role, usual).into_iter();
        all.map(|role| Step::Threshold { role, threshold: self.threshold }).collect()
    }
}

/// The roles that were named, or else the usual ones.
#[must_use]
pub fn roles(named: &[RoleName], usual: &[Role]) -> BTreeSet<Role> {
    if named.is_empty() {
        usual.iter().copied().collect()
    } else {
        named.iter().map(|role| (*role).into()).collect()
    }
}

/// Reads a file of public keys.
///
/// # Errors
/// It cannot be read, or is none.
pub fn public_keys(file: &Path, limits: &Limits) -> Result<PublicKeys, Failure> {
    let fault = |why: String| {
        Failure::usage(FailureKind::PublicKeysUnreadable, format!("{}: {why}.", file.display()))
    };
    let bytes = files::read_bounded(file, 64 << 10).map_err(|error| fault(error.to_string()))?;
    if bytes.starts_with(b"-----BEGIN") && bytes.windows(11).any(|part| part == b"PRIVATE KEY") {
        let what = "this is a private key, which stays with its owner. Give the file that ends in .public";
        return Err(fault(what.to_owned()));
    }
    PublicKeys::read(&bytes, limits).map_err(|error| fault(error.to_string()))
}

fn of_person(file: &Path, limits: &Limits) -> Result<PublicKeys, Failure> {
    let public = public_keys(file, limits)?;
    if public.person.is_some() {
        return Ok(public);
    }
    let sentence = format!(
        "{}: these are a server's keys, which go in with `mulberryctl online-keys rotate`.",
        file.display()
    );
    Err(Failure::usage(FailureKind::PublicKeysUnreadable, sentence))
}
