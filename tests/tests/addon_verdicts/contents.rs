//! Files and manifests, both ways.

use mulberry_lab::xpi_signer::{AddonSigner, Fault, ManifestDigests, SigningOptions};
use mulberry_shared::xpi::{Policy, VerdictKind};

use crate::bench::{addon, bench, case, of_2018, of_2023, signed, with_fault};

#[test]
fn an_addon_signed_as_in_2018_holds() {
    signed(of_2018()).is(VerdictKind::Ok);
}

#[test]
fn an_addon_signed_as_in_2023_holds() {
    signed(of_2023()).is(VerdictKind::Ok);
}

#[test]
fn a_file_changed_by_one_bit_is_named() {
    with_fault(of_2018(), Fault::ModifiedFile).is_naming(VerdictKind::FileModified, "icons/icon.svg");
    with_fault(of_2023(), Fault::ModifiedFile).is_naming(VerdictKind::FileModified, "icons/icon.svg");
}

/// As in a real add-on: the signature is fine, `manifest.json` was touched.
#[test]
fn a_manifest_json_altered_under_a_valid_signature_is_a_modified_file() {
    with_fault(of_2018(), Fault::ModifiedManifestJson).is_naming(VerdictKind::FileModified, "manifest.json");
}

#[test]
fn a_file_that_nobody_signed_is_named() {
    with_fault(of_2018(), Fault::AddedFile).is_naming(VerdictKind::FileNotCovered, "added.js");
    with_fault(of_2018(), Fault::AddedFileInMetaInf)
        .is_naming(VerdictKind::FileNotCovered, "META-INF/added.txt");
}

#[test]
fn a_signed_file_that_is_gone_is_named() {
    with_fault(of_2018(), Fault::RemovedFile).is_naming(VerdictKind::FileMissing, "icons/icon.svg");
}

#[test]
fn a_renamed_file_is_missing_or_not_covered() {
    let kind = with_fault(of_2018(), Fault::RenamedFile).verdict().kind;
    assert!(matches!(kind, VerdictKind::FileMissing | VerdictKind::FileNotCovered), "{kind}");
}

#[test]
fn two_entries_of_one_name_are_refused_whichever_comes_first() {
    with_fault(of_2018(), Fault::DuplicateName).is_naming(VerdictKind::MalformedArchive, "icons/icon.svg");
    with_fault(of_2018(), Fault::DuplicateNameReversed)
        .is_naming(VerdictKind::MalformedArchive, "icons/icon.svg");
}

#[test]
fn a_manifest_that_the_signature_file_does_not_vouch_for_is_a_modified_file() {
    with_fault(of_2018(), Fault::ManifestAltered)
        .is_naming(VerdictKind::FileModified, "META-INF/manifest.mf");
}

#[test]
fn a_manifest_without_its_version_or_with_two_sections_for_a_file_is_malformed() {
    with_fault(of_2018(), Fault::ManifestWithoutVersion).is(VerdictKind::MalformedManifest);
    with_fault(of_2018(), Fault::ManifestSectionTwice)
        .is_naming(VerdictKind::MalformedManifest, "manifest.json");
    with_fault(of_2018(), Fault::ManifestDigestGarbled).is(VerdictKind::MalformedManifest);
    with_fault(of_2018(), Fault::SignatureFileWithoutVersion).is(VerdictKind::MalformedManifest);
}

#[test]
fn a_manifest_of_md5_digests_alone_vouches_for_nothing() {
    let mut options = of_2018();
    options.digests = ManifestDigests::Md5;
    signed(options).is_naming(VerdictKind::MalformedManifest, "SHA1-Digest-Manifest");
}

#[test]
fn md5_beside_sha1_does_not_matter() {
    let mut options = of_2018();
    options.digests = ManifestDigests::Md5AndSha1;
    signed(options).is(VerdictKind::Ok);
}

#[test]
fn strict_wants_sha256_in_manifest_and_signature() {
    let strict = Policy::strict();
    signed(of_2018()).policy(strict).is(VerdictKind::UnsupportedAlgorithm);
    let mut sha1_manifest = SigningOptions { cose: Vec::new(), ..of_2023() };
    sha1_manifest.digests = ManifestDigests::Sha1;
    signed(sha1_manifest).policy(strict).is_naming(VerdictKind::MalformedManifest, "SHA256-Digest-Manifest");
    let jarsigner = SigningOptions { digests: ManifestDigests::Jarsigner, cose: Vec::new(), ..of_2023() };
    signed(jarsigner.clone()).policy(strict).is(VerdictKind::Ok);
    signed(jarsigner).is(VerdictKind::MalformedManifest);
    let mut sha256 = of_2023();
    sha256.digests = ManifestDigests::Sha256;
    signed(sha256).policy(strict).is(VerdictKind::Ok);
    signed(of_2023()).policy(strict).is(VerdictKind::Ok);
}

#[test]
fn an_archive_without_any_signature_is_unsigned() {
    let mut options = of_2018();
    options.pkcs7 = None;
    signed(options).is(VerdictKind::Unsigned);
}

#[test]
fn folders_need_no_cover_and_archives_inside_stay_opaque() {
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
    let inner = signer.sign(&addon()).unwrap();
    let addon = addon()
        .with_file("folder/", "")
        .with_file("folder/inner.xpi", inner)
        .with_file("old/META-INF/mozilla.rsa", "not a signature of this add-on")
        .with_file("empty.txt", "");
    case(signer.sign(&addon).unwrap()).is(VerdictKind::Ok);
}

#[test]
fn long_names_are_folded_over_several_manifest_lines() {
    let name = format!("{}/file.js", ["a-rather-long-folder-name"; 9].join("/"));
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
    case(signer.sign(&addon().with_file(name, "content")).unwrap()).is(VerdictKind::Ok);
}
