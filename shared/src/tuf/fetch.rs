//! What passes between a refresh and whoever fetches for it.

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Path relative to the origin, such as `metadata/2.root.json`; already percent-encoded.
    pub path: String,
    /// No more than this many bytes need be read: a longer file is refused.
    pub max_bytes: u64,
}

/// What a refresh needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This file; then hand in the [`Reply`].
    Fetch(Fetch),
    /// Nothing: it has ended.
    Done,
}

/// What came of a fetch. Absent and failed are different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The file, whole.
    Bytes(Vec<u8>),
    /// The origin has more than [`Fetch::max_bytes`], which is why it was read no further.
    TooLong,
    /// The origin says that there is no such file.
    Absent,
    /// The origin could not be asked, or did not finish in time; with the reason.
    Failed(String),
}
