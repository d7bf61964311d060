//! `manifest.mf`, `cose.manifest` and `mozilla.sf`, as the real signing service writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// Which digests the manifests carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestDigests {
    /// SHA-1 alone, beside an MD5 that nobody may count: the oldest real files.
    Md5AndSha1,
    /// SHA-1 alone.
    Sha1,
    /// SHA-256 alone.
    Sha256,
    /// SHA-1 and SHA-256: the newer real files.
    Sha1AndSha256,
    /// MD5 alone: nothing to verify with.
    Md5,
    /// SHA-256 alone, as `SHA-256-Digest`: the JDK's jarsigner.
    Jarsigner,
    /// None.
    Nothing,
}

/// Writes a manifest with a section for each file, in the order given.
pub fn manifest<'a>(
    files: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    digests: ManifestDigests,
) -> Vec<u8> {
    let mut out = b"Manifest-Version: 1.0\n\n".to_vec();
    for (name, data) in files {
        out.extend_from_slice(&section(name, data, digests));
    }
    out
}

/// One section of a manifest.
pub fn section(name: &[u8], data: &[u8], digests: ManifestDigests) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, &[b"Name: ", name].concat());
    let lines = digests.of(data);
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    line(&mut out, format!("Digest-Algorithms: {}", names.join(" ")).as_bytes());
    for (name, value) in lines {
        line(&mut out, format!("{name}-Digest: {value}").as_bytes());
    }
    out.push(b'\n');
    out
}

/// Writes the signature file over a manifest.
pub fn signature_file(manifest: &[u8], digests: ManifestDigests) -> Vec<u8> {
    let mut out = b"Signature-Version: 1.0\n".to_vec();
    for (name, value) in digests.of(manifest) {
        line(&mut out, format!("{name}-Digest-Manifest: {value}").as_bytes());
    }
    out.push(b'\n');
    out
}

impl ManifestDigests {
    fn of(self, data: &[u8]) -> Vec<(&'static str, String)> {
        // Nobody verifies MD5, so the bytes need not be a real one; 16 bytes of another digest look the same.
        let md5 = || ("MD5", STANDARD.encode(Sha256::digest(data).get(..16).unwrap_or_default()));
        let sha1 = || ("SHA1", STANDARD.encode(Sha1::digest(data)));
        let sha256 = || ("SHA256", STANDARD.encode(Sha256::digest(data)));
        match self {
            Self::Md5AndSha1 => vec![md5(), sha1()],
            Self::Sha1 => vec![sha1()],
            Self::Sha256 => vec![sha256()],
            Self::Sha1AndSha256 => vec![sha1(), sha256()],
            Self::Md5 => vec![md5()],
            Self::Jarsigner => vec![("SHA-256", sha256().1)],
            Self::Nothing => Vec::new(),
        }
    }
}

/// A line of at most 72 bytes with its end; longer ones go on after a line that begins with a space.
fn line(out: &mut Vec<u8>, text: &[u8]) {
    const FIRST: usize = 71;
    let (mut head, mut rest) = text.split_at_checked(FIRST).unwrap_or((text, &[]));
    loop {
        out.extend_from_slice(head);
        out.push(b'\n');
        if rest.is_empty() {
            return;
        }
        out.push(b' ');
        (head, rest) = rest.split_at_checked(FIRST - 1).unwrap_or((rest, &[]));
    }
}
