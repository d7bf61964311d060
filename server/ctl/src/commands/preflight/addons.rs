//! Which add-ons a command line means, and reading one.

use crate::failure::{Failure, FailureKind};
use mulberry_host::{
    addons::{self, WhyLeftOut},
    memory::Budget,
};
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
const LIMITS: addons::Limits = addons::Limits { addons: 100_000, depth: 16, entries: 1_000_000 };

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sorted, each once.
    pub(super) files: Vec<PathBuf>,
    /// What was left out below those that were named.
    pub(super) unread: Vec<Unread>,
}

/// Files as they are named, and the add-ons below folders.
pub(super) fn find(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut found = Found::default();
    for path in paths {
        let unreadable = |error: io::Error| {
            let sentence = format!("{}: {error}. Check --addons.", path.display());
            Failure::usage(FailureKind::AddonsUnreadable, sentence)
        };
        if !fs::metadata(path).map_err(unreadable)?.is_dir() {
            found.files.push(path.clone());
            continue;
        }
        let below = addons::search(path, &LIMITS).map_err(unreadable)?;
        found.files.extend(below.addons.into_iter().map(|addon| path.join(addon.path)));
        for left in below.left_out.into_iter().filter(|left| left.why.may_hide_addons()) {
            if let why @ (WhyLeftOut::TooManyAddons { .. } | WhyLeftOut::TooManyEntries { .. }) = left.why {
                let sentence = format!("{}: {why}. Name a part of them with --addons.", path.display());
                return Err(Failure::usage(FailureKind::TooManyAddons, sentence));
            }
            let key = path.join(left.path).to_string_lossy().into_owned();
            found.unread.push(Unread { key, problem: left.why.to_string() });
        }
    }
    if found.files.len() > LIMITS.addons {
        let sentence = format!("More than {} add-ons: name a part of them with --addons.", LIMITS.addons);
        return Err(Failure::usage(FailureKind::TooManyAddons, sentence));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_sorted_once_and_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("in/deep")).unwrap();
        for file in ["in/b.xpi", "in/a.ZIP", "in/deep/c.xpi", "in/readme.txt", "d.xpi"] {
            fs::write(at(file), b"").unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("in/loop")).unwrap();
        std::os::unix::fs::symlink(at("d.xpi"), at("in/d.xpi")).unwrap();
        let found = find(&[at("in"), at("in/b.xpi"), at("in/readme.txt")]).unwrap();
        let expected =
            ["in/a.ZIP", "in/b.xpi", "in/d.xpi", "in/deep/c.xpi", "in/loop/d.xpi", "in/readme.txt"].map(at);
        assert_eq!((found.files.as_slice(), found.unread.len()), (&expected[..], 0));
        std::os::unix::fs::symlink("nowhere", at("in/gone.xpi")).unwrap();
        let [gone] = &find(&[at("in")]).unwrap().unread[..] else { panic!("one is left out") };
        assert!(gone.key.ends_with("in/gone.xpi") && gone.problem.contains("it is a link"));
        fs::create_dir(at("empty")).unwrap();
        assert_eq!(find(&[at("empty")]).unwrap_err().kind, "no-addons");
        assert_eq!(find(&[at("absent")]).unwrap_err().kind, "addons-unreadable");
    }
}
