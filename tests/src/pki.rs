//! A laboratory PKI: keys, certificates, and the certificates of the incident of May 2019 in miniature.
//!
//! | module | what |
//! |---|---|
//! | [`keys`] | a key ring: each named key is made once a process, when first asked for |
//! | [`certificate`] | a certificate of every shape met in real files, and some that must be refused |
//! | [`name`] | names as the real services write them |
//! | [`packed`] | certificates as authorities send them: PKCS#7 without a signature |
//! | [`incident`] | the ready set: anchor, expiring intermediate, replacement, and their impostors |

pub mod certificate;
pub mod incident;
pub mod keys;
pub mod name;
pub mod packed;

pub use certificate::{
    BasicConstraints, CertificateSpec, ExtendedKeyUse, Extension, LabCertificate, SignatureKind,
};
pub use incident::{Incident, IncidentDates};
pub use keys::{KeyKind, LabKey, key};
pub use name::{common_name, mozilla_name};
pub use packed::{armoured, certificates_only};
