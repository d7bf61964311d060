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

    /// The path that is looked up.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TrustLimits;
    use crate::tuf::test_repository::{Repository, delegation, delegations, dynamic, signers};
    use crate::tuf::trusted::RollbackFloor;
    use crate::tuf::{verify, write};

    /// Name, files, and delegations (name, pattern, terminating).
    type Role<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str, bool)]);

    /// A tree of roles. All below targets sign with one key.
    fn trusted(tree: &[Role<'_>]) -> Trusted {
        let (repository, limits) = (Repository::new(), Limits::default());
        let root = verify::pinned_root(&repository.origin["metadata/1.root.json"], &limits).unwrap();
        let mut trusted = Trusted::new(root, RollbackFloor::Snapshot);
        let mut delegators: Vec<(&str, &str)> = vec![("targets", "root")];
        for (role, files, roles) in tree {
            let listed = files.iter().map(|path| ((*path).to_owned(), write::target_file(role.as_bytes())));
            let mut body = write::files(7, repository.targets.expires, listed.collect());
            let each =
                roles.iter().map(|(name, pattern, terminating)| delegation(name, 41, pattern, *terminating));
            body.delegations = delegations(&[41], each.collect());
            let signers = if *role == "targets" { repository.signers(role) } else { signers(&[41]) };
            let bytes = write::sign(&body, &dynamic(&signers)).unwrap();
            let delegator = delegators.iter().find(|(name, _)| name == role).unwrap().1;
            let verified = trusted.verify_targets_signatures(role, delegator, &bytes, &limits).unwrap();
            trusted.accept_targets(role, delegator, verified, &limits);
            for (name, _, _) in *roles {
                if delegators.iter().all(|(known, _)| known != name) {
                    delegators.push((name, role));
                }
            }
        }
        trusted
    }

    fn find(trusted: &Trusted, path: &str, limits: &Limits) -> Result<String, TrustErrorKind> {
        match Lookup::new(path).step(trusted, limits, |_, _| true).map_err(|error| error.kind)? {
            Found::Target { role, .. } => Ok(role),
            Found::Needs { role, delegator } => Ok(format!("needs {role} of {delegator}")),
            Found::Nothing => Ok("nothing".into()),
        }
    }

    #[test]
    fn order_is_pre_order_and_terminating_ends_the_search() {
        let tree = trusted(&[
            ("targets", &["top"], &[("a", "*", false), ("b", "x*", true), ("c", "*", false)]),
            ("a", &["one"], &[("deep", "*", false)]),
            ("b", &["one", "two"], &[]),
            ("c", &["one", "two", "xthree", "four"], &[]),
            ("deep", &["one", "two"], &[]),
        ]);
        let limits = Limits::default();
        for (path, expected) in [
            ("top", "targets"),
            ("one", "a"),
            ("two", "deep"),
            ("four", "c"),
            ("xthree", "nothing"),
            ("five", "nothing"),
        ] {
            assert_eq!(find(&tree, path, &limits), Ok(expected.into()), "{path}");
        }
    }

    #[test]
    fn cycles_end_and_the_number_of_roles_is_limited() {
        let tree = trusted(&[
            ("targets", &[], &[("a", "*", false)]),
            ("a", &[], &[("b", "*", false), ("a", "*", false)]),
            ("b", &[], &[("a", "*", false)]),
        ]);
        assert_eq!(find(&tree, "one", &Limits::default()), Ok("nothing".into()));
        let few =
            Limits { trust: TrustLimits { delegations: 2, ..Default::default() }, ..Default::default() };
        assert_eq!(find(&tree, "one", &few), Err(TrustErrorKind::TooMany));
    }

    #[test]
    fn a_role_that_is_not_here_is_named_with_its_delegator() {
        let tree = trusted(&[("targets", &[], &[("a", "*", false)]), ("a", &[], &[("b", "*", false)])]);
        assert_eq!(find(&tree, "one", &Limits::default()), Ok("needs b of a".into()));
    }
}
