//! Many add-ons in the groups of the incident, with the verdicts to expect.
//!
//! | group | share | signed under | before | expired | replaced |
//! |---|---|---|---|---|---|
//! | A | 60 % | the expiring intermediate | ok | issuer-expired | ok |
//! | B | 10 % | its replacement, embedded | ok | ok | ok |
//! | C | 25 % | the control intermediate | ok | ok | ok |
//! | F | 5 % | somebody else's intermediate | unknown-issuer | unknown-issuer | unknown-issuer |
//!
//! The columns are the policy `firefox` an hour before the expiring intermediate's last second, an hour after it, and then
//! with the replacement among the known certificates. Contents follow from the seed alone; keys and so signatures differ in
//! every run.

mod contents;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::LabError;
use crate::pki::{Incident, IncidentDates, KeyKind, LabCertificate, key};
use crate::xpi_signer::{AddonSigner, ContainerStyle, ManifestDigests, SignedAttributes, SigningOptions};

/// What a corpus shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorpusSpec {
    /// How many add-ons.
    pub addons: usize,
    /// Contents follow from it.
    pub seed: u64,
    /// The last second of the expiring intermediate.
    pub expired_at: Timestamp,
    /// Keys of anchors and intermediates: RSA-2048, or RSA-4096 as in real files. End entities of PKCS#7 have RSA-2048.
    pub keys: KeyKind,
    /// How they are signed.
    pub signed: Signed,
}

/// How the add-ons of a corpus are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Signed {
    /// Every way that stands in real files, in turn: two of seven have COSE by a P-256 end entity besides PKCS#7, so two chains.
    EveryWay,
    /// PKCS#7 by an RSA-2048 end entity alone, as in 2018.
    Rsa,
}

/// Which intermediate signed an add-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Group {
    /// The one that expires.
    A,
    /// Its replacement.
    B,
    /// The control.
    C,
    /// Somebody else's.
    F,
}

/// `expected.json`: what a corpus holds and which verdicts are right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusTable {
    /// Format of this file: 1.
    pub format: u32,
    /// What the contents follow from.
    pub seed: u64,
    /// The last second of the expiring intermediate.
    pub expired_at: Timestamp,
    /// Name of a certificate to its file, relative to the corpus.
    pub certificates: BTreeMap<String, String>,
    /// The add-ons, sorted by file.
    pub addons: Vec<CorpusAddon>,
}

/// One add-on of a corpus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusAddon {
    /// Its file, relative to the corpus.
    pub file: String,
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Its group.
    pub group: Group,
    /// The verdicts to expect.
    pub verdicts: Verdicts,
}

/// The verdict kinds to expect under the policy `firefox`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// An hour before the intermediate's end.
    pub before: String,
    /// An hour after it.
    pub expired: String,
    /// An hour after it, the replacement known.
    pub replaced: String,
}

/// Makes a corpus in an existing folder: `addons/*.xpi`, `certificates/*.pem` and `expected.json`. `progress` is told how
/// many add-ons are done, from any thread.
///
/// # Errors
/// When something cannot be made or written.
pub fn write(
    folder: &Path,
    spec: &CorpusSpec,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(Incident, CorpusTable), LabError> {
    let incident = Incident::with_keys(spec.keys, IncidentDates::expired_at(spec.expired_at)?)?;
    let certificates = write_certificates(folder, &incident)?;
    let addons_folder = folder.join("addons");
    fs::create_dir_all(&addons_folder).map_err(LabError::file(&addons_folder))?;
    // Made before the threads start, which would otherwise all wait for it.
    key(KeyKind::Rsa2048, "end entity")?;
    let done = AtomicUsize::new(0);
    let mut addons = (0..spec.addons)
        .into_par_iter()
        .map(|index| {
            let addon = one(folder, spec, &incident, index)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            Ok(addon)
        })
        .collect::<Result<Vec<_>, LabError>>()?;
    addons.sort_by(|a, b| a.file.cmp(&b.file));
    let table = CorpusTable { format: 1, seed: spec.seed, expired_at: spec.expired_at, certificates, addons };
    let path = folder.join("expected.json");
    fs::write(&path, serde_json::to_vec_pretty(&table)?).map_err(LabError::file(&path))?;
    Ok((incident, table))
}

impl Group {
    /// The group of the add-on of this number: of each twenty 12 are A, 2 B, 5 C, 1 F.
    pub fn of(index: usize) -> Self {
        match index % 20 {
            0..=8 | 10..=12 => Self::A,
            9 | 19 => Self::B,
            13..=17 => Self::C,
            _ => Self::F,
        }
    }

    fn verdicts(self) -> Verdicts {
        let (before, expired, replaced) = match self {
            Self::A => ("ok", "issuer-expired", "ok"),
            Self::B | Self::C => ("ok", "ok", "ok"),
            Self::F => ("unknown-issuer", "unknown-issuer", "unknown-issuer"),
        };
        Verdicts { before: before.to_owned(), expired: expired.to_owned(), replaced: replaced.to_owned() }
    }
}

fn one(folder: &Path, spec: &CorpusSpec, incident: &Incident, index: usize) -> Result<CorpusAddon, LabError> {
    let group = Group::of(index);
    let addon = contents::addon(spec.seed, index);
    let issuer = match group {
        Group::A => &incident.expiring,
        Group::B => &incident.replacement,
        Group::C => &incident.control,
        Group::F => &incident.other,
    };
    let options = options(spec, index)?;
    let bytes = AddonSigner { issuer, options }.sign(&addon)?;
    let file = format!("addons/{group:?}-{index:06}.xpi").to_lowercase();
    let path = folder.join(&file);
    fs::write(&path, &bytes).map_err(LabError::file(&path))?;
    Ok(CorpusAddon {
        file,
        sha256: hex::encode(Sha256::digest(&bytes)),
        id: addon.id,
        version: addon.version,
        group,
        verdicts: group.verdicts(),
    })
}

/// The ways of signing take turns.
fn options(spec: &CorpusSpec, index: usize) -> Result<SigningOptions, LabError> {
    let shift = |days: i64| {
        spec.expired_at
            .checked_add(SignedDuration::from_hours(24 * days))
            .map_err(|_| LabError::Impossible(format!("a corpus at {}", spec.expired_at)))
    };
    let validity = (shift(-300)?, shift(65)?);
    // Not in step with the groups, which have a period of twenty.
    let mut options = match (index % 7, spec.signed) {
        (4 | 5, Signed::EveryWay) => SigningOptions::service_of_2023(validity.0, validity.1),
        (0..=5, _) => SigningOptions::service_of_2018(validity.0, validity.1),
        _ => SigningOptions {
            digests: ManifestDigests::Md5AndSha1,
            container: ContainerStyle::LocalHeader,
            ..SigningOptions::service_of_2018(validity.0, validity.1)
        },
    };
    if index % 7 == 3
        && let Some(pkcs7) = &mut options.pkcs7
    {
        pkcs7.attributes = SignedAttributes::Absent;
    }
    Ok(options)
}

fn write_certificates(folder: &Path, incident: &Incident) -> Result<BTreeMap<String, String>, LabError> {
    let certificates_folder = folder.join("certificates");
    fs::create_dir_all(&certificates_folder).map_err(LabError::file(&certificates_folder))?;
    let list: [(&str, &LabCertificate); 9] = [
        ("anchor", &incident.anchor),
        ("expiring", &incident.expiring),
        ("replacement", &incident.replacement),
        ("control", &incident.control),
        ("wrong-key", &incident.wrong_key),
        ("stolen", &incident.stolen),
        ("stolen-sibling", &incident.stolen_sibling),
        ("other-anchor", &incident.other_anchor),
        ("other", &incident.other),
    ];
    let mut names = BTreeMap::new();
    for (name, certificate) in list {
        let file = format!("certificates/{name}.pem");
        let path = folder.join(&file);
        fs::write(&path, certificate.pem()).map_err(LabError::file(&path))?;
        names.insert(name.to_owned(), file);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_follow_from_the_seed_and_groups_from_the_number() {
        let same = contents::addon(7, 3);
        assert_eq!(same.contents, contents::addon(7, 3).contents);
        assert_ne!(same.contents, contents::addon(8, 3).contents);
        assert_ne!(same.contents, contents::addon(7, 4).contents);
        let count = |group| (0..200).filter(|index| Group::of(*index) == group).count();
        assert_eq!([count(Group::A), count(Group::B), count(Group::C), count(Group::F)], [120, 20, 50, 10]);
    }

    #[test]
    fn a_corpus_is_written_with_its_table() {
        let folder = tempfile::tempdir().unwrap();
        let spec = CorpusSpec {
            addons: 20,
            seed: 1,
            expired_at: "2019-05-04T00:09:46Z".parse().unwrap(),
            keys: KeyKind::Rsa2048,
            signed: Signed::EveryWay,
        };
        let (_, table) = write(folder.path(), &spec, &|_| ()).unwrap();
        let read: CorpusTable =
            serde_json::from_slice(&fs::read(folder.path().join("expected.json")).unwrap()).unwrap();
        assert_eq!(read, table);
        for addon in &table.addons {
            let bytes = fs::read(folder.path().join(&addon.file)).unwrap();
            assert_eq!(hex::encode(Sha256::digest(&bytes)), addon.sha256);
            assert!((40_000..65_000).contains(&bytes.len()), "{}: {} bytes", addon.file, bytes.len());
        }
    }
}
