//! The delegated look-up (specification 5.6.7): which role vouches for a path.
//!
//! Sans-io: [`Lookup::step`] names the role it needs next; whoever fetches enters it into the set and steps again.

use std::collections::BTreeSet;

use super::error::{TrustError, TrustErrorKind};
use super::metadata::TargetFile;
use super::trusted::Trusted;
use crate::limits::Limits;

/// One look-up in progress.
#[derive(Clone, Debug)]
pub struct Lookup {
    path: String,
    /// Roles still to visit with their delegators; the last is next.
    stack: Vec<(String, String)>,
    visited: BTreeSet<String>,
}

/// What a look-up needs or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This role must be brought up to date in the set, then step again.
    Needs {
        /// The role.
        role: String,
        /// Who delegates to it.
        delegator: String,
    },
    /// This role vouches for the path.
    Target {
        /// The role.
        role: String,
        /// Length and hashes.
        file: TargetFile,
    },
    /// No role vouches for it.
    Nothing,
}

impl Lookup {
    /// Starts at the top-level targets role.
    #[must_use]
    pub fn new(path: &str) -> Self {
        let stack = vec![("targets".to_owned(), "root".to_owned())];
        Self { path: path.to_owned(), stack, visited: BTreeSet::new() }
    }

    /// Goes on in pre-order as far as the set reaches. `is_current` says whether the set's metadata of a role under a
    /// delegator may be used.
    ///
    /// # Errors
    /// `too-many` roles visited.
    pub fn step(
        &mut self,
        trusted: &Trusted,
        limits: &Limits,
        is_current: impl Fn(&str, &str) -> bool,
    ) -> Result<Found, TrustError> {
        while let Some((role, delegator)) = self.stack.last().cloned() {
            // 5.6.7.1: a role already visited is skipped (cycles), and their number is limited.
            if self.visited.contains(&role) {
                self.stack.pop();
                continue;
            }
            if self.visited.len() >= limits.trust.delegations {
                let sentence = format!("looking it up visits more than {} roles", limits.trust.delegations);
                return Err(TrustError::new(TrustErrorKind::TooMany, self.path.clone(), sentence));
            }
            let Some(metadata) = trusted.targets(&role).filter(|_| is_current(&role, &delegator)) else {
                return Ok(Found::Needs { role, delegator });
            };
            self.stack.pop();
            self.visited.insert(role.clone());
            if let Some(file) = metadata.targets.get(&self.path) {
                return Ok(Found::Target { role, file: file.clone() });
            }
            // 5.6.7.2: delegations in order; a terminating one that covers the path ends the whole search behind it.
            let mut next = Vec::new();
            for delegation in metadata.delegations.iter().flat_map(|delegations| &delegations.roles) {
                if !delegation.covers(&self.path) {
                    continue;
                }
                next.push((delegation.name.clone(), role.clone()));
                if delegation.terminating {
                    self.stack.clear();
                    break;
                }
            }
            self.stack.extend(next.into_iter().rev());
        }
        Ok(Found::Nothing)
    }
}
