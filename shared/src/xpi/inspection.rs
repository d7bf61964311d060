//! Stage one: everything about an add-on that depends on its bytes alone.

use crate::digest::Sha256Digest;
use crate::x509::Certificate;
use crate::xpi::verdict::Fault;

/// What the bytes of one add-on say, under one policy: independent of pools, distrust and time, so that it can be
/// [judged](Inspection::judge) again and again without reading the archive.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The id: that of `manifest.json`, else of `install.rdf`, else the common name of the end entity. Where the verdict is
    /// not ok, this is what an unverified file says.
    pub id: Option<String>,
    /// The version in `manifest.json`, else in `install.rdf`; as trustworthy as the id.
    pub version: Option<String>,
    /// SHA-256 of the archive; `None` only where it is larger than the ceiling.
    pub sha256: Option<Sha256Digest>,
    /// What is wrong with the bytes: decides before any chain is looked at.
    pub(super) fault: Option<Fault>,
    /// The chains that must hold.
    pub(super) chains: Vec<Chain>,
    /// What is wrong with the id: decides after the chains.
    pub(super) identity_fault: Option<Fault>,
}

/// One end entity whose signature verified, and the certificates embedded beside it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) end_entity: Certificate,
    pub(super) embedded: Vec<Certificate>,
}

impl Inspection {
    /// The certificates whose signatures verified: the PKCS#7 one first, then those of COSE. Nothing is said about what
    /// they chain to.
    pub fn signers(&self) -> impl Iterator<Item = &Certificate> {
        self.chains.iter().map(|chain| &chain.end_entity)
    }
}
