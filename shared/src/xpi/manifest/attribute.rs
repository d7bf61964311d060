//! One line of a section: a key and what it says.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::fault::ManifestFault;
use super::{AnyDigest, Wanted};
use crate::quoted::quoted_name;
use crate::xpi::policy::{DigestNames, WeakestDigest};

/// A line that is an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute<'l> {
    pub(super) key: &'l [u8],
    pub(super) value: &'l [u8],
}

/// Base64 as Firefox reads it: without padding too, and whatever the bits after the last byte are.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

impl<'l> Attribute<'l> {
    /// Key and value around the first colon, without the spaces beside it.
    pub(super) fn read(line: &'l [u8]) -> Result<Self, ManifestFault> {
        let colon = memchr::memchr(b':', line).ok_or(ManifestFault::NotAnAttribute)?;
        let (mut key, value) = line.split_at_checked(colon).ok_or(ManifestFault::NotAnAttribute)?;
        let mut value = value.get(1..).unwrap_or_default();
        while let Some(shorter) = key.strip_suffix(b" ") {
            key = shorter;
        }
        while let Some(shorter) = value.strip_prefix(b" ") {
            value = shorter;
        }
        if key.is_empty() { Err(ManifestFault::NotAnAttribute) } else { Ok(Self { key, value }) }
    }

    pub(super) fn is(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key.as_bytes())
    }

    /// Whether it is the digest that counts; `suffix` follows the name in signature files.
    pub(super) fn is_digest(&self, wanted: Wanted, suffix: &str) -> bool {
        let Some(name) =
            without_end(self.key, suffix.as_bytes()).and_then(|key| without_end(key, b"-Digest"))
        else {
            return false;
        };
        let (firefox, jarsigner): (&[u8], &[u8]) = match wanted.digest {
            WeakestDigest::Sha1 => (b"SHA1", b"SHA-1"),
            WeakestDigest::Sha256 => (b"SHA256", b"SHA-256"),
        };
        name.eq_ignore_ascii_case(firefox)
            || (wanted.names == DigestNames::JarsignerToo && name.eq_ignore_ascii_case(jarsigner))
    }

    /// The digest it gives; `None` where it gives nothing.
    pub(super) fn digest(&self, algorithm: WeakestDigest) -> Result<Option<AnyDigest>, ManifestFault> {
        if self.value.is_empty() {
            return Ok(None);
        }
        let len = algorithm.digest_len();
        let text = match self.value {
            [rest @ .., b'=', b'='] | [rest @ .., b'='] if self.value.len().is_multiple_of(4) => rest,
            whole => whole,
        };
        // The decoder wants room for whole groups of three bytes.
        let mut buffer = [0; 48];
        let decoded = BASE64.decode_slice(text, &mut buffer).ok().filter(|decoded| *decoded == len);
        let bytes = decoded.and_then(|len| buffer.get(..len));
        let Some(bytes) = bytes else {
            return Err(ManifestFault::NotBase64 { key: self.shown(), bytes: len });
        };
        let mut digest = AnyDigest::default();
        digest.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(Some(digest))
    }

    /// Its key in a sentence.
    pub(super) fn shown(&self) -> String {
        quoted_name(self.key)
    }
}

/// `text` without `end`, in any case of letters.
fn without_end<'t>(text: &'t [u8], end: &[u8]) -> Option<&'t [u8]> {
    let (rest, found) = text.split_at_checked(text.len().checked_sub(end.len())?)?;
    found.eq_ignore_ascii_case(end).then_some(rest)
}
