//! The two folders of the generic TUF client: metadata by unversioned names, and downloaded files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mulberry_host::files::{self, Readers};

/// A folder whose files are replaced whole or not at all. Names are single path segments: whoever names files after what a
/// repository says encodes them before.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, made if it is not there.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn make(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.to_path_buf()))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file; `None` where there is none, or it is longer, or cannot be read: then it counts for nothing.
    #[must_use]
    pub fn read(&self, name: &str, max_bytes: u64) -> Option<Vec<u8>> {
        files::read(&self.0.join(name), max_bytes).ok()
    }

    /// Replaces a file durably.
    ///
    /// # Errors
    /// Whatever the file system reports; what was there is still there then.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        files::replace(&self.0.join(name), bytes, Readers::Owner)
    }

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// The metadata folder, and what is known to lie in it.
#[derive(Debug)]
pub struct Metadata {
    folder: Folder,
    present: BTreeMap<String, Arc<[u8]>>,
}

impl Metadata {
    /// The metadata in `folder`.
    #[must_use]
    pub fn new(folder: Folder) -> Self {
        Self { folder, present: BTreeMap::new() }
    }

    /// Makes the folder hold `files`: what is in `required` and not in `files` goes first, then what differs is replaced.
    ///
    /// In this order a crash leaves nothing behind that the new root no longer vouches for.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn keep(&mut self, files: BTreeMap<String, Arc<[u8]>>, required: &[String]) -> io::Result<()> {
        for gone in required.iter().filter(|name| !files.contains_key(*name)) {
            self.folder.remove(gone)?;
            self.present.remove(gone);
        }
        for (name, bytes) in files {
            let known = self.present.get(&name).is_some_and(|present| *present == bytes);
            if !known && self.folder.read(&name, bytes.len() as u64).as_deref() != Some(&bytes) {
                self.folder.write(&name, &bytes)?;
            }
            self.present.insert(name, bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_holds_what_is_to_be_kept_and_other_files_stay() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::make(&parent.path().join("a/b")).unwrap();
        let listing = || {
            let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        folder.write("other.json", b"1").unwrap();
        folder.write("timestamp.json", b"2").unwrap();
        let mut metadata = Metadata::new(folder.clone());
        let required = ["root.json".to_owned(), "timestamp.json".to_owned()];
        metadata.keep(BTreeMap::from([("root.json".to_owned(), b"3"[..].into())]), &required).unwrap();
        assert_eq!(listing(), ["other.json", "root.json"]);
        assert_eq!(folder.read("root.json", 9).unwrap(), b"3");
        assert_eq!(folder.read("root.json", 0), None, "longer than asked for");
    }
}
