//! Which files a command line means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::print::shown;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sorted, each once.
    pub(super) files: Vec<PathBuf>,
    /// What could not be read, in words.
    pub(super) problems: Vec<String>,
}

/// Files as they are named, and the `.xpi` and `.zip` files in folders and the folders in them. Links are followed only where they
/// are named themselves.
pub(super) fn add_ons(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let mut folders = Vec::new();
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => folders.push(path.clone()),
            Ok(_) => found.files.push(path.clone()),
            Err(error) => found.problems.push(format!("{}: {error}", shown(path))),
        }
    }
    while let Some(folder) = folders.pop() {
        if let Err(error) = search(&folder, &mut found, &mut folders) {
            found.problems.push(format!("{}: {error}", shown(&folder)));
        }
    }
    found.files.sort_unstable();
    found.files.dedup();
    found.problems.sort_unstable();
    found
}

fn search(folder: &Path, found: &mut Found, folders: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            folders.push(path);
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
    fn folders_are_searched_without_following_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("in/deep")).unwrap();
        fs::create_dir_all(root.join("elsewhere")).unwrap();
        for file in ["in/b.xpi", "in/a.ZIP", "in/deep/c.xpi", "in/readme.txt", "elsewhere/d.xpi"] {
            fs::write(root.join(file), b"").unwrap();
        }
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join("in/link")).unwrap();
        std::os::unix::fs::symlink(root.join("elsewhere/d.xpi"), root.join("in/d.xpi")).unwrap();
        let found =
            add_ons(&[root.join("in"), root.join("in/b.xpi"), root.join("in/readme.txt"), root.join("none")]);
        let names: Vec<_> =
            found.files.iter().map(|path| path.strip_prefix(root).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["in/a.ZIP", "in/b.xpi", "in/deep/c.xpi", "in/readme.txt"]);
        assert_eq!(found.problems.len(), 1);
    }
}
