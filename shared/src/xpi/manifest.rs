//! Manifests: `manifest.mf`, the signature file `*.sf` and `cose.manifest` (the JAR file specification's format).
//!
//! Stricter than that specification where leniency would let two readers see different things: equal names, repeated digests and
//! lines that are no attribute are refused.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::policy::WeakestDigest;
use super::text;
use super::verdict::Fault;
use crate::limits::XpiLimits;

/// The digests that one section states. MD5 and others are ignored, and never suffice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// `SHA1-Digest`.
    pub sha1: Option<[u8; 20]>,
    /// `SHA256-Digest`.
    pub sha256: Option<[u8; 32]>,
}

/// The strongest digest a section states: the one that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// By SHA-1.
    Sha1([u8; 20]),
    /// By SHA-256.
    Sha256([u8; 32]),
}

impl Digests {
    /// The strongest digest stated, if it is strong enough.
    #[must_use]
    pub fn strongest(&self, weakest: WeakestDigest) -> Option<Expected> {
        match (self.sha256, self.sha1, weakest) {
            (Some(digest), ..) => Some(Expected::Sha256(digest)),
            (None, Some(digest), WeakestDigest::Sha1) => Some(Expected::Sha1(digest)),
            (None, ..) => None,
        }
    }
}

impl Expected {
    /// Whether `bytes` have this digest.
    #[must_use]
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sha1(digest) => Sha1::digest(bytes).as_slice() == digest,
            Self::Sha256(digest) => Sha256::digest(bytes).as_slice() == digest,
        }
    }
}

/// What a manifest says about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// The file's name.
    pub name: Cow<'a, str>,
    /// Its digests, at least one.
    pub digests: Digests,
    /// The section's own bytes, its last line's end included.
    pub raw: &'a [u8],
}

/// A manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// `SHA1-Digest-Manifest` and `SHA256-Digest-Manifest` of the main section: a signature file's word on the whole manifest.
    pub whole: Digests,
    /// By name, each once.
    sections: Vec<Section<'a>>,
}

/// Which manifest it is, which decides how it must begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// Lists files: begins with `Manifest-Version`.
    Files,
    /// Vouches for a manifest: begins with `Signature-Version`.
    SignatureFile,
}

impl<'a> Manifest<'a> {
    /// Parses a manifest; `name` is for sentences.
    ///
    /// # Errors
    /// Not UTF-8, no manifest of this kind, a line that is no attribute or too long, a section without a name or
    /// without a SHA-1 or SHA-256 digest, a name or digest given twice.
    pub fn parse(bytes: &'a [u8], kind: ManifestKind, name: &str, limits: &XpiLimits) -> Result<Self, Fault> {
        if bytes.len() > limits.manifest_bytes {
            let max = limits.manifest_bytes;
            return Err(Fault::limit(format!("{name} is larger than the {max} bytes that are read")));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| fault_at(name, bytes, error.valid_up_to(), "is not UTF-8"))?;
        match text::stray_control(text) {
            Some(position) => Err(fault_at(name, bytes, position, "has a control character")),
            None => Parser { name, limits, text, position: 0, line: 0 }.manifest(kind),
        }
    }

    /// The sections, by name.
    #[must_use]
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// The section of the file with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Section<'a>> {
        let index = self.sections.binary_search_by(|section| section.name.as_ref().cmp(name)).ok()?;
        self.sections.get(index)
    }
}

struct Parser<'a, 'n> {
    name: &'n str,
    limits: &'n XpiLimits,
    /// Without control characters but tabs and the ends of lines.
    text: &'a str,
    position: usize,
    line: usize,
}

impl<'a> Parser<'a, '_> {
    fn manifest(mut self, kind: ManifestKind) -> Result<Manifest<'a>, Fault> {
        let (version_key, digest_suffix) = match kind {
            ManifestKind::Files => ("Manifest-Version", ""),
            ManifestKind::SignatureFile => ("Signature-Version", "-Manifest"),
        };
        match self.attribute()? {
            Some(Attribute { key, value }) if key.eq_ignore_ascii_case(version_key) && value == "1.0" => {}
            _ => return Err(self.fault(&format!("does not begin with \"{version_key}: 1.0\""))),
        }
        let mut manifest = Manifest::default();
        while let Some(attribute) = self.attribute()? {
            if !digest_suffix.is_empty() {
                self.digest(&attribute, digest_suffix, &mut manifest.whole)?;
            }
        }
        // A section with a digest seldom has fewer bytes than this.
        manifest.sections.reserve(self.rest().len() / 96);
        while self.skip_empty_lines() {
            manifest.sections.push(self.section()?);
        }
        manifest.sections.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let twice = manifest.sections.windows(2).find_map(|pair| match pair {
            [a, b] if a.name == b.name => Some(a.name.as_ref()),
            _ => None,
        });
        match twice {
            None => Ok(manifest),
            Some(twice) => Err(Fault::manifest(format!("{} lists {twice:?} twice", self.name))),
        }
    }

    fn section(&mut self) -> Result<Section<'a>, Fault> {
        let start = self.position;
        let mut end = start;
        let (mut name, mut digests) = (None, Digests::default());
        while let Some(attribute) = self.attribute()? {
            end = self.position;
            if attribute.key.eq_ignore_ascii_case("Name") {
                if name.is_some() {
                    return Err(self.fault("has a section with two names"));
                }
                name = Some(attribute.value).filter(|name| !name.is_empty());
            } else {
                self.digest(&attribute, "", &mut digests)?;
            }
        }
        let Some(name) = name else {
            return Err(self.fault("has a section without a name"));
        };
        if digests == Digests::default() {
            return Err(Fault::manifest(format!(
                "{} gives {name:?} neither a SHA-1 nor a SHA-256 digest",
                self.name
            )));
        }
        Ok(Section { name, digests, raw: self.text.as_bytes().get(start..end).unwrap_or_default() })
    }

    /// Takes up a digest if the attribute is one of ours.
    fn digest(
        &self,
        Attribute { key, value }: &Attribute<'_>,
        suffix: &str,
        digests: &mut Digests,
    ) -> Result<(), Fault> {
        let Some(algorithm) = without_end(key, suffix).and_then(|key| without_end(key, "-Digest")) else {
            return Ok(());
        };
        let is = |name: &str| algorithm.eq_ignore_ascii_case(name);
        let given_before = if is("SHA1") || is("SHA-1") {
            digests.sha1.replace(self.decode(key, value)?).is_some()
        } else if is("SHA256") || is("SHA-256") {
            digests.sha256.replace(self.decode(key, value)?).is_some()
        } else {
            false
        };
        if given_before { Err(self.fault(&format!("gives {key} twice"))) } else { Ok(()) }
    }

    fn decode<const N: usize>(&self, key: &str, value: &str) -> Result<[u8; N], Fault> {
        // The decoder wants room for whole groups of three bytes.
        let mut buffer = [0; 48];
        let decoded = STANDARD.decode_slice(value, &mut buffer).ok().and_then(|len| buffer.get(..len));
        decoded
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| self.fault(&format!("has a {key} that is no base64 of {N} bytes")))
    }

    /// The next attribute of this section with its continuations, checked to be one; `None` at the section's end, which is
    /// consumed.
    fn attribute(&mut self) -> Result<Option<Attribute<'a>>, Fault> {
        let Some(first) = self.line()?.filter(|line| !line.is_empty()) else {
            return Ok(None);
        };
        let mut whole = Cow::Borrowed(first);
        while self.rest().starts_with(' ') {
            let more = self.line()?.and_then(|line| line.get(1..)).unwrap_or_default();
            whole.to_mut().push_str(more);
            self.check_len(whole.len())?;
        }
        let attribute = match &whole {
            // A line in one piece is borrowed from the manifest; only continued lines are copied.
            Cow::Borrowed(line) => {
                split(line).map(|(key, value)| Attribute { key: key.into(), value: value.into() })
            }
            Cow::Owned(line) => split(line)
                .map(|(key, value)| Attribute { key: key.to_owned().into(), value: value.to_owned().into() }),
        };
        attribute
            .filter(|attribute| is_key(&attribute.key))
            .ok_or_else(|| self.fault("has a line that is no \"Key: value\""))
            .map(Some)
    }

    /// The next line without its end (LF or CRLF); `None` at the end of the bytes.
    fn line(&mut self) -> Result<Option<&'a str>, Fault> {
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(None);
        }
        let (line, used) = match memchr(b'\n', rest.as_bytes()) {
            Some(end) => (rest.get(..end).unwrap_or_default(), end + 1),
            None => (rest, rest.len()),
        };
        self.position += used;
        self.line += 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        self.check_len(line.len())?;
        Ok(Some(line))
    }

    /// What was not read yet.
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// Moves to the next section; false at the end of the bytes.
    fn skip_empty_lines(&mut self) -> bool {
        loop {
            match self.rest().as_bytes() {
                [b'\n', ..] => self.position += 1,
                [b'\r', b'\n', ..] => self.position += 2,
                [_, ..] => return true,
                [] => return false,
            }
            self.line += 1;
        }
    }

    fn check_len(&self, len: usize) -> Result<(), Fault> {
        if len <= self.limits.line_bytes {
            return Ok(());
        }
        let (name, line, max) = (self.name, self.line, self.limits.line_bytes);
        Err(Fault::limit(format!("{name} has a line of more than {max} bytes at line {line}")))
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::manifest(format!("{} {what} (line {})", self.name, self.line))
    }
}

/// One line of a section, with its continuations.
struct Attribute<'a> {
    key: Cow<'a, str>,
    value: Cow<'a, str>,
}

/// Key and value around the first colon; one space after it is the separator's.
fn split(line: &str) -> Option<(&str, &str)> {
    let colon = memchr(b':', line.as_bytes())?;
    let (key, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    Some((key, value.strip_prefix(' ').unwrap_or(value)))
}

/// `text` without `end`, in any case of letters.
fn without_end<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let (rest, found) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    found.eq_ignore_ascii_case(end).then_some(rest)
}

/// What is wrong with the manifest `name` at `position` of its bytes.
fn fault_at(name: &str, bytes: &[u8], position: usize, what: &str) -> Fault {
    let line = bytes.iter().take(position).filter(|byte| **byte == b'\n').count() + 1;
    Fault::manifest(format!("{name} {what} (line {line})"))
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xpi::VerdictKind;

    const SHA1_OF_A: &str = "hvfkN/qlp/zhXR3cuerq6jd2Z7g=";
    const SHA256_OF_A: &str = "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=";

    fn parse(text: &str) -> Result<Manifest<'_>, Fault> {
        Manifest::parse(text.as_bytes(), ManifestKind::Files, "manifest.mf", &XpiLimits::default())
    }

    #[test]
    fn digests_are_found_by_name_and_md5_is_ignored() {
        let text = format!(
            "Manifest-Version: 1.0\r\nCreated-By: x\r\n\r\nName: a\r\nDigest-Algorithms: MD5 SHA1\r\nMD5-Digest: ?\r\n\
             SHA1-Digest: {SHA1_OF_A}\r\n\r\nName: b\nSHA-256-Digest: {SHA256_OF_A}\n\n"
        );
        let manifest = parse(&text).unwrap();
        assert_eq!(manifest.sections().len(), 2);
        let a = &manifest.find("a").unwrap().digests;
        assert!(a.strongest(WeakestDigest::Sha1).unwrap().is_of(b"a"));
        assert_eq!(a.strongest(WeakestDigest::Sha256), None);
        let b = &manifest.find("b").unwrap().digests;
        assert!(b.strongest(WeakestDigest::Sha256).unwrap().is_of(b"a"));
        assert!(!b.strongest(WeakestDigest::Sha256).unwrap().is_of(b"b"));
        assert_eq!(manifest.find("c"), None);
    }

    #[test]
    fn long_names_are_continued() {
        let text = format!("Manifest-Version: 1.0\n\nName: long/\n na\r\n me\nSHA1-Digest: {SHA1_OF_A}\n");
        assert!(parse(&text).unwrap().find("long/name").is_some());
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let digest = format!("SHA1-Digest: {SHA1_OF_A}\n");
        let refused = [
            String::new(),
            "Name: a\n".to_owned(),
            "Manifest-Version: 2.0\n".to_owned(),
            format!("Manifest-Version: 1.0\n\n{digest}"),
            format!("Manifest-Version: 1.0\n\nName: a\nName: b\n{digest}"),
            format!("Manifest-Version: 1.0\n\nName: a\n{digest}{digest}"),
            format!("Manifest-Version: 1.0\n\nName: a\n{digest}\nName: a\n{digest}"),
            format!("Manifest-Version: 1.0\n\nName: a\nno attribute\n{digest}"),
            format!("Manifest-Version: 1.0\n\nName: a\0\n{digest}"),
            format!("Manifest-Version: 1.0\n\nName: a\rName: b\n{digest}"),
            "Manifest-Version: 1.0\n\nName: a\nSHA1-Digest: AAAA\n".to_owned(),
            "Manifest-Version: 1.0\n\nName: a\nMD5-Digest: AAAA\n".to_owned(),
        ];
        for text in refused {
            let fault = parse(&text).unwrap_err();
            assert_eq!(fault.kind, VerdictKind::MalformedManifest, "{text:?}");
        }
        let long = format!("Manifest-Version: 1.0\n\nName: {}\n{digest}", "a\n ".repeat(5000));
        assert_eq!(parse(&long).unwrap_err().kind, VerdictKind::LimitExceeded);
    }

    #[test]
    fn a_signature_file_speaks_of_the_whole_manifest() {
        let text = format!("Signature-Version: 1.0\nSHA1-Digest-Manifest: {SHA1_OF_A}\n\n");
        let limits = XpiLimits::default();
        let file = Manifest::parse(text.as_bytes(), ManifestKind::SignatureFile, "m.sf", &limits).unwrap();
        assert!(file.whole.strongest(WeakestDigest::Sha1).unwrap().is_of(b"a"));
        assert_eq!(parse(&text.replace("Signature", "Manifest")).unwrap().whole, Digests::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let limits = XpiLimits::default();
            let _ = Manifest::parse(&bytes, ManifestKind::Files, "m", &limits);
            let mut led = b"Manifest-Version: 1.0\n\nName: ".to_vec();
            led.extend(bytes);
            let _ = Manifest::parse(&led, ManifestKind::Files, "m", &limits);
        }
    }
}
