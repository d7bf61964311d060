//! Stage one: everything about an add-on that depends on its bytes alone.

use std::io;

use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::x509::Certificate;
use crate::xpi::verdict::Fault;
use crate::xpi::{Policy, ReadAt};

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

/// Inspects one archive.
///
/// # Errors
/// Only those of the medium: whatever is wrong with the archive is part of the inspection.
pub fn inspect(archive: &dyn ReadAt, _policy: &Policy, limits: &Limits) -> io::Result<Inspection> {
    let (fault, sha256) = match crate::xpi::archive::Directory::read(archive, &limits.xpi) {
        Ok(_) => (None, None),
        Err(crate::xpi::archive::Stop::Fault(fault)) => (Some(fault), None),
        Err(crate::xpi::archive::Stop::Io(error)) => return Err(error),
    };
    Ok(Inspection { id: None, version: None, sha256, fault, chains: Vec::new(), identity_fault: None })
}

/// One end entity whose signature verified, and the certificates embedded beside it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    #[allow(dead_code)]
    pub(super) end_entity: Certificate,
    #[allow(dead_code)]
    pub(super) embedded: Vec<Certificate>,
}

impl Inspection {
    /// The certificates whose signatures verified: the PKCS#7 one first, then those of COSE. Nothing is said about what
    /// they chain to.
    pub fn signers(&self) -> impl Iterator<Item = &Certificate> {
        self.chains.iter().map(|chain| &chain.end_entity)
    }
}
