//! Where files stand in an origin, relative to it (specification 6.2 for consistent snapshots).

use crate::digest::Sha256Digest;

/// What the paths of all metadata begin with.
pub const METADATA: &str = "metadata/";
/// What the paths of all files begin with.
pub const TARGETS: &str = "targets/";
/// What the paths of all documents of the ledger begin with.
pub const LEDGER: &str = "ledger/";

/// The path of a metadata file; without a version where none stands in the name.
#[must_use]
pub fn metadata(role: &str, version: Option<u64>) -> String {
    let name = percent_encode(role);
    match version {
        Some(version) => format!("{METADATA}{version}.{name}.json"),
        None => format!("{METADATA}{name}.json"),
    }
}

/// The path of a metadata file where snapshots are consistent, as ours are: every version stands in the name but the
/// timestamp's.
#[must_use]
pub fn consistent_metadata(role: &str, version: u64) -> String {
    metadata(role, (role != "timestamp").then_some(version))
}

/// The name under which a client keeps a role's metadata: a single path segment, another one for each role.
#[must_use]
pub fn kept(role: &str) -> String {
    format!("{}.json", percent_encode(role))
}

/// The path of a target file. The hash stands before the file's name, not before its folder.
#[must_use]
pub fn file(path: &str, sha256: Option<&Sha256Digest>) -> String {
    hashed_file(path, sha256.map(ToString::to_string).as_deref())
}

/// The same with a hash of any kind, in hexadecimal digits. What has a meaning in addresses (`?`, `#`, `%` …) is percent-encoded.
#[must_use]
pub fn hashed_file(path: &str, hash: Option<&str>) -> String {
    let path = encode(path, b"-_.~!$&'()*+,;=:@/");
    match (hash, path.rsplit_once('/')) {
        (None, _) => format!("{TARGETS}{path}"),
        (Some(hash), Some((folder, name))) => format!("{TARGETS}{folder}/{hash}.{name}"),
        (Some(hash), None) => format!("{TARGETS}{hash}.{path}"),
    }
}

/// Whether clients ask for this file without knowing that it exists: the next root, and what witnesses of the ledger ask for. What
/// says "forbidden" for what it does not have, as stores do that let nobody list them, means "absent" by it here and only here.
///
/// The path is relative to the origin, or to its metadata.
#[must_use]
pub fn may_be_absent(path: &str) -> bool {
    let name = path.strip_prefix(METADATA).unwrap_or(path);
    let version = name.strip_suffix(".root.json").unwrap_or_default();
    let is_root = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    is_root || path.starts_with(LEDGER)
}

/// A role's name, or a target's path, as one path segment: a role may be called `../root`.
#[must_use]
pub fn percent_encode(name: &str) -> String {
    encode(name, b"-_.~")
}

fn encode(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_hashes_stand_before_the_last_part_of_the_name() {
        let sha256 = Sha256Digest::of(b"");
        assert_eq!(consistent_metadata("timestamp", 7), "metadata/timestamp.json");
        assert_eq!(consistent_metadata("emergency", 7), "metadata/7.emergency.json");
        assert_eq!(metadata("emergency", None), "metadata/emergency.json");
        assert_eq!(file("emergency/fix.json", Some(&sha256)), format!("targets/emergency/{sha256}.fix.json"));
        assert_eq!(file("gates.json", Some(&sha256)), format!("targets/{sha256}.gates.json"));
        assert_eq!(file("gates.json", None), "targets/gates.json");
    }

    #[test]
    fn only_the_next_root_and_the_ledger_s_files_are_asked_for_on_a_chance() {
        for path in ["metadata/2.root.json", "12.root.json", "ledger/continues.json", "ledger/00/3.json"] {
            assert!(may_be_absent(path), "{path}");
        }
        for path in [
            "metadata/timestamp.json",
            "metadata/root.json",
            "metadata/.root.json",
            "metadata/2.snapshot.json",
            "metadata/2.x.root.json",
            "targets/2.root.json",
            "targets/ledger/continues.json",
            "",
        ] {
            assert!(!may_be_absent(path), "{path}");
        }
    }

    #[test]
    fn a_role_cannot_name_its_way_out_of_the_folder() {
        assert_eq!(metadata("../root", Some(1)), "metadata/1...%2Froot.json");
        assert_eq!(kept("../root"), "..%2Froot.json");
        assert_ne!(kept("a/b"), kept("a%2Fb"));
    }

    #[test]
    fn a_file_cannot_end_the_path_of_its_address() {
        assert_eq!(hashed_file("a b/c?d#e%2F.txt", Some("00")), "targets/a%20b/00.c%3Fd%23e%252F.txt");
        assert_eq!(hashed_file("a+(b)/c@1.txt", None), "targets/a+(b)/c@1.txt");
    }
}
