//! Named sets of verification rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::x509::EndEntityTime;

/// Which signatures an add-on needs: Firefox's four modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureMode {
    /// PKCS#7 required; COSE is not looked at.
    Pkcs7,
    /// PKCS#7 required; COSE checked when present.
    Pkcs7CoseOptional,
    /// COSE required; PKCS#7 checked when present.
    CosePkcs7Optional,
    /// COSE required; PKCS#7 is not looked at, and files that only it covers are not covered.
    Cose,
}

impl SignatureMode {
    /// All modes.
    pub const ALL: [Self; 4] = [Self::Pkcs7, Self::Pkcs7CoseOptional, Self::CosePkcs7Optional, Self::Cose];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pkcs7 => "pkcs7",
            Self::Pkcs7CoseOptional => "pkcs7-cose-optional",
            Self::CosePkcs7Optional => "cose-pkcs7-optional",
            Self::Cose => "cose",
        }
    }
}

/// The weakest digest accepted of a PKCS#7 signer, whose digest rules signature file and manifest too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeakestDigest {
    /// SHA-1 or SHA-256, as existing add-ons need.
    Sha1,
    /// SHA-256 only.
    Sha256,
}

impl WeakestDigest {
    /// All values, weakest first.
    pub const ALL: [Self; 2] = [Self::Sha1, Self::Sha256];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// Bytes of such a digest.
    #[must_use]
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Its name in manifests.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1-Digest",
            Self::Sha256 => "SHA256-Digest",
        }
    }
}

/// How digests may be named in manifests and signature files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestNames {
    /// `SHA256-Digest` alone, as the signing service writes it and Firefox reads it.
    Firefox,
    /// Also `SHA-256-Digest`, as the JDK's jarsigner writes it.
    JarsignerToo,
}

/// A named set of rules, whose single settings may be overridden.
///
/// PS256 in COSE is refused by every policy: Firefox, whose add-ons these are, refuses it wherever it looks at COSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `firefox` or `strict`; the settings below may have been overridden since.
    pub name: &'static str,
    /// Which signatures are needed.
    pub signature: SignatureMode,
    /// The weakest digest of a PKCS#7 signer.
    pub digest: WeakestDigest,
    /// How digests may be named.
    pub digest_names: DigestNames,
    /// Whether the end entity's own dates count. Those of intermediates and anchors always do.
    pub end_entity_time: EndEntityTime,
}

impl Policy {
    /// What Firefox ships: PKCS#7 with COSE when present, SHA-1 accepted, end-entity dates ignored.
    #[must_use]
    pub fn firefox() -> Self {
        Self {
            name: "firefox",
            signature: SignatureMode::Pkcs7CoseOptional,
            digest: WeakestDigest::Sha1,
            digest_names: DigestNames::Firefox,
            end_entity_time: EndEntityTime::Ignore,
        }
    }

    /// All dates enforced, SHA-256 and better.
    #[must_use]
    pub fn strict() -> Self {
        Self {
            name: "strict",
            signature: SignatureMode::Pkcs7CoseOptional,
            digest: WeakestDigest::Sha256,
            digest_names: DigestNames::JarsignerToo,
            end_entity_time: EndEntityTime::Enforce,
        }
    }

    /// The policy of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::firefox(), Self::strict()].into_iter().find(|policy| policy.name == name)
    }
}

/// A text names no value of a closed list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {expected}")]
pub struct NotInTheList {
    /// The names there are.
    pub expected: String,
}

impl fmt::Display for SignatureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for WeakestDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SignatureMode {
    type Err = NotInTheList;

    fn from_str(text: &str) -> Result<Self, NotInTheList> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| NotInTheList { expected: Self::ALL.map(Self::as_str).join(", ") })
    }
}

impl FromStr for WeakestDigest {
    type Err = NotInTheList;

    fn from_str(text: &str) -> Result<Self, NotInTheList> {
        Self::ALL
            .into_iter()
            .find(|digest| digest.as_str() == text)
            .ok_or_else(|| NotInTheList { expected: Self::ALL.map(Self::as_str).join(", ") })
    }
}
