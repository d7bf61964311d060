//! Stage one: everything about an add-on that depends on its bytes alone.

use std::io;

use sha2::{Digest, Sha256};

use super::archive::{ContentReader, Directory, Stop};
use super::content::Held;
use super::identity::{Identity, check_id};
use super::policy::Policy;
use super::read_at::bytes_at;
use super::refusal::Refusal;
use super::signature_files::SignatureFiles;
use super::signatures::{self, Chain, Scene};
use super::verdict::Fault;
use super::{ReadAt, VerdictKind};
use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::x509::{Certificate, CertificateMemo};

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

impl Inspection {
    /// The certificates whose signatures verified: the PKCS#7 one first, then those of COSE. Nothing is said about what
    /// they chain to. Empty where the bytes are at fault.
    pub fn signers(&self) -> impl Iterator<Item = &Certificate> {
        self.chains.iter().map(|chain| &chain.end_entity)
    }

    /// The certificates whose signatures verified, each with those embedded beside it, of which nothing is known: whoever
    /// holds the file chose them.
    pub fn chains(&self) -> impl Iterator<Item = (&Certificate, &[Certificate])> {
        self.chains.iter().map(|chain| (&chain.end_entity, chain.embedded.as_slice()))
    }

    /// Which entry of the closed list of refusals decides about it, if one does.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.fault.as_ref().or(self.identity_fault.as_ref())?.refusal
    }

    /// The most memory in bytes that keeping it takes; less where certificates are shared.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let texts = self.id.iter().chain(&self.version).map(String::len);
        let faults = self.fault.iter().chain(&self.identity_fault).map(|fault| fault.sentence.len());
        let certificates = self
            .chains
            .iter()
            .flat_map(|chain| std::iter::once(&chain.end_entity).chain(&chain.embedded))
            .map(Certificate::memory_bytes);
        (size_of::<Self>() + texts.chain(faults).chain(certificates).sum::<usize>()) as u64
    }
}

/// Inspects one archive: structure, every file against the manifests and the reverse, signatures, id.
///
/// Memory stays below [`memory_ceiling`](super::memory_ceiling), whatever the archive's size.
///
/// # Errors
/// Only those of the medium: whatever is wrong with the archive is part of the inspection.
pub fn inspect(archive: &dyn ReadAt, policy: &Policy, limits: &Limits) -> io::Result<Inspection> {
    inspect_among(archive, policy, limits, &CertificateMemo::none())
}

/// [`inspect`] for one of many archives: certificates that others held too are parsed, and held in memory, once.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_among(
    archive: &dyn ReadAt,
    policy: &Policy,
    limits: &Limits,
    certificates: &CertificateMemo,
) -> io::Result<Inspection> {
    let mut inspection = Inspection {
        id: None,
        version: None,
        sha256: None,
        fault: None,
        chains: Vec::new(),
        identity_fault: None,
    };
    inspection.sha256 = archive_digest(archive, limits)?;
    match fill(&mut inspection, archive, policy, limits, certificates) {
        Ok(()) => {}
        Err(Stop::Io(error)) => return Err(error),
        Err(Stop::Fault(fault)) => {
            inspection.fault = Some(fault);
            inspection.chains.clear();
        }
    }
    Ok(inspection)
}

fn fill(
    inspection: &mut Inspection,
    archive: &dyn ReadAt,
    policy: &Policy,
    limits: &Limits,
    certificates: &CertificateMemo,
) -> Result<(), Stop> {
    let directory = Directory::read(archive, &limits.xpi)?;
    let mut reader = ContentReader::new(archive, &directory);
    let mut held = Vec::new();
    match identity(&directory, &mut reader, limits, &mut held) {
        Ok(identity) => (inspection.id, inspection.version) = (identity.id, identity.version),
        Err(Stop::Fault(fault)) => inspection.identity_fault = Some(fault),
        Err(io) => return Err(io),
    }
    let files = SignatureFiles::find(&directory, policy.signature)?;
    let scene = Scene { directory: &directory, policy, limits, certificates };
    inspection.chains = signatures::verify(&scene, &mut reader, &files, held)?;
    if inspection.identity_fault.is_none() {
        inspection.identity_fault =
            check_identity(&mut inspection.id, &inspection.chains, limits.xpi.identity_text).err();
    }
    Ok(())
}

/// The SHA-256 of an archive, as an [`Inspection`] of it has it: archives of one digest have one inspection. `None` where it is
/// larger than the ceiling.
///
/// # Errors
/// Those of the medium.
pub fn archive_digest(archive: &dyn ReadAt, limits: &Limits) -> io::Result<Option<Sha256Digest>> {
    if archive.len() > limits.xpi.archive_bytes {
        return Ok(None);
    }
    let (mut hasher, mut offset, len) = (Sha256::new(), 0, archive.len());
    let mut buffer = Vec::new();
    while offset < len {
        let piece = (len - offset).min(256 << 10);
        hasher.update(bytes_at(archive, offset, piece as usize, &mut buffer)?);
        offset += piece;
    }
    Ok(Some(Sha256Digest(hasher.finalize().into())))
}

/// What `manifest.json` says, else `install.rdf`. What was read for it is left in `held`.
fn identity(
    directory: &Directory,
    reader: &mut ContentReader<'_>,
    limits: &Limits,
    held: &mut Vec<(usize, Held)>,
) -> Result<Identity, Stop> {
    let max = limits.xpi.identity_bytes;
    let mut identity = Identity::default();
    let mut read = |name: &[u8]| -> Result<Option<(usize, Vec<u8>)>, Stop> {
        let Some(index) = directory.position(name) else { return Ok(None) };
        let entry = directory.entries().get(index);
        entry.map(|entry| Ok((index, reader.read_to_vec(entry, max)?))).transpose()
    };
    if let Some((index, bytes)) = read(b"manifest.json")? {
        let said = Identity::of_manifest_json(&bytes);
        held.push((index, Held::Content(bytes)));
        identity = said?;
    }
    if identity.id.is_none()
        && let Some((index, bytes)) = read(b"install.rdf")?
    {
        let said = Identity::of_install_rdf(&bytes, &limits.xpi);
        held.push((index, Held::Content(bytes)));
        let older = said?;
        identity = Identity { id: older.id, version: identity.version.or(older.version) };
    }
    let texts = [("id", &identity.id), ("version", &identity.version)];
    for (what, text) in texts.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?))) {
        check_length(what, text, limits.xpi.identity_text)?;
    }
    Ok(identity)
}

/// Every signer must have been certified for this add-on. An add-on that states no id has that of its certificate.
fn check_identity(id: &mut Option<String>, chains: &[Chain], longest: usize) -> Result<(), Fault> {
    for chain in chains {
        let name = chain.end_entity.common_name();
        match id {
            Some(id) => check_id(id, name)?,
            None => {
                name.map_or(Ok(()), |name| check_length("id", name, longest))?;
                *id = name.map(str::to_owned);
            }
        }
    }
    match id {
        Some(_) => Ok(()),
        None => {
            Err(Fault::new(VerdictKind::IdMismatch, "neither the add-on nor its certificate states an id"))
        }
    }
}

fn check_length(what: &str, text: &str, longest: usize) -> Result<(), Fault> {
    if text.len() <= longest {
        return Ok(());
    }
    let len = text.len();
    Err(Fault::limit(format!("the add-on's {what} has {len} bytes, more than the {longest} it may have")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xpi::archive::maker::{stored, zip};

    /// Whoever puts an unsigned file into the folder must not choose how long a run takes.
    #[test]
    fn an_unsigned_add_on_is_unsigned_whatever_it_says_of_itself() {
        let namespaces: String = (0..1_000).map(|n| format!(" xmlns:n{n}='urn:{n}'")).collect();
        let children: String = (0..5_000).map(|n| format!("<c xmlns:m{n}='urn:{n}'/>")).collect();
        let rdf = format!("<RDF{namespaces}>{children}</RDF>");
        for content in [rdf.as_str(), "<", ""] {
            let bytes = zip(&[stored("install.rdf", content.as_bytes())]);
            let inspection = inspect(&bytes, &Policy::firefox(), &Limits::default()).unwrap();
            assert_eq!(inspection.fault.unwrap().kind, VerdictKind::Unsigned);
            assert_eq!(inspection.id, None);
        }
    }

    #[test]
    fn what_an_add_on_says_of_itself_is_bounded() {
        let long = "x".repeat(400_000);
        for json in [
            format!(r#"{{"version":"1","applications":{{"gecko":{{"id":"{long}"}}}}}}"#),
            format!(r#"{{"version":"{long}"}}"#),
            format!(r#"{{"version":1,"applications":"{long}"}}"#),
        ] {
            let bytes = zip(&[stored("manifest.json", json.as_bytes())]);
            let inspection = inspect(&bytes, &Policy::firefox(), &Limits::default()).unwrap();
            assert_eq!((&inspection.id, &inspection.version), (&None, &None));
            let fault = inspection.identity_fault.unwrap();
            assert!(fault.sentence.len() < 5000, "{}", fault.sentence.len());
        }
    }
}
