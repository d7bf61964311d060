//! The state folder's settings, as all commands but `init` and `verify` read them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mulberry_host::files;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{AnchorFile, Anchors, Certificate, CertificateErrorKind, Purpose};

use super::Failure;
use crate::config::{self, BadSetting, Config, Layer, Origin, validate};
use crate::io::disk::StateFolder;
use crate::io::http::proxy_for;
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
            let hint = match error.kind() {
                ErrorKind::NotFound => "; make one with: mulberry-agent init",
                _ => "",
            };
            Failure::usage(format!("the state folder {} cannot be used: {error}{hint}", folder.display()))
        })
    }

    /// The folder, opened to write in it.
    ///
    /// # Errors
    /// It cannot be used, or belongs to another user.
    pub fn open_to_write(&self) -> Result<StateFolder, Failure> {
        let folder = self.open()?;
        let owner = fs::metadata(folder.root()).map(|folder| folder.uid());
        match (owner.ok(), machine::user()) {
            (Some(owner), Some(me)) => check_owner(folder.root(), owner, me).map(|()| folder),
            _ => Ok(folder),
        }
    }
}

/// An administrator may write anywhere, but the agent and the host that run as the owner could not read that.
fn check_owner(folder: &Path, owner: u32, me: u32) -> Result<(), Failure> {
    if owner == me {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the state folder {} belongs to user {owner}, who could not read what user {me} writes there. Nothing was changed; run it \
         as that user: sudo -u '#{owner}' mulberry-agent …",
        folder.display()
    )))
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
            "{} is missing; put a copy back, or write it again: origins, addons, and anchors, whose files are in anchors/",
            path.display()
        ))
    };
    let bytes = disk
        .read(config::FILE, SETTINGS_BYTES)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?
        .ok_or_else(missing)?;
    let text = mulberry_shared::outside::text(&bytes).map(str::to_owned);
    text.map_err(|why| Failure::usage(format!("{}: {why}", path.display())))
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

/// What a run would meet in the files that settings name, and in the environment.
#[must_use]
pub fn unreadable(config: &Config, limits: &Limits) -> Vec<BadSetting> {
    let problem = |setting, failure: Failure| BadSetting { setting, problem: failure.sentence };
    let anchors = anchors(&config.anchors, limits).err().map(|failure| problem("anchors", failure));
    let roots = tls(config, limits).err().map(|failure| problem("extra_roots", failure));
    let proxies = proxies(config).err().map(|failure| problem("origins", failure));
    anchors.into_iter().chain(roots).chain(proxies).collect()
}

/// Checks that the environment names usable proxies, where it names one for an origin.
///
/// # Errors
/// A variable does not.
pub fn proxies(config: &Config) -> Result<(), Failure> {
    for origin in &config.origins {
        if let Origin::Http(url) = origin {
            proxy_for(url).map_err(Failure::usage)?;
        }
    }
    Ok(())
}

/// What TLS connections are made with.
///
/// # Errors
/// A file of further roots cannot be read or used.
pub fn tls(config: &Config, limits: &Limits) -> Result<Tls, Failure> {
    let mut roots = Vec::new();
    for file in &config.extra_roots {
        let named = |problem: &dyn std::fmt::Display| {
            Failure::usage(format!("extra root {}: {problem}", file.display()))
        };
        let bytes = files::read(file, ANCHOR_BYTES).map_err(|error| named(&error))?;
        roots.extend(parse_roots(&bytes, &limits.x509).map_err(|error| named(&error))?);
    }
    Tls::new(config.tls, roots).map_err(Failure::usage)
}

/// Reads the trust anchors that an agent runs with. An intermediate that an earlier `init` pinned stays one, with a warning: a
/// client that refused its own settings would get no fix.
///
/// # Errors
/// A file cannot be read or holds something else than certificates.
pub fn anchors(files: &[PathBuf], limits: &Limits) -> Result<Anchors, Failure> {
    let mut all = Vec::new();
    for file in files {
        let bytes = anchor_bytes(file)?;
        let found = match Certificate::read_anchors(&bytes, &limits.x509) {
            Err(error) if error.kind == CertificateErrorKind::NoAnchor => {
                tracing::warn!("anchor {}: {error}; until then it stays pinned", file.display());
                Certificate::read_file(&bytes, Purpose::Pool, &limits.x509)
            }
            found => found.map(|found| without_others(file, found)),
        };
        all.extend(found.map_err(|error| anchor_problem(file, &error))?);
    }
    Ok(all.into_iter().collect())
}

/// Reads one file of trust anchors that is to be pinned.
///
/// # Errors
/// It cannot be read, holds something else than certificates, or none that is an anchor.
pub fn anchor_file(file: &Path, limits: &Limits) -> Result<Vec<Certificate>, Failure> {
    let found = Certificate::read_anchors(&anchor_bytes(file)?, &limits.x509);
    found.map(|found| without_others(file, found)).map_err(|error| anchor_problem(file, &error))
}

/// The anchors of a file; what else is in it is warned of.
fn without_others(file: &Path, found: AnchorFile) -> Vec<Certificate> {
    if let Some(warning) = found.warning() {
        tracing::warn!("anchor {}: {warning}", file.display());
    }
    found.anchors
}

fn anchor_bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    files::read(file, ANCHOR_BYTES).map_err(|error| anchor_problem(file, &error))
}

fn anchor_problem(file: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("anchor {}: {problem}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{anchor, replacement};

    #[test]
    fn an_intermediate_is_not_pinned_any_more_and_stays_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, pem: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path
        };
        let limits = Limits::default();
        let intermediate = file("intermediate.pem", replacement().to_pem());
        let chain = file("chain.pem", replacement().to_pem() + &anchor().to_pem());
        assert_eq!(anchor_file(&chain, &limits).unwrap(), [anchor()]);
        let refused = anchor_file(&intermediate, &limits).unwrap_err();
        assert!(refused.sentence.contains("intermediate.pem: it holds no anchor"), "{refused}");
        // As an earlier `init` has left it.
        let pinned = anchors(&[intermediate, chain], &limits).unwrap();
        assert!(pinned.contains(&replacement()) && pinned.contains(&anchor()));
    }

    #[test]
    fn a_folder_of_another_user_is_not_written_to() {
        check_owner(Path::new("/s"), 7, 7).unwrap();
        let refused = check_owner(Path::new("/s"), 7, 0).unwrap_err();
        assert_eq!(refused.exit, mulberry_shared::exit::Exit::Usage);
        assert!(refused.sentence.contains("sudo -u '#7'"), "{refused}");
    }
}
