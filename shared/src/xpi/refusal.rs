//! What Firefox accepts and every policy here refuses: the closed list.
//!
//! `firefox` agrees with a real Firefox in both directions but for these. Each stops an attack that needs somebody besides Firefox
//! who reads the same archive (an installer, a scanner, an unpacker), or bounds the work that a file can ask for; and no signer
//! or packer of add-ons produces any of them. `mulberry-lab oracle firefox` makes each and shows it to a real Firefox.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One refusal of the closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// An entry's name leads out of the archive: absolute, with a drive letter and a separator, or with a `..` part.
    LeadsOut,
    /// An entry is marked as encrypted, or as patch data.
    Encrypted,
    /// An entry's local header names another file than the directory, or is not where the directory says.
    OtherLocalName,
    /// Two entries share bytes, or an entry shares bytes with the directory.
    Overlap,
    /// A second directory, or a header of another format, stands at the front, where only Firefox looks first.
    FrontDirectory,
    /// The archive or an entry is on another volume.
    Volumes,
    /// An entry is a link or a device.
    Link,
    /// A folder has content.
    FolderWithContent,
    /// `manifest.json` states the id, or the version, twice.
    IdentityTwice,
    /// More bytes, entries, certificates or signers than a verifier reads.
    Ceiling,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::LeadsOut,
        Self::Encrypted,
        Self::OtherLocalName,
        Self::Overlap,
        Self::FrontDirectory,
        Self::Volumes,
        Self::Link,
        Self::FolderWithContent,
        Self::IdentityTwice,
        Self::Ceiling,
    ];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeadsOut => "leads-out",
            Self::Encrypted => "encrypted",
            Self::OtherLocalName => "other-local-name",
            Self::Overlap => "overlap",
            Self::FrontDirectory => "front-directory",
            Self::Volumes => "volumes",
            Self::Link => "link",
            Self::FolderWithContent => "folder-with-content",
            Self::IdentityTwice => "identity-twice",
            Self::Ceiling => "ceiling",
        }
    }

    /// The attack that it stops.
    #[must_use]
    pub fn attack(self) -> &'static str {
        match self {
            Self::LeadsOut => "whoever unpacks the add-on writes a file outside the folder meant for it",
            Self::Encrypted => {
                "a scanner cannot read the file and lets it pass; Firefox ignores the flag and runs it"
            }
            Self::OtherLocalName => "readers that go by local headers see another file under the signed name",
            Self::Overlap => {
                "one content counts as thousands of files, so a small archive asks for unbounded work; and the bytes of one file are \
                 the header of another"
            }
            Self::FrontDirectory => {
                "Firefox reads the directory at the front, everybody else the one at the end: two add-ons in one file"
            }
            Self::Volumes => "other readers look for the content in another file",
            Self::Link => "whoever unpacks the add-on follows the link and reads or overwrites another file",
            Self::FolderWithContent => {
                "folders need no cover by the signature, so their content is signed by nobody"
            }
            Self::IdentityTwice => {
                "readers that take the first id and readers that take the last see two add-ons"
            }
            Self::Ceiling => {
                "a small or worthless file keeps the verifier busy while others wait for their fix"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
