//! The add-ons folder on a real file system: looked at, never touched.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use mulberry_shared::xpi::ReadAt;
use nix::fcntl::OFlag;

use crate::ports::{AddonFolder, Gap, ListedAddon, Listing, OpenAddon, Stamp};

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

impl RealAddons {
    /// Adds what lies directly in one folder, and the folders in it to `folders`.
    fn look_into(
        &self,
        folder: &str,
        depth: usize,
        found: &mut Listing,
        folders: &mut Vec<(String, usize)>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                tracing::warn!(path = ?entry.path(), "left out: its name is not UTF-8");
                continue;
            };
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            // Of the entry itself: a link is neither file nor folder here.
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) => {
                    found.gaps.push(gap(path, &error));
                    continue;
                }
            };
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((path, depth + 1));
            } else if kind.is_dir() {
                let problem = format!("it lies deeper than {MAX_DEPTH} folders");
                found.gaps.push(Gap { path, problem });
            } else if kind.is_file() && is_addon(&path) {
                match entry.metadata() {
                    Ok(metadata) => found.addons.push(ListedAddon { path, stamp: stamp(&metadata) }),
                    // Removed since it was listed: as if it had not been there.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => found.gaps.push(gap(path, &error)),
                }
            }
            if found.addons.len() > MAX_ADDONS {
                break;
            }
        }
        Ok(())
    }
}

impl AddonFolder for RealAddons {
    fn list(&self) -> io::Result<Listing> {
        let mut found = Listing::default();
        let mut folders = vec![(String::new(), 0)];
        while let Some((path, depth)) = folders.pop() {
            match self.look_into(&path, depth, &mut found, &mut folders) {
                Ok(()) => {}
                Err(error) if depth == 0 => return Err(error),
                // Removed since it was listed: as if it had not been there. The root itself must be.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => found.gaps.push(gap(path, &error)),
            }
            if found.addons.len() > MAX_ADDONS {
                return Err(io::Error::other(format!("more than {MAX_ADDONS} add-ons")));
            }
        }
        found.addons.sort_by(|a, b| a.path.cmp(&b.path));
        found.gaps.sort_by(|a, b| a.path.cmp(&b.path));
        for gap in &found.gaps {
            tracing::warn!(
                path = gap.path,
                problem = gap.problem,
                "not looked at: what is there stays as it is"
            );
        }
        Ok(found)
    }

    fn now_ns(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            // Before 1970 no stamp looks old, so none is believed.
            Err(_) => 0,
        }
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn OpenAddon>> {
        // A link is not followed, and a pipe does not wait for a writer. What was opened is asked what it is, not the path:
        // something else may lie there by now.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = File::options().read(true).custom_flags(flags.bits()).open(self.root.join(path))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Box::new(Opened { stamp: stamp(&metadata), file }))
    }
}

fn gap(path: String, error: &io::Error) -> Gap {
    Gap { path, problem: format!("it cannot be looked at: {error}") }
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

struct Opened {
    file: File,
    /// Of when it was opened.
    stamp: Stamp,
}

impl ReadAt for Opened {
    fn len(&self) -> u64 {
        self.stamp.size
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

impl OpenAddon for Opened {
    fn opened(&self) -> Stamp {
        self.stamp
    }

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
        let Listing { addons: listed, gaps } = addons.list().unwrap();
        assert_eq!(gaps, []);
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
    fn what_took_the_place_of_a_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.xpi"), b"add-on").unwrap();
        symlink("a.xpi", folder.path().join("link.xpi")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe.xpi"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::create_dir(folder.path().join("folder.xpi")).unwrap();
        let addons = RealAddons::new(folder.path().to_owned());
        assert_eq!(addons.open("a.xpi").unwrap().opened().size, 6);
        for other in ["link.xpi", "pipe.xpi", "folder.xpi"] {
            assert!(addons.open(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_not_empty() {
        assert!(RealAddons::new("/nonexistent/addons".into()).list().is_err());
    }

    /// Permissions stop no administrator; a path that is too long for the system does.
    #[test]
    fn a_folder_that_cannot_be_looked_into_hides_only_what_is_in_it() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let name = "x".repeat(255);
        fs::write(folder.path().join("a.xpi"), "a").unwrap();
        let mut deepest = File::open(folder.path()).unwrap();
        for _ in 0..MAX_DEPTH {
            let here = PathBuf::from(format!("/proc/self/fd/{}", deepest.as_raw_fd()));
            fs::create_dir(here.join(&name)).unwrap();
            let next = File::open(here.join(&name)).unwrap();
            deepest = next;
        }
        fs::write(format!("/proc/self/fd/{}/hidden.xpi", deepest.as_raw_fd()), "b").unwrap();
        let found = RealAddons::new(folder.path().to_path_buf()).list().unwrap();
        assert_eq!(found.addons.iter().map(|addon| addon.path.as_str()).collect::<Vec<_>>(), ["a.xpi"]);
        let [gap] = &found.gaps[..] else { panic!("{:?}", found.gaps) };
        let inside = vec![name; MAX_DEPTH].join("/");
        assert_eq!(gap.path, inside);
        assert!(gap.hides(&format!("{inside}/hidden.xpi")) && gap.hides(&inside));
        assert!(!gap.hides("a.xpi") && !gap.hides(&format!("{inside}y/other.xpi")), "{}", gap.problem);
    }

    #[test]
    fn what_lies_too_deep_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let most = vec!["x"; MAX_DEPTH].join("/");
        fs::create_dir_all(folder.path().join(&most).join("y")).unwrap();
        fs::write(folder.path().join(&most).join("a.xpi"), "a").unwrap();
        fs::write(folder.path().join(&most).join("y/b.xpi"), "b").unwrap();
        let found = RealAddons::new(folder.path().to_path_buf()).list().unwrap();
        assert_eq!(
            found.addons.iter().map(|addon| &addon.path).collect::<Vec<_>>(),
            [&format!("{most}/a.xpi")]
        );
        let [gap] = &found.gaps[..] else { panic!("{:?}", found.gaps) };
        assert_eq!((&gap.path, gap.problem.contains("16 folders")), (&format!("{most}/y"), true));
    }
}
