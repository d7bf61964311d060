//! Where files stand in an origin, relative to it (specification 6.2 for consistent snapshots).

use crate::digest::Sha256Digest;

/// The path of a metadata file; without a version where none stands in the name.
#[must_use]
pub fn metadata(role: &str, version: Option<u64>) -> String {
    let name = percent_encode(role);
    match version {
        Some(version) => format!("metadata/{version}.{name}.json"),
        None => format!("metadata/{name}.json"),
    }
}

/// The path of a metadata file where snapshots are consistent, as ours are: every version stands in the name but the
/// timestamp's.
#[must_use]
pub fn consistent_metadata(role: &str, version: u64) -> String {
    metadata(role, (role != "timestamp").then_some(version))
}

/// The path of a target file. The hash stands before the file's name, not before its folder.
#[must_use]
pub fn file(path: &str, sha256: Option<&Sha256Digest>) -> String {
    match (sha256, path.rsplit_once('/')) {
        (None, _) => format!("targets/{path}"),
        (Some(sha256), Some((folder, name))) => format!("targets/{folder}/{sha256}.{name}"),
        (Some(sha256), None) => format!("targets/{sha256}.{path}"),
    }
}

/// Encodes a role's name for use as one path segment: a role may be called `../root`.
fn percent_encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
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
    fn a_role_cannot_name_its_way_out_of_the_folder() {
        assert_eq!(metadata("../root", Some(1)), "metadata/1...%2Froot.json");
    }
}
