//! What is read once from the machine: its identity, its language, and where state goes by default.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mulberry_shared::digest::Sha256Digest;

/// A digest of the machine's identity, so that a cloned image is noticed; `None` where the system has none.
///
/// The identity itself is confidential (machine-id(5)), so only a digest bound to this program is ever kept.
#[must_use]
pub fn identity() -> Option<Sha256Digest> {
    identity_at(Path::new("/etc/machine-id"))
}

fn identity_at(path: &Path) -> Option<Sha256Digest> {
    let text = fs::read_to_string(path).ok()?;
    let id = text.trim();
    // "uninitialized" stands in images that have not booted yet.
    if id.is_empty() || id == "uninitialized" {
        return None;
    }
    Some(Sha256Digest::of(format!("mulberry-agent machine identity\0{id}").as_bytes()))
}

/// The locale of the environment as a language tag (`LC_ALL`, `LC_MESSAGES`, `LANG`): `de_AT.UTF-8` gives `de-AT`.
#[must_use]
pub fn locale() -> Option<String> {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        .and_then(|value| language_tag(&value))
}

fn language_tag(posix: &str) -> Option<String> {
    let name = posix.split(['.', '@']).next()?.replace('_', "-");
    let wellformed = name.len() <= 35 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (wellformed && !name.is_empty() && name != "C" && name != "POSIX").then_some(name)
}

/// The effective user of this process: the owner of its folder in /proc.
#[must_use]
pub fn user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|me| me.uid())
}

/// Where state lives when nobody says: `/var/lib/mulberry/agent` for root, else the XDG state folder.
#[must_use]
pub fn default_state_folder() -> Option<PathBuf> {
    if user() == Some(0) {
        return Some(PathBuf::from("/var/lib/mulberry/agent"));
    }
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("mulberry/agent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posix_locales_become_language_tags() {
        assert_eq!(language_tag("de_AT.UTF-8").as_deref(), Some("de-AT"));
        assert_eq!(language_tag("sr_RS@latin").as_deref(), Some("sr-RS"));
        assert_eq!(language_tag("C.UTF-8"), None);
        assert_eq!(language_tag("../../etc"), None);
    }

    #[test]
    fn identity_is_a_digest_and_absent_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machine-id");
        assert_eq!(identity_at(&path), None);
        fs::write(&path, "uninitialized\n").unwrap();
        assert_eq!(identity_at(&path), None);
        fs::write(&path, "0123\n").unwrap();
        let first = identity_at(&path).unwrap();
        fs::write(&path, "0124\n").unwrap();
        assert_ne!(identity_at(&path), Some(first));
    }
}
