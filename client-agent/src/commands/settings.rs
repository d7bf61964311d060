//! The state folder's settings, as all commands but `init` and `verify` read them.

use std::path::{Path, PathBuf};

use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{Anchors, Certificate};

use super::Failure;
use crate::config::{self, BadSetting, Config, Layer, validate};
use crate::io::disk::{StateFolder, read_file};
use crate::io::machine;
use crate::io::tls::{Tls, parse_roots};
use crate::ports::Disk;

/// Bytes of `agent.toml`: fifty lines.
const SETTINGS_BYTES: u64 = 256 << 10;
/// Bytes of a PEM file with anchors: a hundred certificates.
const ANCHOR_BYTES: u64 = 1 << 20;

/// `--state`, the same for every command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StateArg {
    /// The state folder (default /var/lib/mulberry/agent for root, else $XDG_STATE_HOME/mulberry/agent)
    #[arg(long = "state", value_name = "DIR", env = "MULBERRY_AGENT_STATE", hide_env_values = true)]
    folder: Option<PathBuf>,
}

impl StateArg {
    /// The folder, absolute.
    ///
    /// # Errors
    /// None was named and the environment suggests none.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder.clone().or_else(machine::default_state_folder).ok_or_else(|| {
            Failure::usage(
                "no state folder: neither --state nor HOME nor XDG_STATE_HOME says where; give --state DIR",
            )
        })?;
        std::path::absolute(&folder).map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))
    }

    /// The folder, opened.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn open(&self) -> Result<StateFolder, Failure> {
        let folder = self.folder()?;
        StateFolder::open(&folder).map_err(|error| {
            Failure::usage(format!(
                "the state folder {} cannot be used: {error}; make one with: mulberry-agent init",
                folder.display()
            ))
        })
    }
}

/// Merges flags and environment (`upper`) over the `agent.toml` of the state folder at `root`, and checks the result.
///
/// # Errors
/// Everything that is wrong in the file, or every setting that cannot be used.
pub fn load(disk: &dyn Disk, root: &Path, upper: Layer) -> Result<Config, Failure> {
    check(merged(disk, root, upper)?)
}

/// Flags and environment (`upper`) over the `agent.toml` of the state folder at `root`, unchecked.
///
/// # Errors
/// Everything that is wrong in the file.
pub fn merged(disk: &dyn Disk, root: &Path, upper: Layer) -> Result<Layer, Failure> {
    let path = root.join(config::FILE);
    let text = text(disk, root)?;
    let file = config::read_file(&path, &text).map_err(Failure::usage)?;
    let here = std::env::current_dir().map_err(Failure::usage)?;
    Ok(upper.relative_to(&here).over(file.relative_to(root)))
}

/// The text of the `agent.toml` of the state folder at `root`.
///
/// # Errors
/// It is missing or cannot be read.
pub fn text(disk: &dyn Disk, root: &Path) -> Result<String, Failure> {
    let path = root.join(config::FILE);
    let missing = || {
        Failure::usage(format!(
            "{} is missing; make a state folder with: mulberry-agent init",
            path.display()
        ))
    };
    let bytes = disk
        .read(config::FILE, SETTINGS_BYTES)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?
        .ok_or_else(missing)?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{}: not UTF-8", path.display())))
}

/// Checks settings and gives every problem a line.
///
/// # Errors
/// Every setting that cannot be used.
pub fn check(layer: Layer) -> Result<Config, Failure> {
    complete(layer).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::usage(lines.join("\n"))
    })
}

/// Checks settings over what the machine says of itself.
///
/// # Errors
/// Every setting that cannot be used.
pub fn complete(layer: Layer) -> Result<Config, Vec<BadSetting>> {
    validate(layer.over(Layer { locale: machine::locale(), ..Layer::default() }))
}

/// What TLS connections are made with.
///
/// # Errors
/// A file of further roots cannot be read or used.
pub fn tls(config: &Config) -> Result<Tls, Failure> {
    let mut roots = Vec::new();
    for file in &config.extra_roots {
        let named = |problem: &dyn std::fmt::Display| {
            Failure::usage(format!("extra root {}: {problem}", file.display()))
        };
        let pem = read_file(file, ANCHOR_BYTES).map_err(|error| named(&error))?;
        roots.extend(parse_roots(&pem).map_err(|error| named(&error))?);
    }
    Tls::new(config.tls, roots).map_err(Failure::usage)
}

/// Reads the trust anchors.
///
/// # Errors
/// A file cannot be read or holds something else than certificates.
pub fn anchors(files: &[PathBuf], limits: &Limits) -> Result<Anchors, Failure> {
    let mut all = Vec::new();
    for file in files {
        all.extend(anchor_file(file, limits)?);
    }
    Ok(all.into_iter().collect())
}

/// Reads one file of trust anchors.
///
/// # Errors
/// It cannot be read or holds something else than certificates.
pub fn anchor_file(file: &Path, limits: &Limits) -> Result<Vec<Certificate>, Failure> {
    let named = |problem: String| Failure::usage(format!("anchor {}: {problem}", file.display()));
    let bytes = read_file(file, ANCHOR_BYTES).map_err(|error| named(error.to_string()))?;
    let certificates =
        Certificate::parse_pem(&bytes, &limits.x509).map_err(|error| named(error.to_string()))?;
    if certificates.is_empty() {
        return Err(named(
            "it holds no certificate; give a PEM file with -----BEGIN CERTIFICATE-----".into(),
        ));
    }
    Ok(certificates)
}
