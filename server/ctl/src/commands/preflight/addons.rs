//! Which add-ons a command line means, and reading one.

use super::memory::Budget;
use crate::failure::{Failure, FailureKind};
use mulberry_shared::{
    limits::Limits,
    preflight::Unread,
    xpi::{self, Inspection, Policy, ReadAt},
};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The most add-ons of one corpus: the verdicts on all of them are held in memory.
const MAX_ADDONS: usize = 100_000;
/// The deepest folder looked into.
const MAX_DEPTH: usize = 16;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sorted, each once.
    pub(super) files: Vec<PathBuf>,
    /// Folders below those that were named which cannot be read.
    pub(super) unread: Vec<Unread>,
}

/// Files as they are named, and the `.xpi` and `.zip` files in folders and the folders in them. Links are followed only where
/// they are named themselves.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut folders = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| {
            Failure::usage(
                FailureKind::AddonsUnreadable,
                format!("{}: {error}. Check --addons.", path.display()),
            )
        })?;
        if metadata.is_dir() {
            folders.push((path.clone(), 0));
        } else {
            found.files.push(path.clone());
        }
    }
    while let Some((folder, depth)) = folders.pop() {
        if let Err(error) = search(&folder, depth, &mut found, &mut folders) {
            let key = folder.to_string_lossy().into_owned();
            found.unread.push(Unread { key, problem: error.to_string() });
        }
        if found.files.len() > MAX_ADDONS {
            let sentence = format!("More than {MAX_ADDONS} add-ons: name a part of them with --addons.");
            return Err(Failure::usage(FailureKind::TooManyAddons, sentence));
        }
    }
    found.files.sort_unstable();
    found.files.dedup();
    if found.files.is_empty() {
        let sentence = "No add-on found; --addons takes files, and folders of .xpi and .zip files.";
        return Err(Failure::usage(FailureKind::NoAddons, sentence));
    }
    Ok(found)
}

/// Inspects the add-on at `path` when `memory` has room for it.
///
/// # Errors
/// The file cannot be read. Whatever is wrong with what it holds is part of the inspection.
pub(super) fn inspect(
    path: &Path,
    policy: &Policy,
    limits: &Limits,
    memory: &Budget,
) -> io::Result<Inspection> {
    // Asked before opening: opening a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    memory.with(xpi::memory_ceiling(len, &limits.xpi), || xpi::inspect(&Addon { file, len }, policy, limits))
}

/// An open add-on, whose length is what it was when it was opened.
struct Addon {
    file: File,
    len: u64,
}

impl ReadAt for Addon {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

fn search(
    folder: &Path,
    depth: usize,
    found: &mut Found,
    folders: &mut Vec<(PathBuf, usize)>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Of the entry itself: a link is neither file nor folder here.
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() && depth < MAX_DEPTH {
            folders.push((path, depth + 1));
        } else if kind.is_file() && is_add_on(&path) {
            found.files.push(path);
        }
    }
    Ok(())
}

fn is_add_on(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["xpi", "zip"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_sorted_once_and_without_following_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("in/deep")).unwrap();
        for file in ["in/b.xpi", "in/a.ZIP", "in/deep/c.xpi", "in/readme.txt", "d.xpi"] {
            fs::write(at(file), b"").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("in/loop")).unwrap();
        std::os::unix::fs::symlink(at("d.xpi"), at("in/d.xpi")).unwrap();
        let found = find(&[at("in"), at("in/b.xpi"), at("in/readme.txt")]).unwrap();
        let expected = ["in/a.ZIP", "in/b.xpi", "in/deep/c.xpi", "in/readme.txt"].map(at);
        assert_eq!((found.files.as_slice(), found.unread.len()), (&expected[..], 0));
        fs::create_dir(at("empty")).unwrap();
        assert_eq!(find(&[at("empty")]).unwrap_err().kind, "no-addons");
        assert_eq!(find(&[at("absent")]).unwrap_err().kind, "addons-unreadable");
    }
}
