//! `mulberry-lab fuzz-seeds`: valid inputs from which the fuzz targets start.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mulberry_shared::live::{HEARTBEAT, announcement};

use crate::LabError;
use crate::binaries::workspace;
use crate::pki::{Incident, IncidentDates};
use crate::xpi_signer::{Addon, AddonSigner, IdPlace, SigningOptions, ZipEntry};

/// Writes valid inputs for the fuzz targets, a folder a target.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mulberry-lab fuzz-seeds --out shared/fuzz/corpus")]
pub struct Arguments {
    /// The folder to write into; a folder a target is made in it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When a seed cannot be made or written.
pub fn run(arguments: &Arguments) -> Result<(), LabError> {
    let expiry: Timestamp = "2019-05-04T00:09:46Z".parse().map_err(LabError::crypto("read a date"))?;
    let validity = (expiry - jiff::SignedDuration::from_hours(24 * 300), expiry);
    let incident = Incident::new(IncidentDates::expired_at(expiry)?)?;
    let styles = [
        ("2018", SigningOptions::service_of_2018(validity.0, validity.1)),
        ("2023", SigningOptions::service_of_2023(validity.0, validity.1)),
    ];
    let addon = Addon::small("seed@example.org");
    let out = |target: &str, name: &str, bytes: &[u8]| write(&arguments.out.join(target), name, bytes);
    for (style, options) in styles {
        let kind = options.key_kind;
        let signer = AddonSigner { issuer: &incident.replacement, options };
        out("addon", style, &signer.sign(&addon)?)?;
        for ZipEntry { name, data, .. } in signer.entries(&addon)? {
            let name = String::from_utf8_lossy(&name).replace('/', "-");
            match name.rsplit('.').next() {
                Some("mf" | "sf" | "manifest") => out("manifest", &format!("{style}-{name}"), &data)?,
                Some("rsa") => out("pkcs7", style, &data)?,
                Some("sig") => out("cose", style, &data)?,
                _ => {}
            }
        }
        let end_entity = signer.end_entity(&addon, kind)?;
        out("certificate", style, end_entity.der())?;
        let chain =
            [&end_entity, &incident.expiring, &incident.replacement, &incident.wrong_key, &incident.anchor];
        out("path", style, chain.map(crate::pki::LabCertificate::pem).concat().as_bytes())?;
    }
    for version in ["66.0|>=60, <67", "60.6.2esr|~60.6", "68.0b3|>=60", "69.0a1|*"] {
        out("version", version, version.as_bytes())?;
    }
    let rdf = Addon { id_place: IdPlace::InstallRdf, ..addon };
    let signer = AddonSigner {
        issuer: &incident.replacement,
        options: SigningOptions::service_of_2018(validity.0, validity.1),
    };
    for entry in signer.entries(&rdf)? {
        if matches!(entry.name.as_slice(), b"install.rdf") {
            out("identity", "install.rdf", &entry.data)?;
        }
    }
    out("identity", "manifest.json", br#"{"version": "1", "applications": {"gecko": {"id": "a@b"}}}"#)?;
    out("operators", "gate", br#"{"revision":1,"state":"open","percent":500,"reason":"canary"}"#)?;
    out(
        "operators",
        "publish",
        br#"{"metadata":"e30=","recipes":{"emergency/a.json":"e30="},"withdraw":["b"]}"#,
    )?;
    let stream = [announcement(7).as_str(), HEARTBEAT, &announcement(1_557_000_000)].concat();
    out("live", "stream", stream.as_bytes())?;
    let recipes = workspace().join("recipes");
    for recipe in fs::read_dir(&recipes).map_err(LabError::file(&recipes))? {
        let recipe = recipe.map_err(LabError::file(&recipes))?;
        if let Ok(text) = fs::read(recipe.path().join("recipe.toml")) {
            out("recipe_source", &recipe.file_name().to_string_lossy(), &text)?;
        }
    }
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), LabError> {
    fs::create_dir_all(folder).map_err(LabError::file(folder))?;
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let path = folder.join(name);
    fs::write(&path, bytes).map_err(LabError::file(&path))
}
