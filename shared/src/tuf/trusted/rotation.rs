//! What stays in the set when keys rotate or a delegator leaves: what verifies under the set as it is then.

use std::sync::Arc;

use super::{Delegated, RollbackFloor, Trusted};
use crate::limits::Limits;
use crate::tuf::error::TrustErrorKind;
use crate::tuf::metadata::{Body, Root};
use crate::tuf::verify::{self, Verified};

/// A delegated role whose delegator has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    delegator: String,
    file: Arc<[u8]>,
}

impl Trusted {
    /// The file of a role that waits for its delegator: to be stored, and trusted for nothing.
    pub(crate) fn waiting(&self, role: &str) -> Option<&Arc<[u8]>> {
        self.waiting.get(role).map(|waiting| &waiting.file)
    }

    /// Remembers a stored role whose delegator is not here, if the role is under a floor.
    pub(crate) fn wait_for_delegator(&mut self, role: &str, delegator: &str, file: Arc<[u8]>) {
        if matches!(&self.floor, RollbackFloor::UntilKeysRotate(roles) if roles.contains(&role)) {
            self.waiting.insert(role.to_owned(), Waiting { delegator: delegator.to_owned(), file });
        }
    }

    /// Keeps the invariant after the root changed.
    pub(super) fn drop_what_no_longer_verifies(&mut self, limits: &Limits) {
        let root = &self.root;
        self.timestamp = self.timestamp.take().filter(|held| still_holds(root, held, limits));
        self.snapshot = self.snapshot.take().filter(|held| still_holds(root, held, limits));
        self.targets = self.targets.take().filter(|held| still_holds(root, held, limits));
        self.recheck_children("targets", limits);
    }

    /// Keeps the invariant after a delegator changed or left. Children of a dropped role go with it; each level drops at
    /// least one role or ends, so cycles end too.
    ///
    /// A role that leaves because nobody delegates to it any more waits: its own keys have not rotated, so its floor stands.
    pub(super) fn recheck_children(&mut self, delegator: &str, limits: &Limits) {
        let check = |(role, held): (&String, &Delegated)| {
            let bytes = held.metadata.bytes();
            let error = self.verify_targets_signatures(role, delegator, bytes, limits).err()?;
            Some((role.clone(), error.kind, Arc::clone(bytes)))
        };
        let children = self.delegated.iter().filter(|(_, held)| held.delegator == delegator);
        let gone: Vec<_> = children.filter_map(check).collect();
        for (role, why, file) in gone {
            self.delegated.remove(&role);
            if why == TrustErrorKind::NotDelegated {
                self.wait_for_delegator(&role, delegator, file);
            }
            self.recheck_children(&role, limits);
        }
    }

    /// Lets in again what waited for this delegator and verifies under it; what it delegates to other keys is forgotten.
    pub(super) fn readmit_children(&mut self, delegator: &str, limits: &Limits) {
        let waiting = self.waiting.iter().filter(|(_, waiting)| waiting.delegator == delegator);
        let checked: Vec<_> = waiting
            .map(|(role, waiting)| {
                (role.clone(), self.verify_targets_signatures(role, delegator, &waiting.file, limits))
            })
            .collect();
        for (role, verified) in checked {
            match verified {
                Ok(metadata) => {
                    self.waiting.remove(&role);
                    let delegator = delegator.to_owned();
                    self.delegated.entry(role).or_insert(Delegated { delegator, metadata });
                }
                Err(error) if error.kind == TrustErrorKind::NotDelegated => {}
                Err(_) => drop(self.waiting.remove(&role)),
            }
        }
    }
}

fn still_holds<T: Body>(root: &Verified<Root>, held: &Verified<T>, limits: &Limits) -> bool {
    verify::top_level::<T>(root, held.bytes(), limits).is_ok()
}
