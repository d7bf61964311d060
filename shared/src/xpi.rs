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
mod content;
pub mod cose;
pub mod identity;
mod inspection;
mod judge;
pub mod manifest;
pub mod pkcs7;
mod policy;
mod read_at;
mod signature_files;
mod signed_by;
mod text;
mod verdict;

use crate::limits::XpiLimits;

/// The most memory in bytes that one [`inspect`] of an archive of `archive_len` bytes takes: callers that inspect several at once
/// share a budget by it.
#[must_use]
pub fn memory_ceiling(archive_len: u64, limits: &XpiLimits) -> u64 {
    const BUFFERS: u64 = 768 << 10;
    /// Two or three manifests, each with its parsed sections.
    const MANIFESTS: u64 = 3 * 4;
    /// PKCS#7: bytes, parts, certificates. COSE: CBOR values of 32 bytes where an item has one.
    const SIGNATURES: u64 = 4 + 40;
    /// `manifest.json` and `install.rdf` as text, both at once, and what is read of them.
    const IDENTITY: u64 = 5;
    let at_most = |ceiling: usize, ratio: u64| archive_len.saturating_mul(ratio).min(ceiling as u64);
    BUFFERS
        .saturating_add(at_most(limits.directory_bytes, 1).saturating_mul(3))
        .saturating_add(at_most(limits.manifest_bytes, limits.manifest_ratio).saturating_mul(MANIFESTS))
        .saturating_add(at_most(limits.signature_bytes, 1).saturating_mul(SIGNATURES))
        .saturating_add(at_most(limits.identity_bytes, 1).saturating_mul(IDENTITY))
}

pub use inspection::{Inspection, archive_digest, inspect, inspect_among};
pub use judge::JudgeContext;
pub use policy::{NotInTheList, Policy, SignatureMode, WeakestDigest};
pub use read_at::ReadAt;
pub use verdict::{Fault, NotAVerdictKind, Verdict, VerdictKind};
