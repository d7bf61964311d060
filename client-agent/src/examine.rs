//! Looking at add-ons once, and judging what was seen as often as needed.
//!
//! Reading and hashing an archive costs a hundred times what judging its chain does, so a run examines every add-on at
//! most once and then judges it, in memory, against as many pools as there are changes to check.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::effects::{Effects, NotAdmitted};
use mulberry_shared::recipe::Does;
use mulberry_shared::xpi::Verdict;

use crate::ports::{AddonFolder, Gaps, ListedAddon, Listing, Stamp};
use crate::stop::Stop;

mod archives;
mod remembered;

pub use archives::Archives;
pub use remembered::Settling;

/// Bytes that all inspections running side by side may hold: together with what is idle, the agent stays below 64 MB above idle, also
/// on machines with many cores.
pub const MEMORY: u64 = 48 << 20;

/// One add-on after it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its key.
    pub path: String,
    /// The file that was examined.
    pub stamp: Stamp,
    /// What it is.
    pub content: Content,
}

/// What looking at one add-on gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It was read.
    Read {
        /// Its id, where it could be told.
        id: Option<String>,
        /// Its version, where it could be told.
        version: Option<String>,
        /// SHA-256 of the archive.
        sha256: Sha256Digest,
    },
    /// The medium failed, or the file changed meanwhile: nothing is known about its content.
    Unreadable(String),
    /// It is beyond a ceiling, so it is not even hashed.
    TooLarge(String),
}

/// Verdicts by add-on; only what was read has one.
pub type Verdicts = BTreeMap<String, Verdict>;

/// Add-ons that were examined together.
pub trait Corpus {
    /// What was seen, sorted by path.
    fn seen(&self) -> &[Seen];

    /// The verdict on each, with these effects in force, the dates of its certificates judged as of this instant.
    fn judge(&self, effects: &Effects, as_of: Timestamp) -> Verdicts;
}

/// Which files are read, where an examiner remembers what was in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reread {
    /// Those that have changed since, as far as the file system tells.
    Changed,
    /// All: what somebody wrote without leaving a trace is found too.
    All,
}

/// Examines add-ons and knows the trust anchors.
pub trait Examiner {
    /// Looks at these add-ons, as they were just listed. What is wrong with one is a property of that one. Once `stop` is set no
    /// further one is read, and what comes of the examination must not be used.
    fn examine<'a>(
        &'a self,
        folder: &dyn AddonFolder,
        addons: &[ListedAddon],
        reread: Reread,
        stop: &Stop,
    ) -> Box<dyn Corpus + 'a>;

    /// Whether the anchors allow an action, whose effect together with everything else would be `candidate`: installed
    /// certificates must chain to an anchor, and an anchor cannot be distrusted.
    ///
    /// # Errors
    /// What does not hold.
    fn admits(&self, action: &dyn Does, candidate: &Effects, now: Timestamp) -> Result<(), NotAdmitted>;
}

/// The add-ons of one run: listed once, examined when first needed.
pub struct Bench<'a> {
    folder: &'a dyn AddonFolder,
    examiner: &'a dyn Examiner,
    now: Timestamp,
    stop: &'a Stop,
    reread: Reread,
    listed: Option<Result<Listing, String>>,
    everything: Option<Box<dyn Corpus + 'a>>,
}

impl<'a> Bench<'a> {
    /// The bench of a run at `now`, until `stop` is set.
    #[must_use]
    pub fn new(
        folder: &'a dyn AddonFolder,
        examiner: &'a dyn Examiner,
        now: Timestamp,
        stop: &'a Stop,
    ) -> Self {
        Self { folder, examiner, now, stop, reread: Reread::Changed, listed: None, everything: None }
    }

    /// From now on every file is read that is examined, whatever is remembered of it and was examined before.
    pub fn reread_all(&mut self) {
        if self.reread != Reread::All {
            self.reread = Reread::All;
            self.everything = None;
        }
    }

    /// The time of the run. As of when certificates are judged is [`Effects::judged_as_of`].
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What is in the folder.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn list(&mut self) -> Result<Vec<ListedAddon>, String> {
        self.listing().map(|listing| listing.addons.clone())
    }

    /// Where in the folder nobody could look.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn gaps(&mut self) -> Result<Gaps, String> {
        self.listing().map(|listing| listing.gaps.clone())
    }

    fn listing(&mut self) -> Result<&Listing, String> {
        let listed = self.listed.get_or_insert_with(|| {
            self.folder.list().map_err(|error| format!("the add-ons folder cannot be listed: {error}"))
        });
        listed.as_ref().map_err(Clone::clone)
    }

    /// All add-ons, examined.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn everything(&mut self) -> Result<&(dyn Corpus + 'a), String> {
        let listed = self.list()?;
        let Self { examiner, folder, reread, stop, .. } = *self;
        Ok(&**self.everything.get_or_insert_with(|| examiner.examine(folder, &listed, reread, stop)))
    }

    /// These add-ons, examined.
    #[must_use]
    pub fn some(&self, addons: &[ListedAddon]) -> Box<dyn Corpus + 'a> {
        self.examiner.examine(self.folder, addons, self.reread, self.stop)
    }

    /// Whether all add-ons were examined in this run.
    #[must_use]
    pub fn has_everything(&self) -> bool {
        self.everything.is_some()
    }

    /// See [`Examiner::admits`].
    ///
    /// # Errors
    /// What does not hold.
    pub fn admits(&self, action: &dyn Does, candidate: &Effects) -> Result<(), NotAdmitted> {
        self.examiner.admits(action, candidate, self.now)
    }
}

#[cfg(test)]
mod tests;
