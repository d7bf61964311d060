//! The add-ons folder on a real file system: looked at, never touched.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use mulberry_host::addons::{self, LeftOut};
use mulberry_shared::xpi::ReadAt;
use nix::fcntl::OFlag;

use crate::ports::{AddonFolder, Gap, Gaps, ListedAddon, Listing, OpenAddon, Stamp};

/// How many of the places that were left out the log names in one run.
const NAMED: usize = 5;

/// A folder searched recursively for `.xpi` and `.zip` files; links are followed.
#[derive(Debug)]
pub struct RealAddons {
    root: PathBuf,
    limits: addons::Limits,
}

impl RealAddons {
    /// Looks at `root`; nothing is read yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, limits: addons::Limits::default() }
    }
}

impl AddonFolder for RealAddons {
    fn list(&self) -> io::Result<Listing> {
        let found = addons::search(&self.root, &self.limits)?;
        let (mut listed, mut gaps) = (Vec::new(), Vec::new());
        for addon in found.addons {
            match addon.path.into_os_string().into_string() {
                Ok(path) => listed.push(ListedAddon { path, stamp: stamp(&addon.metadata) }),
                Err(name) => {
                    let path = name.to_string_lossy().into_owned();
                    gaps.push(Gap { path, problem: "its name is not UTF-8".into() });
                }
            }
        }
        for LeftOut { path, why } in found.left_out.into_iter().filter(|left| left.why.may_hide_addons()) {
            gaps.push(Gap { path: path.to_string_lossy().into_owned(), problem: why.to_string() });
        }
        // By the bytes of the whole path, which differs from the order of its parts.
        listed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let gaps = Gaps::new(gaps);
        for gap in gaps.iter().take(NAMED) {
            let (path, problem) = (&gap.path, &gap.problem);
            tracing::warn!(path, problem, "left out: what was decided of add-ons there stays");
        }
        if gaps.len() > NAMED {
            tracing::warn!(more = gaps.len() - NAMED, "left out as well");
        }
        Ok(Listing { addons: listed, gaps })
    }

    fn now_ns(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            // Before 1970 no stamp looks old, so none is believed.
            Err(_) => 0,
        }
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn OpenAddon>> {
        let not_a_file = || io::Error::other("not a regular file");
        let path = self.root.join(path);
        // Asked before opening: opening a device may do something. What was opened is asked again: something else may lie there
        // by now, and a pipe must not wait for a writer.
        if !fs::metadata(&path)?.is_file() {
            return Err(not_a_file());
        }
        let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_a_file());
        }
        Ok(Box::new(Opened { stamp: stamp(&metadata), file }))
    }
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
    fn lists_add_ons_below_it_sorted_and_follows_links() {
        let (folder, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path();
        fs::create_dir(root.join("b")).unwrap();
        for name in ["z.xpi", "b/a.ZIP", "b.xpi", "readme.txt", "._z.xpi"] {
            fs::write(root.join(name), name).unwrap();
        }
        fs::write(store.path().join("linked.xpi"), "linked").unwrap();
        symlink(store.path().join("linked.xpi"), root.join("a-link.xpi")).unwrap();
        symlink(store.path(), root.join("store")).unwrap();
        symlink(root, root.join("b/loop")).unwrap();
        symlink("nowhere", root.join("gone.xpi")).unwrap();
        let addons = RealAddons::new(root.to_path_buf());
        let Listing { addons: listed, gaps } = addons.list().unwrap();
        let paths: Vec<_> = listed.iter().map(|addon| addon.path.as_str()).collect();
        assert_eq!(paths, ["a-link.xpi", "b.xpi", "b/a.ZIP", "store/linked.xpi", "z.xpi"]);
        assert_eq!(gaps.iter().map(|gap| gap.path.as_str()).collect::<Vec<_>>(), ["gone.xpi"]);
        for (path, content) in
            [("a-link.xpi", "linked"), ("b/a.ZIP", "b/a.ZIP"), ("store/linked.xpi", "linked")]
        {
            let opened = addons.open(path).unwrap();
            let stamp = listed.iter().find(|addon| addon.path == path).unwrap().stamp;
            assert_eq!(opened.stamp().unwrap(), stamp);
            let mut bytes = vec![0; content.len()];
            opened.archive().read_exact_at(&mut bytes, 0).unwrap();
            assert_eq!(bytes, content.as_bytes());
        }
        // What a link leads to may change without the link.
        let before = addons.list().unwrap().addons[0].stamp;
        fs::write(store.path().join("linked.xpi"), "something longer").unwrap();
        assert_ne!(addons.list().unwrap().addons[0].stamp, before);
    }

    #[test]
    fn what_took_the_place_of_a_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.xpi"), b"add-on").unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe.xpi"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::create_dir(folder.path().join("folder.xpi")).unwrap();
        symlink("pipe.xpi", folder.path().join("link.xpi")).unwrap();
        symlink("/dev/null", folder.path().join("device.xpi")).unwrap();
        symlink("nowhere", folder.path().join("gone.xpi")).unwrap();
        let addons = RealAddons::new(folder.path().to_owned());
        assert_eq!(addons.open("a.xpi").unwrap().opened().size, 6);
        for other in ["pipe.xpi", "folder.xpi", "link.xpi", "device.xpi", "gone.xpi"] {
            assert!(addons.open(other).is_err(), "{other}");
        }
        let gaps = addons.list().unwrap().gaps;
        let paths: Vec<_> = gaps.iter().map(|gap| gap.path.as_str()).collect();
        assert_eq!(paths, ["device.xpi", "gone.xpi", "link.xpi", "pipe.xpi"]);
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
        let depth = addons::Limits::default().depth;
        for _ in 0..depth {
            let here = PathBuf::from(format!("/proc/self/fd/{}", deepest.as_raw_fd()));
            fs::create_dir(here.join(&name)).unwrap();
            let next = File::open(here.join(&name)).unwrap();
            deepest = next;
        }
        fs::write(format!("/proc/self/fd/{}/hidden.xpi", deepest.as_raw_fd()), "b").unwrap();
        let found = RealAddons::new(folder.path().to_path_buf()).list().unwrap();
        assert_eq!(found.addons.iter().map(|addon| addon.path.as_str()).collect::<Vec<_>>(), ["a.xpi"]);
        let inside = vec![name; depth].join("/");
        let over = |path: &str| found.gaps.over(path).map(|gap| gap.path.as_str());
        assert_eq!(found.gaps.len(), 1);
        assert_eq!(over(&format!("{inside}/hidden.xpi")), Some(inside.as_str()));
        assert_eq!(over(&inside), Some(inside.as_str()));
        assert_eq!((over("a.xpi"), over(&format!("{inside}y/other.xpi"))), (None, None));
    }

    #[test]
    fn what_lies_too_deep_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let most = vec!["x"; addons::Limits::default().depth].join("/");
        fs::create_dir_all(folder.path().join(&most).join("y")).unwrap();
        fs::write(folder.path().join(&most).join("a.xpi"), "a").unwrap();
        fs::write(folder.path().join(&most).join("y/b.xpi"), "b").unwrap();
        let found = RealAddons::new(folder.path().to_path_buf()).list().unwrap();
        assert_eq!(
            found.addons.iter().map(|addon| &addon.path).collect::<Vec<_>>(),
            [&format!("{most}/a.xpi")]
        );
        let [gap] = found.gaps.iter().collect::<Vec<_>>()[..] else { panic!("{:?}", found.gaps) };
        assert_eq!((&gap.path, gap.problem.contains("16 folders")), (&format!("{most}/y"), true));
    }

    #[test]
    fn where_a_ceiling_ends_the_search_nothing_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.xpi", "b.xpi"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let limits = addons::Limits { addons: 1, ..addons::Limits::default() };
        let found = RealAddons { root: folder.path().to_owned(), limits }.list().unwrap();
        assert_eq!(found.addons.len(), 1);
        assert!(found.gaps.over("any/where.xpi").unwrap().problem.contains("more than 1 add-ons"));
    }
}
