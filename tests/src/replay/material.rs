//! Which add-ons and certificates a replay plays with, and what must become of each add-on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mulberry_shared::xpi::{Policy, SignatureMode};

use crate::corpus::{self, CorpusAddon, CorpusSpec, Signed};
use crate::pki::KeyKind;
use crate::stage::StageError;

/// The material of one replay.
#[derive(Clone, Debug)]
pub struct Material {
    /// What it is, for the story.
    pub name: String,
    /// The trust anchor, PEM.
    pub anchor: PathBuf,
    /// The replacement intermediate, PEM.
    pub replacement: PathBuf,
    /// The folder of the add-ons.
    pub addons: PathBuf,
    /// Which signatures the agents look at.
    pub signature: SignatureMode,
    /// Before the intermediate's expiry.
    pub healthy_at: Timestamp,
    /// After it, and more than a day after [`Self::healthy_at`], so that the daily pass is due.
    pub expired_at: Timestamp,
    /// What must become of each add-on, by file name.
    pub expected: BTreeMap<String, Expected>,
}

/// Whether one add-on is enabled, at each moment of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Before the expiry.
    pub healthy: bool,
    /// After it, with the certificates that the add-ons bring themselves.
    pub expired: bool,
    /// After it, with the replacement installed.
    pub fixed: bool,
}

/// A moment of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the expiry.
    Healthy,
    /// After the expiry.
    Expired,
    /// After the replacement was installed.
    Fixed,
}

impl Expected {
    /// Whether the add-on must be enabled at `moment`.
    #[must_use]
    pub fn enabled(&self, moment: Moment) -> bool {
        match moment {
            Moment::Healthy => self.healthy,
            Moment::Expired => self.expired,
            Moment::Fixed => self.fixed,
        }
    }
}

impl Material {
    /// The add-ons that the expiry disables and the replacement brings back.
    pub fn hit(&self) -> impl Iterator<Item = &str> {
        self.expected
            .iter()
            .filter(|(_, e)| e.healthy && !e.expired && e.fixed)
            .map(|(file, _)| file.as_str())
    }

    /// `addons` add-ons of the laboratory, made now in the existing folder `folder`; `progress` is told how many are
    /// done.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn laboratory(
        folder: &Path,
        addons: usize,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, StageError> {
        let expiry = instant("2019-05-04T00:09:46Z")?;
        let spec = CorpusSpec {
            addons,
            seed: 1,
            expired_at: expiry,
            keys: KeyKind::Rsa2048,
            signed: Signed::EveryWay,
        };
        let (_, table) = corpus::write(folder, &spec, progress).map_err(|e| StageError(e.to_string()))?;
        let certificate = |name: &str| folder.join("certificates").join(name);
        Ok(Self {
            name: "laboratory add-ons".to_owned(),
            anchor: certificate("anchor.pem"),
            replacement: certificate("replacement.pem"),
            addons: folder.join("addons"),
            signature: Policy::firefox().signature,
            healthy_at: instant("2019-05-03T12:00:00Z")?,
            expired_at: instant("2019-05-05T00:00:00Z")?,
            expected: table.addons.iter().map(of_corpus).collect(),
        })
    }

    /// The real certificates and add-ons of 2019, with the verdicts of `EXPECTED.tsv`, from the folder `real`.
    ///
    /// # Errors
    /// When the folder does not hold them.
    pub fn real(real: &Path) -> Result<Self, StageError> {
        let real = real.canonicalize().map_err(|e| StageError(format!("{}: {e}", real.display())))?;
        let table = real.join("EXPECTED.tsv");
        let text =
            std::fs::read_to_string(&table).map_err(|e| StageError(format!("{}: {e}", table.display())))?;
        let material = Self {
            name: "real add-ons of 2019".to_owned(),
            anchor: real.join("certs/amo-prod-root-2015.pem"),
            replacement: real.join("certs/amo-prod-int-signingca1-REPLACEMENT-2019.pem"),
            addons: real.join("addons"),
            // The table's verdicts are those of PKCS#7 alone, which is all that was looked at in 2019.
            signature: SignatureMode::Pkcs7,
            healthy_at: instant("2019-05-03T12:00:00Z")?,
            expired_at: instant("2019-05-05T00:00:00Z")?,
            expected: expected(&text).map_err(|what| StageError(format!("{}: {what}", table.display())))?,
        };
        if material.hit().next().is_none() {
            return Err(StageError(format!("{}: no add-on is hit by the expiry", table.display())));
        }
        Ok(material)
    }
}

fn of_corpus(addon: &CorpusAddon) -> (String, Expected) {
    let name = addon.file.rsplit('/').next().unwrap_or(&addon.file).to_owned();
    let [healthy, expired, fixed] =
        [&addon.verdicts.before, &addon.verdicts.expired, &addon.verdicts.replaced]
            .map(|verdict| verdict == "ok");
    (name, Expected { healthy, expired, fixed })
}

/// The columns of `EXPECTED.tsv` that the replay is about.
fn expected(table: &str) -> Result<BTreeMap<String, Expected>, String> {
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let column = |name: &str| header.iter().position(|c| *c == name).ok_or(format!("no column {name}"));
    let file = column("file")?;
    let [healthy, expired, fixed] =
        [column("2019-05-03")?, column("2019-05-05_embedded_only")?, column("2019-05-05_plus_replacement")?];
    let mut rows = BTreeMap::new();
    for (number, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |at: usize| cells.get(at).copied().ok_or(format!("line {} is short", number + 2));
        let ok = |at: usize| cell(at).map(|verdict| verdict == "OK");
        let row = Expected { healthy: ok(healthy)?, expired: ok(expired)?, fixed: ok(fixed)? };
        rows.insert(cell(file)?.to_owned(), row);
    }
    Ok(rows)
}

fn instant(text: &str) -> Result<Timestamp, StageError> {
    text.parse().map_err(|e: jiff::Error| StageError(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_a_short_row_is_named() {
        let header = "file\t2019-05-05_plus_replacement\t2019-05-03\t2019-05-05_embedded_only";
        let rows = expected(&format!("{header}\na.xpi\tOK\tOK\tEXPIRED_ISSUER")).unwrap();
        assert_eq!(rows["a.xpi"], Expected { healthy: true, expired: false, fixed: true });
        assert_eq!(expected(&format!("{header}\na.xpi\tOK")), Err("line 2 is short".to_owned()));
        assert_eq!(expected("file"), Err("no column 2019-05-03".to_owned()));
    }
}
