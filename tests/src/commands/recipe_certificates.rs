//! `mulberry-lab recipe-certificates`: the laboratory certificates that the example recipes in `recipes/` use.
//!
//! The private keys are forgotten when the command ends: nobody can sign anything with these certificates.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::LabError;
use crate::pki::{CertificateSpec, Incident, IncidentDates, KeyKind, key, mozilla_name};

/// Writes the laboratory certificates that the example recipes use.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mulberry-lab recipe-certificates --out recipes\n\n\
    Each run makes new keys, so all files change together. Private keys are never written.")]
pub struct Arguments {
    /// The folder of recipes; folders for the recipes that need a certificate are made in it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a certificate cannot be made or a file not written.
pub fn run(arguments: &Arguments) -> Result<(), LabError> {
    let set = recipe_set()?;
    let drill = CertificateSpec::ca(
        mozilla_name("Laboratory Signing Service", "fire-drill.addons.example.org")?,
        0x10_0d01,
        set.dates.anchor.0,
        set.dates.anchor.1,
    )
    .issued_by(&set.anchor, &key(KeyKind::Rsa2048, "fire drill")?)?;
    let files = [
        ("laboratory-anchor.pem", &set.anchor),
        ("replace-signing-intermediate/replacement.pem", &set.replacement),
        ("distrust-stolen-intermediate/stolen.pem", &set.stolen),
        ("fire-drill/drill.pem", &drill),
    ];
    for (name, certificate) in files {
        let path = arguments.out.join(name);
        write(&path, &certificate.pem())?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The incident with dates that last: everything from 2015 to 2045, the expired intermediate as in 2019.
fn recipe_set() -> Result<Incident, LabError> {
    let at = |text: &str| text.parse::<Timestamp>().map_err(LabError::crypto("read a date"));
    let long = (at("2015-03-17T00:00:00Z")?, at("2045-03-14T00:00:00Z")?);
    Incident::new(IncidentDates {
        anchor: long,
        expiring: (at("2017-05-04T00:09:46Z")?, at("2019-05-04T00:09:46Z")?),
        replacement: long,
    })
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(LabError::file(folder))?;
    }
    fs::write(path, text).map_err(LabError::file(path))
}
