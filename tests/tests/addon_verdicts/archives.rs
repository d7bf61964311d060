//! Archives no honest tool writes.

use mulberry_lab::xpi_signer::zip::{self, Method};
use mulberry_lab::xpi_signer::{AddonSigner, ContainerStyle, SigningOptions, ZipEntry, ZipFault};
use mulberry_shared::xpi::VerdictKind;

use crate::bench::{Case, addon, bench, case, of_2018, signed, with_zip_fault};

fn signed_with_file(name: impl Into<Vec<u8>>) -> Case {
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
    case(signer.sign(&addon().with_file(name, "content")).unwrap())
}

#[test]
fn both_real_styles_of_archive_hold() {
    for container in [ContainerStyle::LocalHeader, ContainerStyle::DataDescriptor] {
        signed(SigningOptions { container, ..of_2018() }).is(VerdictKind::Ok);
    }
}

#[test]
fn stored_entries_hold() {
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
    let mut entries = signer.entries(&addon()).unwrap();
    for entry in &mut entries {
        entry.method = Method::Stored;
    }
    case(zip::write(&entries, ContainerStyle::LocalHeader, &[]).unwrap()).is(VerdictKind::Ok);
}

/// Every one of these lets two readers of one archive see two different add-ons, or cannot be read.
#[test]
fn an_archive_that_firefox_does_not_read_or_others_read_otherwise_is_malformed() {
    for fault in [
        ZipFault::LocalNameDiffers(1),
        ZipFault::Overlap(1),
        ZipFault::DirectoryOffset,
        ZipFault::TruncatedEnd,
        ZipFault::Encrypted(1),
        ZipFault::UnknownMethod(1),
        ZipFault::UnderstatedSize(1),
        ZipFault::HalfStream(1),
        ZipFault::WrongCrc(1),
    ] {
        let verdict = with_zip_fault(fault).verdict();
        let modified = fault == ZipFault::UnderstatedSize(1) && verdict.kind == VerdictKind::FileModified;
        assert!(modified || verdict.kind == VerdictKind::MalformedArchive, "{fault:?}: {verdict}");
    }
}

/// What packers write differently and Firefox does not look at.
#[test]
fn what_means_nothing_to_firefox_means_nothing() {
    for fault in [
        ZipFault::LocalMethodDiffers(1),
        ZipFault::Gap(0),
        ZipFault::Gap(1),
        ZipFault::Prefix,
        ZipFault::Trailing,
        ZipFault::EntryCount,
        ZipFault::TwoEndRecords,
    ] {
        let verdict = with_zip_fault(fault).verdict();
        assert!(verdict.is_ok(), "{fault:?}: {verdict}");
    }
}

#[test]
fn a_wrong_crc_is_refused() {
    with_zip_fault(ZipFault::WrongCrc(1)).is_naming(VerdictKind::MalformedArchive, "background.js");
}

#[test]
fn a_size_of_gigabytes_is_refused_before_anything_is_expanded() {
    with_zip_fault(ZipFault::OverstatedSize(1)).is_naming(VerdictKind::LimitExceeded, "background.js");
}

#[test]
fn a_bomb_is_refused_by_its_size_and_not_by_its_ratio() {
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
    let bytes = signer.sign(&addon().with_file("bomb", vec![0; 8 << 20])).unwrap();
    assert!(bytes.len() < 100_000);
    case(bytes.clone()).is(VerdictKind::Ok);
    case(bytes.clone())
        .limits(|limits| limits.xpi.file_bytes = 4 << 20)
        .is_naming(VerdictKind::LimitExceeded, "bomb");
    case(bytes).limits(|limits| limits.xpi.content_bytes = 4 << 20).is(VerdictKind::LimitExceeded);
}

#[test]
fn a_bomb_that_lies_about_its_size_is_another_file() {
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
    let entries = signer.entries(&addon().with_file("bomb", vec![0; 1 << 20])).unwrap();
    let index = entries.iter().position(|entry| entry.name == b"bomb").unwrap();
    let faults = [ZipFault::UnderstatedSize(index)];
    let bytes = zip::write(&entries, ContainerStyle::LocalHeader, &faults).unwrap();
    case(bytes).is_naming(VerdictKind::FileModified, "bomb");
    // Half of it, said to be half of it, is another file than the signed one.
    let faults = [ZipFault::HalfStream(index), ZipFault::UnderstatedSize(index)];
    case(zip::write(&entries, ContainerStyle::LocalHeader, &faults).unwrap()).is_not_ok();
}

/// A file that hides as a folder: readers that skip folders would not miss its cover, others would load it.
#[test]
fn a_folder_with_content_is_refused() {
    let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
    let mut entries = signer.entries(&addon()).unwrap();
    let hidden = ZipEntry { name: b"folder/".to_vec(), data: b"evil()".to_vec(), method: Method::Stored };
    entries.insert(1, hidden);
    let bytes = zip::write(&entries, ContainerStyle::LocalHeader, &[]).unwrap();
    case(bytes).is_naming(VerdictKind::MalformedArchive, "folder/");
}

/// Names that differ from signature files in case or place alone must not share their exemption from cover.
#[test]
fn files_that_resemble_signature_files_are_refused() {
    for name in [
        "META-INF/COSE.SIG",
        "meta-inf/cose.manifest",
        "META-INF/MANIFEST.MF",
        "meta-inf/manifest.mf",
        "META-INF/MOZILLA.RSA",
        "META-INF/MANIFEST.mf",
        "META-INF/sub/mozilla.rsa",
        "META-INF/other.sf",
        "META-INF/other.rsa",
        "META-INF/other.dsa",
        "META-INF/cose.sig.js",
        "mozilla.rsa",
    ] {
        let signer = AddonSigner { issuer: &bench().incident.control, options: of_2018() };
        let mut entries = signer.entries(&addon()).unwrap();
        entries.push(ZipEntry::new(name, "evil()"));
        let verdict = case(zip::write(&entries, ContainerStyle::LocalHeader, &[]).unwrap()).verdict();
        assert!(!verdict.is_ok(), "{name}: {verdict}");
    }
}

#[test]
fn names_that_leave_the_folder_are_refused_although_they_are_signed() {
    for name in ["../evil.js", "a/../../evil.js", "/etc/evil.js", "C:/evil.js", "a\\..\\evil.js", ""] {
        let verdict = signed_with_file(name).verdict();
        assert_eq!(verdict.kind, VerdictKind::MalformedArchive, "{name:?}: {verdict}");
    }
}

/// Names are bytes, and mean nothing to a host that does not unpack add-ons.
#[test]
fn odd_names_that_stay_inside_hold() {
    for name in ["a/./b.js", "a//b.js", "./b.js", "a:b.js", "C:b.js", "a\\b.js", "\u{1b}[2J.js", "b .js"] {
        let verdict = signed_with_file(name).verdict();
        assert!(verdict.is_ok(), "{name:?}: {verdict}");
    }
    signed_with_file(b"not-utf-8-\xff.js".to_vec()).is(VerdictKind::Ok);
    // Manifests end at a NUL.
    assert!(!signed_with_file("nul\0byte.js").verdict().is_ok());
}

#[test]
fn what_is_no_archive_is_malformed() {
    for bytes in [&b""[..], b"PK", b"PK\x05\x06", b"<html>not an add-on</html>", &[0; 22]] {
        let verdict = case(bytes.to_vec()).verdict();
        assert_eq!(verdict.kind, VerdictKind::MalformedArchive, "{bytes:?}: {verdict}");
    }
}

#[test]
fn an_archive_beyond_the_ceilings_is_refused() {
    signed(of_2018()).limits(|limits| limits.xpi.archive_bytes = 1_000).is(VerdictKind::LimitExceeded);
    signed(of_2018()).limits(|limits| limits.xpi.entries = 3).is(VerdictKind::LimitExceeded);
    signed(of_2018()).limits(|limits| limits.xpi.content_bytes = 100).is(VerdictKind::LimitExceeded);
    signed(of_2018()).limits(|limits| limits.xpi.manifest_bytes = 20).is(VerdictKind::LimitExceeded);
    signed(of_2018()).limits(|limits| limits.xpi.signature_bytes = 100).is(VerdictKind::LimitExceeded);
}

/// Cut anywhere, changed anywhere: never a panic, and never accepted.
#[test]
fn an_archive_cut_or_changed_anywhere_never_panics() {
    let good = signed(of_2018()).bytes;
    for length in (0..good.len()).step_by(61) {
        let cut = good.get(..length).unwrap().to_vec();
        assert!(!case(cut).verdict().is_ok(), "cut to {length} bytes");
    }
    for index in (0..good.len()).step_by(37) {
        let mut changed = good.clone();
        changed[index] ^= 0x10;
        // Some bytes carry no meaning (times, versions of tools): a verdict is all that is asked.
        case(changed).verdict();
    }
}
