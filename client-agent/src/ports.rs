//! The agent's seams: everything it touches outside its own memory.
//!
//! Real back ends live in [`crate::io`] and are wired by `main`; tests put doubles here that fail, record, or die.

use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mulberry_shared::tuf::Reply;
use mulberry_shared::xpi::ReadAt;
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) mod doubles;

/// What an origin answered. "Not there" and "no answer" mean different things to the trust workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The document, never longer than what was asked for.
    Bytes(Vec<u8>),
    /// The origin says that the document is what the caller holds. Only [`Transport::get_unless_held`] may give this.
    NotModified,
    /// The origin answered, and has no such document.
    Absent,
    /// The document is longer than what was asked for, and was read no further.
    TooLong,
    /// No usable answer: connection, time or status; the sentence says which.
    Failed(String),
}

impl From<Fetched> for Reply {
    /// For documents of which none is held.
    fn from(fetched: Fetched) -> Self {
        match fetched {
            Fetched::Bytes(bytes) => Self::Bytes(bytes),
            Fetched::NotModified => Self::Failed("the origin answered a question it was not asked".into()),
            Fetched::TooLong => Self::TooLong,
            Fetched::Absent => Self::Absent,
            Fetched::Failed(problem) => Self::Failed(problem),
        }
    }
}

/// One place that serves editions. Nothing it says is believed before the trust workflow has verified it.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Fetches `path` (relative to the origin), reading at most `max_bytes`.
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched;

    /// Like [`Transport::get`], for a document that is asked for often and seldom changes: an origin that can tell may
    /// answer that it is still `held`, in place of the bytes. An origin that cannot tell gives them.
    async fn get_unless_held(&self, path: &str, max_bytes: u64, _held: &[u8]) -> Fetched {
        self.get(path, max_bytes).await
    }

    /// The origin as people know it, for reports.
    fn origin(&self) -> &str;
}

/// The state folder. Paths are relative to it, with `/`.
///
/// Every effect the agent has on its disk is one call of the second group, so that a test can let the disk fail, or the
/// process die, after any of them.
pub trait Disk: Send + Sync {
    /// The content of a file; `None` where there is none. Longer than `max_bytes` is an error.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Option<Vec<u8>>>;

    /// The names of the files directly in a folder, sorted; empty where there is no such folder.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Makes a folder (mode 0700); one that exists is fine.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn make_folder(&self, folder: &str) -> io::Result<()>;

    /// Writes a whole file (mode 0600), replacing what was there. Not durable before [`Disk::sync_file`].
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes a file's content durable.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn sync_file(&self, path: &str) -> io::Result<()>;

    /// Renames a file over another, atomically. Not durable before [`Disk::sync_folder`] of the target's folder.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes the entries of a folder durable; `""` is the state folder itself.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn remove(&self, path: &str) -> io::Result<()>;
}

/// What the file system says about a file without reading it: unequal means changed, equal means probably not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The device that holds the file.
    pub device: u64,
    /// The file's number there.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Last change of the content: nanoseconds since 1970, saturated.
    pub modified_ns: i64,
    /// Last change of content, name or mode: nanoseconds since 1970, saturated.
    pub changed_ns: i64,
}

impl Stamp {
    /// Whether nothing speaks for other content: at most name, mode or owner changed since `earlier`.
    #[must_use]
    pub fn suggests_content_of(&self, earlier: &Self) -> bool {
        Self { changed_ns: earlier.changed_ns, ..*self } == *earlier
    }
}

/// One add-on file found by listing the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAddon {
    /// Path relative to the add-ons folder, with `/`: the add-on's key everywhere in the agent.
    pub path: String,
    /// The file as it was when listed.
    pub stamp: Stamp,
}

/// What listing the add-ons folder found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The add-on files, sorted by path.
    pub addons: Vec<ListedAddon>,
    /// Where nobody could look.
    pub gaps: Gaps,
}

/// A file or folder below the add-ons folder that could not be looked at. Of add-ons there nothing is known, which is not the
/// same as "no add-ons".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Path relative to the add-ons folder, with `/`; empty where nobody could look at all of it.
    pub path: String,
    /// What the system said.
    pub problem: String,
}

/// All gaps of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps(Vec<Gap>);

impl Gaps {
    /// These gaps, in any order.
    #[must_use]
    pub fn new(mut gaps: Vec<Gap>) -> Self {
        gaps.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Self(gaps)
    }

    /// The gaps, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = &Gap> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The gap that the add-on at this path is, or lies in. Costs a search for each folder on its path, however many gaps there are.
    #[must_use]
    pub fn over(&self, addon: &str) -> Option<&Gap> {
        let folders = addon.match_indices('/').map(|(end, _)| addon.get(..end).unwrap_or_default());
        [""].into_iter().chain(folders).chain([addon]).find_map(|path| {
            let found = self.0.binary_search_by(|gap| gap.path.as_str().cmp(path)).ok()?;
            self.0.get(found)
        })
    }
}

/// An add-on file opened for reading.
pub trait OpenAddon: ReadAt + Send {
    /// The file as it was when it was opened; its length is that of the bytes to be read.
    fn opened(&self) -> Stamp;

    /// The file as it is now: a change while it is being read shows here.
    ///
    /// # Errors
    /// Whatever the file system reports.
    fn stamp(&self) -> io::Result<Stamp>;

    /// The same file for the archive reader.
    fn archive(&self) -> &dyn ReadAt;
}

/// The host's add-ons. The port can only look: the agent never writes, moves or deletes an add-on.
pub trait AddonFolder: Send + Sync {
    /// All add-on files. What cannot be looked at below the folder is a gap of its own.
    ///
    /// # Errors
    /// The folder itself cannot be listed. Then nothing is known, which is not the same as "no add-ons".
    fn list(&self) -> io::Result<Listing>;

    /// Now, by the clock that stamps its files (not the agent's [`Clock`], which may be set for a rehearsal): nanoseconds
    /// since 1970, saturated.
    fn now_ns(&self) -> i64;

    /// Opens one of them.
    ///
    /// # Errors
    /// Whatever the file system reports; it concerns this add-on alone.
    fn open(&self, path: &str) -> io::Result<Box<dyn OpenAddon>>;
}

/// How the host's hook ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum HookEnd {
    /// It ran to its end with this exit code (`None`: ended by a signal).
    Exited {
        /// The exit code.
        code: Option<i32>,
    },
    /// It was still running when its time was over, and was ended.
    TimedOut,
    /// It could not be started.
    NotStarted {
        /// What the system said.
        reason: String,
    },
}

impl fmt::Display for HookEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code: Some(code) } => write!(f, "it ended with exit code {code}"),
            Self::Exited { code: None } => write!(f, "a signal ended it"),
            Self::TimedOut => write!(f, "it took too long and was ended"),
            Self::NotStarted { reason } => write!(f, "it could not be started: {reason}"),
        }
    }
}

impl HookEnd {
    /// Whether the host has taken note.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        *self == Self::Exited { code: Some(0) }
    }
}

/// The host's command that is run when something it sees has changed.
#[async_trait]
pub trait Hook: Send + Sync {
    /// Runs it with `event` (JSON) on standard input, for a bounded time.
    async fn run(&self, event: &[u8]) -> HookEnd;
}

/// The time. The only clock the agent knows.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// The time that has passed since some fixed moment. Nobody sets it, so it measures how long something takes.
    fn steady(&self) -> Duration;

    /// Whether the clock was started elsewhere by `--clock-start`.
    fn is_shifted(&self) -> bool;
}
