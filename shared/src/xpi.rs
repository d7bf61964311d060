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
mod refusal;
mod signature_files;
mod signatures;
mod signed_by;
mod verdict;

use crate::limits::XpiLimits;

/// The most memory in bytes that one [`inspect`] of an archive of `archive_len` bytes takes: callers that inspect several at once
/// share a budget by it.
#[must_use]
pub fn memory_ceiling(archive_len: u64, limits: &XpiLimits) -> u64 {
    const BUFFERS: u64 = 768 << 10;
    /// Raw, parsed, sorted, and for each entry a digest of two manifests. Manifests themselves are not held.
    const DIRECTORY: u64 = 5;
    /// Bytes, the same in DER, parts, certificates. They may have been compressed to nearly nothing, as may the next.
    const SIGNATURES: u64 = 6;
    /// `manifest.json` and `install.rdf` as text, both at once, and what is read of them.
    const IDENTITY: u64 = 5;
    BUFFERS
        .saturating_add(archive_len.min(limits.directory_bytes as u64).saturating_mul(DIRECTORY))
        .saturating_add((limits.signature_bytes as u64).saturating_mul(SIGNATURES))
        .saturating_add((limits.identity_bytes as u64).saturating_mul(IDENTITY))
}

pub use inspection::{Inspection, archive_digest, inspect, inspect_among};
pub use judge::JudgeContext;
pub use policy::{DigestNames, NotInTheList, Policy, SignatureMode, WeakestDigest};
pub use read_at::ReadAt;
pub use refusal::Refusal;
pub use verdict::{Fault, NotAVerdictKind, Verdict, VerdictKind};
