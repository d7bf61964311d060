//! `mulberry-lab corpus`: many signed add-ons, their certificates, and the verdicts to expect.

use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::LabError;
use crate::corpus::{self, CorpusSpec, Group, Signed};
use crate::pki::KeyKind;

/// Writes many signed add-ons of about 50 KB, their certificates, and the verdicts to expect.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: mulberry-lab corpus --out /tmp/corpus --addons 200\n\n\
    Writes addons/*.xpi, certificates/*.pem and expected.json. Private keys are never written.")]
pub struct Arguments {
    /// The folder to make; it must be empty or absent.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many add-ons: 60 % under the expiring intermediate, the others as controls.
    #[arg(long, value_name = "N", default_value_t = 200)]
    addons: usize,
    /// The last second of the expiring intermediate.
    #[arg(long, value_name = "RFC3339", default_value = "2019-05-04T00:09:46Z")]
    expired_at: Timestamp,
    /// Contents follow from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Size of the RSA keys of anchors and intermediates; the real ones have 4096 bits, which take seconds to make.
    #[arg(long, value_enum, default_value_t = Keys::Rsa2048)]
    keys: Keys,
}

/// Keys of anchors and intermediates.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Keys {
    Rsa2048,
    Rsa4096,
}

impl From<Keys> for KeyKind {
    fn from(keys: Keys) -> Self {
        match keys {
            Keys::Rsa2048 => Self::Rsa2048,
            Keys::Rsa4096 => Self::Rsa4096,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the folder is not empty, or something cannot be made or written.
pub fn run(arguments: &Arguments) -> Result<(), LabError> {
    let out = &arguments.out;
    fs::create_dir_all(out).map_err(LabError::file(out))?;
    if fs::read_dir(out).map_err(LabError::file(out))?.next().is_some() {
        return Err(LabError::Usage(format!("{} is not empty. Name a new folder with --out", out.display())));
    }
    let spec = CorpusSpec {
        addons: arguments.addons,
        seed: arguments.seed,
        expired_at: arguments.expired_at,
        keys: arguments.keys.into(),
        signed: Signed::EveryWay,
    };
    // Hidden by itself when standard error is no terminal.
    let bar = ProgressBar::new(spec.addons as u64);
    if let Ok(style) = ProgressStyle::with_template("signing {bar:40} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    let (_, table) = corpus::write(out, &spec, &|done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let count = |group| table.addons.iter().filter(|addon| addon.group == group).count();
    println!(
        "{}: {} add-ons (A {}, B {}, C {}, F {}), the intermediate of group A expires {}",
        out.display(),
        table.addons.len(),
        count(Group::A),
        count(Group::B),
        count(Group::C),
        count(Group::F),
        spec.expired_at
    );
    Ok(())
}
