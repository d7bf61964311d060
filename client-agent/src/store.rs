//! How the agent's files are laid out in its state folder, and how they are replaced without ever being half there.

use std::io;

use crate::ports::Disk;

pub mod trust;

/// Where new content is written before it takes its place. One is enough: there is one writer.
const NEXT: &str = "tmp/next";

/// Replaces a file durably: after a crash it has the old content or the new, and after `Ok` the new.
///
/// # Errors
/// Whatever the disk reports; the old content is still there then.
pub fn replace(disk: &dyn Disk, path: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for needed in ["tmp", folder] {
        if !needed.is_empty() {
            disk.make_folder(needed)?;
        }
    }
    disk.write(NEXT, bytes)?;
    disk.sync_file(NEXT)?;
    disk.rename(NEXT, path)?;
    disk.sync_folder(folder)
}

/// Replaces a file only if its content differs; says whether it did.
///
/// # Errors
/// Whatever the disk reports. A file that cannot be read is replaced.
pub fn replace_if_different(disk: &dyn Disk, path: &str, bytes: &[u8]) -> io::Result<bool> {
    if matches!(disk.read(path, bytes.len() as u64), Ok(Some(present)) if present == bytes) {
        return Ok(false);
    }
    replace(disk, path, bytes)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::doubles::MemoryDisk;

    #[test]
    fn old_or_new_after_a_crash_at_any_effect_and_new_after_success() {
        let start = MemoryDisk::default();
        replace(&start, "state.json", b"old").unwrap();
        let whole = start.copy();
        replace(&whole, "state.json", b"new").unwrap();
        let effects = whole.effects();
        assert!(effects >= 5);
        let mut crashes = 0;
        for n in 0..=effects {
            let disk = start.copy();
            disk.die_after(n);
            let done = replace(&disk, "state.json", b"new").is_ok();
            for (crash, after) in disk.crashes() {
                crashes += 1;
                let found = after.read("state.json", 9).unwrap().unwrap();
                assert!(found == b"new" || (found == b"old" && !done), "{crash} after {n}: {found:?}");
            }
        }
        assert!(crashes > effects + 5, "{crashes} crashes after {effects} effects");
    }

    #[test]
    fn equal_content_is_left_alone() {
        let disk = MemoryDisk::default();
        assert!(replace_if_different(&disk, "a", b"1").unwrap());
        let effects = disk.effects();
        assert!(!replace_if_different(&disk, "a", b"1").unwrap());
        assert_eq!(disk.effects(), effects);
        assert!(replace_if_different(&disk, "a", b"22").unwrap());
    }
}
