//! The closed list of ways to sign an add-on wrongly. Faults of the container itself are [`ZipFault`](super::ZipFault).

/// One thing wrong with a signed add-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The last file's content changes after signing: one bit.
    ModifiedFile,
    /// The first file, which is the add-on's own manifest, gets one more line end: it says what it said before.
    ModifiedManifestJson,
    /// A file is added after signing.
    AddedFile,
    /// A file is added after signing, under `META-INF/`.
    AddedFileInMetaInf,
    /// The last file is removed after signing.
    RemovedFile,
    /// The last file's name changes after signing.
    RenamedFile,
    /// Two entries of the archive have one name: the signed content first, another second.
    DuplicateName,
    /// The same with the other content first.
    DuplicateNameReversed,

    /// `manifest.mf` gets one more section after the signature file was written: its digest no longer holds.
    ManifestAltered,
    /// `manifest.mf` has two sections for the first file.
    ManifestSectionTwice,
    /// `manifest.mf` does not begin with its version.
    ManifestWithoutVersion,
    /// `manifest.mf` has a section with a digest that is not base64.
    ManifestDigestGarbled,
    /// `manifest.mf` is missing.
    ManifestMissing,
    /// `mozilla.sf` gets a line that means nothing after it was signed.
    SignatureFileAltered,
    /// `mozilla.sf` does not begin with its version (and is signed like that).
    SignatureFileWithoutVersion,
    /// `mozilla.sf` is missing.
    SignatureFileMissing,
    /// `mozilla.rsa` is missing.
    SignatureMissing,
    /// A second pair of signature files under another name.
    SecondSignaturePair,

    /// One bit of the PKCS#7 signature changes.
    SignatureBitFlipped,
    /// `mozilla.rsa` ends in the middle.
    SignatureTruncated,
    /// `mozilla.rsa` goes on after its end.
    SignatureTrailingData,
    /// `mozilla.rsa` is text.
    SignatureNotAsn1,
    /// `mozilla.rsa` carries the content it signs, instead of being detached. Both agree.
    AttachedContent,
    /// The signed message digest is another one.
    WrongMessageDigest,
    /// There are signed attributes, but no message digest among them.
    MissingMessageDigest,
    /// Two SignerInfos, both valid.
    TwoSignerInfos,
    /// A second SignerInfo by the other digest, as signers write it whose verifiers differ in age. No fault: one of them counts.
    SignerOfOtherDigest,
    /// No SignerInfo.
    NoSignerInfo,
    /// The signature is by another key than the end entity's.
    WrongSigningKey,
    /// The end entity's certificate is not embedded.
    EndEntityNotEmbedded,

    /// COSE: `cose.manifest` gets a line that means nothing after signing; `manifest.mf` covers it with that line.
    CoseManifestAltered,
    /// COSE: external_aad is an empty byte string, as the specification has it, instead of null.
    CoseEmptyAad,
    /// COSE: one bit of each signature changes.
    CoseBitFlipped,
    /// COSE: not tagged 98.
    CoseUntagged,
    /// COSE: ends in the middle.
    CoseTruncated,
    /// COSE: goes on after its end.
    CoseTrailingData,
    /// COSE: 50,000 nested arrays.
    CoseDeepNesting,
    /// COSE: `cose.manifest` is there, `cose.sig` is not.
    CoseSignatureMissing,
}
