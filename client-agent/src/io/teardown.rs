//! Taking a state folder apart: only what an agent is known to have made, and the rest named.
//!
//! Add-ons are out of reach from here: nothing outside the state folder is touched, and no link is followed.

use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use mulberry_shared::digest::Sha256Digest;

use super::{lock, presence};
use crate::{config, projections, state};

/// Whose something in the state folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The agent's own: useful to nobody else.
    Agent,
    /// Written by the agent for the host, which may read it for as long as it likes.
    Host,
    /// Nothing that an agent makes.
    Unknown,
}

/// One thing in the state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the state folder.
    pub path: String,
    /// Whose it is.
    pub owner: Owner,
}

/// The agent's own folders; each is removed when nothing is left in it.
const FOLDERS: [&str; 4] = ["anchors", projections::CERTIFICATES, "tmp", "trust"];

/// Whether an agent has ever made this folder its own, by what no other program has: `state.json` and `lock` are common names.
/// What is left of an uninstall that was interrupted counts, too.
#[must_use]
pub fn is_state_folder(root: &Path) -> bool {
    let kind = |name: &str| fs::symlink_metadata(root.join(name)).ok().map(|metadata| metadata.file_type());
    let is_file = |name: &str| kind(name).is_some_and(|kind| kind.is_file());
    let is_folder = |name: &str| kind(name).is_some_and(|kind| kind.is_dir());
    let begun = kind(state::FILE).is_none() && kind(config::FILE).is_none();
    is_file("trust/current.json") || begun && is_file(lock::LOCK) && is_folder("trust")
}

/// All that is in a state folder and in the agent's folders in it, sorted by path, the lock left out. An unknown folder is
/// one entry.
///
/// # Errors
/// A folder cannot be listed.
pub fn survey(root: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (name, kind) in listed(root)? {
        if name == lock::LOCK && kind.is_file() {
            continue;
        }
        if kind.is_dir() && FOLDERS.contains(&name.as_str()) {
            for (inner, kind) in listed(&root.join(&name))? {
                let path = format!("{name}/{inner}");
                entries.push(Entry { owner: owner(&path, kind), path });
            }
        } else {
            entries.push(Entry { owner: owner(&name, kind), path: name });
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// Removes these files, then the agent's folders that are empty, then the lock, then the state folder if it is empty, too;
/// says whether it is gone. For who holds the lock.
///
/// `state.json` goes first: without it no agent works here, so one that is interrupted leaves no half agent behind.
///
/// # Errors
/// The first file that cannot be removed, with its path. Running it again goes on from there.
pub fn remove(root: &Path, paths: &[&str]) -> Result<bool, (PathBuf, io::Error)> {
    let (first, rest): (Vec<&str>, Vec<&str>) = paths.iter().partition(|path| **path == state::FILE);
    for path in first.into_iter().chain(rest) {
        let path = root.join(path);
        present(fs::remove_file(&path)).map_err(|error| (path, error))?;
    }
    for folder in FOLDERS {
        let folder = root.join(folder);
        // A link in the place of a folder is no folder of ours.
        if fs::symlink_metadata(&folder).is_ok_and(|metadata| metadata.is_dir()) {
            empty(fs::remove_dir(&folder)).map_err(|error| (folder, error))?;
        }
    }
    let lock = root.join(lock::LOCK);
    present(fs::remove_file(&lock)).map_err(|error| (lock, error))?;
    // The folder's parent may not be ours to write: an empty folder that stays does no harm.
    Ok(fs::remove_dir(root).is_ok())
}

fn owner(path: &str, kind: FileType) -> Owner {
    if path == presence::SOCKET && kind.is_socket() {
        return Owner::Agent;
    }
    if !kind.is_file() {
        return Owner::Unknown;
    }
    let digest = |name: &str| name.parse::<Sha256Digest>().is_ok();
    let pem = |name: &str| name.strip_suffix(".pem").is_some_and(digest);
    match path.split_once('/') {
        None if path == projections::ADDONS => Owner::Host,
        None if [state::FILE, config::FILE, projections::HOOK].contains(&path) => Owner::Agent,
        Some((projections::CERTIFICATES, name)) if pem(name) => Owner::Host,
        Some(("anchors", name)) if pem(name) => Owner::Agent,
        Some(("trust", name)) if digest(name) || name == "current.json" => Owner::Agent,
        Some(("tmp", "next")) => Owner::Agent,
        _ => Owner::Unknown,
    }
}

fn listed(folder: &Path) -> io::Result<Vec<(String, FileType)>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.file_type()?))
        })
        .collect()
}

/// What is gone already need not be removed.
fn present(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A folder that is not empty stays.
fn empty(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_agent_makes_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let digest = Sha256Digest::of(b"x");
        for name in ["anchors", "certificates", "tmp", "trust", "notes"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let known = [
            ("addons.json", Owner::Host),
            ("agent.toml", Owner::Agent),
            (&format!("anchors/{digest}.pem"), Owner::Agent),
            ("anchors/mine.pem", Owner::Unknown),
            (&format!("certificates/{digest}.pem"), Owner::Host),
            ("certificates/other.pem", Owner::Unknown),
            ("hook.json", Owner::Agent),
            ("state.json.bak", Owner::Unknown),
            ("tmp/next", Owner::Agent),
            (&format!("trust/{digest}"), Owner::Agent),
            ("trust/current.json", Owner::Agent),
            ("trust/x", Owner::Unknown),
        ];
        for (path, _) in known {
            fs::write(root.join(path), "x").unwrap();
        }
        assert!(is_state_folder(root));
        fs::write(root.join("lock"), "").unwrap();
        fs::write(root.join("notes/thesis"), "x").unwrap();
        // A link is none of ours, whatever it is called, and what it leads to stays.
        std::os::unix::fs::symlink(root.join("notes/thesis"), root.join("state.json")).unwrap();
        let found = survey(root).unwrap();
        let found: Vec<(&str, Owner)> =
            found.iter().map(|entry| (entry.path.as_str(), entry.owner)).collect();
        let mut expected = known.to_vec();
        expected.extend([("notes", Owner::Unknown), ("state.json", Owner::Unknown)]);
        expected.sort_by_key(|(path, _)| *path);
        assert_eq!(found, expected);

        let ours: Vec<&str> =
            found.iter().filter(|(_, owner)| *owner == Owner::Agent).map(|(path, _)| *path).collect();
        assert!(!remove(root, &ours).unwrap());
        assert!(!root.join("tmp").exists() && !root.join("lock").exists());
        let left: Vec<(String, Owner)> =
            survey(root).unwrap().into_iter().map(|entry| (entry.path, entry.owner)).collect();
        expected.retain(|(_, owner)| *owner != Owner::Agent);
        let expected: Vec<(String, Owner)> =
            expected.into_iter().map(|(path, owner)| (path.to_owned(), owner)).collect();
        assert_eq!(left, expected);
        assert!(root.join("notes/thesis").exists());
    }

    #[test]
    fn another_programs_folder_is_not_an_agents() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["state.json", "agent.toml", "lock"] {
            fs::write(root.join(name), "{}").unwrap();
            assert!(!is_state_folder(root), "{name}");
        }
        fs::create_dir(root.join("trust")).unwrap();
        assert!(!is_state_folder(root), "a folder of that name alone says nothing");
        fs::remove_file(root.join("state.json")).unwrap();
        fs::remove_file(root.join("agent.toml")).unwrap();
        assert!(is_state_folder(root), "an uninstall that was interrupted goes on");
    }
}
