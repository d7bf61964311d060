//! Certificates, distrust and path building for add-on signatures (RFC 5280 section 6).
//!
//! Bytes and a time in, a path or the most useful reason out. The way in is [`PathBuilder::build`].
//!
//! ```text
//! Certificate ── parsed once, strict and bounded
//!     │
//! Anchors, Pool ── local; embedded certificates of a signature file ── unsigned, whoever holds the file chose them
//!     │
//! PathBuilder ── which certificates genuinely descend from an anchor (top down, by signature),
//!     │          then which of the paths among those holds (bottom up: lengths, names)
//! Path | PathError { kind, certificate, sentence }
//! ```
//!
//! The search is our own rather than `rustls-webpki`'s, for four reasons: webpki always judges the end entity's dates at
//! the same time as the issuers', so the `firefox` policy cannot be expressed; its fixed budget of 100 signature
//! checks is exhausted by 50 unsigned certificates of the right name; its errors do not name the certificate that
//! decided; and telling "refused only by distrust" from "unknown" needs the paths that were refused. Signatures are
//! still checked by webpki's algorithms on aws-lc-rs; where those would read an issuer's RSA key again for each of the thousands
//! it signed, by what they themselves call. Of certificates, names, dates and extensions are `x509-cert`'s types; the
//! structure around them is read in place and tested against that crate. The published path building suites (BetterTLS,
//! x509-limbo) are the measure; they run in the laboratory's tests.

mod certificate;
mod distrust;
mod error;
mod file;
mod intern;
mod memo;
mod name_constraints;
mod parse;
mod path;
mod pem;
mod pool;
mod prepared;
mod signature;
mod structure;
mod usage;

pub use certificate::{Certificate, LEAST_RSA_BITS};
pub use distrust::{Distrust, DistrustReason};
pub use error::{CertificateError, CertificateErrorKind, PathError, PathErrorKind};
pub use file::{AnchorFile, Purpose};
pub use intern::CertificateMemo;
pub use memo::SignatureMemo;
pub use path::{EndEntityTime, Path, PathBuilder};
pub use pool::{Anchors, Pool};
pub(crate) use structure::{elements, has_larger_set, pair};
pub use usage::Usage;
