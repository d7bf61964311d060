//! Inspection of one signed add-on, and its verdict.
//!
//! ```text
//! ReadAt ─ inspect ─► Inspection ─ judge ─► Verdict
//!          bytes, policy            anchors, pool, distrust, time
//! ```
//!
//! Reading and hashing an archive costs a hundred times what judging its chain does, and a new pool or another time
//! changes only the latter: hence two stages. Every parser is a pure function of bytes that answers a [`Fault`] instead
//! of its value, never panics, and is public so that it can be fuzzed alone.

pub mod archive;
mod inspection;
mod judge;
mod policy;
mod read_at;
mod verdict;

pub use inspection::Inspection;
pub use judge::JudgeContext;
pub use policy::{NotInTheList, Policy, SignatureMode, WeakestDigest};
pub use read_at::ReadAt;
pub use verdict::{Fault, NotAVerdictKind, Verdict, VerdictKind};
