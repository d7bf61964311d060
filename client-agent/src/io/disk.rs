//! The state folder on a real file system.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mulberry_host::files::{self, Readers};

use crate::ports::Disk;

/// A folder that only its owner may enter.
#[derive(Debug)]
pub struct StateFolder {
    root: PathBuf,
}

impl StateFolder {
    /// Uses an existing folder.
    ///
    /// # Errors
    /// It is missing, not a folder, or open to others: what it holds decides which add-ons run.
    pub fn open(root: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(root)?;
        if !metadata.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "not a folder"));
        }
        if let Some(mode) = files::open_to_others(&metadata) {
            let sentence = format!("others may enter it (mode {mode:o}); run: chmod 0700 {}", root.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, sentence));
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// Makes the folder (mode 0700, parents as the system makes them), or takes over an empty one.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn create(root: &Path) -> io::Result<Self> {
        if let Some(parent) = root.parent() {
            fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(root) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read_dir(root)?.next().is_none() {
                    fs::set_permissions(root, fs::Permissions::from_mode(0o700))?;
                }
            }
            Err(error) => return Err(error),
        }
        Self::open(root)
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Disk for StateFolder {
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        match files::read(&self.at(path), max_bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.at(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours.
            if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        files::make_private_folder(&self.at(folder))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        files::write_in_place(&self.at(path), bytes, Readers::Owner)
    }

    fn sync_file(&self, path: &str) -> io::Result<()> {
        files::sync(&self.at(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let to = self.at(to);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", to.display()));
        files::rename(&self.at(from), &to).map_err(named)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        files::sync(&self.at(folder))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.at(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn made_for_its_owner_alone_and_refused_when_wider() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("a/state");
        let disk = StateFolder::create(&root).unwrap();
        disk.make_folder("trust").unwrap();
        disk.write("trust/x", b"1").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(
            (mode(&root), mode(&root.join("trust")), mode(&root.join("trust/x"))),
            (0o700, 0o700, 0o600)
        );
        fs::set_permissions(&root, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(StateFolder::open(&root).unwrap_err().to_string().contains("chmod 0700"));
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let disk = StateFolder::create(&parent.path().join("s")).unwrap();
        disk.write("next", b"1").unwrap();
        fs::create_dir_all(disk.root().join("addons.json/x")).unwrap();
        let error = disk.rename("next", "addons.json").unwrap_err();
        assert!(error.to_string().contains("s/addons.json: "), "{error}");
    }

    #[test]
    fn behaves_as_the_port_says() {
        let parent = tempfile::tempdir().unwrap();
        let disk = StateFolder::create(&parent.path().join("s")).unwrap();
        crate::ports::doubles::disk_contract(&disk);
    }
}
