//! What a path is asked to vouch for.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_CODE_SIGNING, ID_KP_SERVER_AUTH};

/// The usage every certificate of a path must allow: whoever has an extended key usage extension, the anchor included,
/// must list it. `anyExtendedKeyUsage` never counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// Signing of add-ons.
    CodeSigning,
    /// TLS servers. Mulberry itself verifies none this way; the published path suites are made of them.
    ServerAuth,
    /// TLS clients, for the same suites.
    ClientAuth,
}

impl Usage {
    /// The extended key usage that stands for it (RFC 5280 section 4.2.1.12).
    #[must_use]
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::CodeSigning => ID_KP_CODE_SIGNING,
            Self::ServerAuth => ID_KP_SERVER_AUTH,
            Self::ClientAuth => ID_KP_CLIENT_AUTH,
        }
    }

    /// The name used in sentences.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodeSigning => "codeSigning",
            Self::ServerAuth => "serverAuth",
            Self::ClientAuth => "clientAuth",
        }
    }
}
