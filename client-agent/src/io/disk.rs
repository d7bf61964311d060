//! The state folder on a real file system.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
        if metadata.mode() & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "others may enter it (mode {:o}); run: chmod 0700 {}",
                    metadata.mode() & 0o7777,
                    root.display()
                ),
            ));
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
        let file = match File::open(self.at(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        read_bounded(file, max_bytes).map(Some)
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
        match DirBuilder::new().mode(0o700).create(self.at(folder)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.at(path))?;
        file.write_all(bytes)
    }

    fn sync_file(&self, path: &str) -> io::Result<()> {
        File::open(self.at(path))?.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to)).map_err(|error| not_replaced(&self.at(to), &error))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.at(folder))?.sync_all()
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.at(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Why a file could not take the place of the old one, with its name and what to do.
fn not_replaced(path: &Path, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        // Linux says so of a file that something is mounted on.
        io::ErrorKind::ResourceBusy => {
            "; it seems to be mounted by itself, as a container's bind mount of one file is: mount its folder instead"
        }
        io::ErrorKind::CrossesDevices => {
            "; its folder is on another file system than the rest: mount the state folder whole"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("{}: {error}{remedy}", path.display()))
}

/// Reads a file given by a person, at most `max_bytes` of it.
///
/// # Errors
/// It cannot be read, or is longer.
pub fn read_file(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    read_bounded(File::open(path)?, max_bytes)
}

fn read_bounded(file: File, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than the {max_bytes} bytes it may have"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_file_that_cannot_be_replaced_is_named_with_what_to_do() {
        let busy = io::Error::from_raw_os_error(nix::errno::Errno::EBUSY as i32);
        let sentence = not_replaced(Path::new("/state/addons.json"), &busy).to_string();
        assert!(
            sentence.contains("/state/addons.json: ") && sentence.contains("mount its folder instead"),
            "{sentence}"
        );
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
