//! The add-ons folder on a real file system: looked at, never touched.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use mulberry_shared::xpi::ReadAt;

use crate::ports::{AddonFolder, ListedAddon, OpenAddon, Stamp};

/// The most add-ons in a folder; profiles hold tens, fleets of shared installations hundreds. The state has room for as many.
const MAX_ADDONS: usize = 50_000;
/// The deepest folder looked into.
const MAX_DEPTH: usize = 16;

/// A folder searched recursively for `.xpi` and `.zip` files; links are not followed.
#[derive(Debug)]
pub struct RealAddons {
    root: PathBuf,
}

impl RealAddons {
    /// Looks at `root`; nothing is read yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }
}

impl AddonFolder for RealAddons {
    fn list(&self) -> io::Result<Vec<ListedAddon>> {
        let mut addons = Vec::new();
        let mut folders = vec![(self.root.clone(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                // Removed since it was listed: as if it had not been there. The root itself must be.
                Err(error) if depth > 0 && error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else {
                    tracing::warn!(path = ?entry.path(), "left out: its name is not UTF-8");
                    continue;
                };
                let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                // Of the entry itself: a link is neither file nor folder here.
                let kind = entry.file_type()?;
                if kind.is_dir() && depth < MAX_DEPTH {
                    folders.push((entry.path(), path, depth + 1));
                } else if kind.is_file() && is_addon(&path) {
                    match entry.metadata() {
                        Ok(metadata) => addons.push(ListedAddon { path, stamp: stamp(&metadata) }),
                        // Removed since it was listed: as if it had not been there.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
                if addons.len() > MAX_ADDONS {
                    return Err(io::Error::other(format!("more than {MAX_ADDONS} add-ons")));
                }
            }
        }
        addons.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(addons)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn OpenAddon>> {
        let path = self.root.join(path);
        // Asked before opening: opening a pipe would wait for a writer. Asked of the entry itself: a link is not followed.
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Box::new(Opened { length: metadata.len(), file }))
    }
}

fn is_addon(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("xpi") || extension.eq_ignore_ascii_case("zip")
    })
}

fn stamp(metadata: &Metadata) -> Stamp {
    let nanoseconds = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
    Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// A file whose length is what it was when it was opened.
struct Opened {
    file: File,
    length: u64,
}

impl ReadAt for Opened {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

impl OpenAddon for Opened {
    fn stamp(&self) -> io::Result<Stamp> {
        self.file.metadata().map(|metadata| stamp(&metadata))
    }

    fn archive(&self) -> &dyn ReadAt {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn lists_add_ons_below_it_sorted_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("b")).unwrap();
        for name in ["z.xpi", "b/a.ZIP", "readme.txt"] {
            fs::write(root.join(name), name).unwrap();
        }
        symlink(root.join("z.xpi"), root.join("link.xpi")).unwrap();
        symlink(root, root.join("b/loop")).unwrap();
        let addons = RealAddons::new(root.to_path_buf());
        let listed = addons.list().unwrap();
        assert_eq!(listed.iter().map(|addon| addon.path.as_str()).collect::<Vec<_>>(), ["b/a.ZIP", "z.xpi"]);
        assert!(addons.open("link.xpi").is_err());
        let opened = addons.open("b/a.ZIP").unwrap();
        assert_eq!(opened.stamp().unwrap(), listed[0].stamp);
        let mut bytes = [0; 3];
        opened.archive().read_exact_at(&mut bytes, 2).unwrap();
        assert_eq!(&bytes, b"a.Z");
        fs::write(root.join("b/a.ZIP"), "something longer").unwrap();
        assert_ne!(opened.stamp().unwrap(), listed[0].stamp);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_not_empty() {
        assert!(RealAddons::new("/nonexistent/addons".into()).list().is_err());
    }
}
