//! One test for each trick an archive can play.

use libdeflater::crc32;
use proptest::prelude::*;

use super::maker::{Made, deflated, parts, stored, zip};
use super::{ContentReader, Directory, Read, Stop};
use crate::limits::XpiLimits;
use crate::xpi::refusal::Refusal;
use crate::xpi::verdict::{Fault, VerdictKind};

fn read(archive: &[u8]) -> Result<Directory, Fault> {
    read_within(archive, &XpiLimits::default())
}

fn read_within(archive: &[u8], limits: &XpiLimits) -> Result<Directory, Fault> {
    match Directory::read(&archive, limits) {
        Ok(directory) => Ok(directory),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::Io(error)) => panic!("{error}"),
    }
}

/// The archive is refused as malformed, in a sentence that contains `words`.
fn refused(archive: &[u8], words: &str) {
    let fault = read(archive).unwrap_err();
    assert_eq!((fault.kind, fault.refusal), (VerdictKind::MalformedArchive, None), "{fault}");
    assert!(fault.sentence.contains(words), "{fault}");
}

/// The archive is refused by this entry of the closed list.
fn refused_as(archive: &[u8], refusal: Refusal) {
    assert_eq!(read(archive).map(|_| ()).map_err(|fault| fault.refusal), Err(Some(refusal)));
}

/// The content of the first entry, through the reader.
fn content(archive: &[u8]) -> Result<(Vec<u8>, Read), Fault> {
    let directory = read(archive)?;
    let mut bytes = Vec::new();
    let mut reader = ContentReader::new(&archive, &directory);
    match reader.read(&directory.entries()[0], &mut |piece| bytes.extend_from_slice(piece)) {
        Ok(crc) => Ok((bytes, crc)),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::Io(error)) => panic!("{error}"),
    }
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 7u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 29) as u8
    };
    (0..len).map(step).collect()
}

#[test]
fn entries_are_found_by_name_and_read() {
    let archive = zip(&[deflated("b", b"bbbb"), stored("a/", b""), stored("a/c", b"c")]);
    let directory = read(&archive).unwrap();
    let names: Vec<_> = directory.entries().iter().map(|entry| directory.name(entry)).collect();
    assert_eq!(names, [b"b".as_slice(), b"a/", b"a/c"]);
    assert_eq!(directory.name(directory.find(b"a/c").unwrap()), b"a/c");
    assert_eq!(directory.position(b"a/"), Some(1));
    assert!(directory.find(b"a").is_none());
    assert_eq!(content(&archive).unwrap(), (b"bbbb".to_vec(), Read::Whole));
    refused(&zip(&[]), "no end of a zip directory");
}

#[test]
fn content_of_every_size_and_method_comes_out_as_it_went_in() {
    for len in [0, 1, 300_000, 3_000_000] {
        let bytes = noise(len);
        for made in [stored("a", &bytes), deflated("a", &bytes)] {
            assert_eq!(content(&zip(&[made])).unwrap(), (bytes.clone(), Read::Whole), "{len}");
        }
    }
}

#[test]
fn content_that_compresses_well_comes_out_whole() {
    // More than one piece of packed bytes.
    let zeros = vec![0; 60 << 20];
    let made = deflated("a", &zeros);
    assert!(made.data.len() > 40_000, "{}", made.data.len());
    let (bytes, read) = content(&zip(&[made])).unwrap();
    assert!(bytes == zeros && read == Read::Whole, "{}", bytes.len());
}

#[test]
fn content_is_as_long_as_the_directory_says() {
    for len in [1000, 1_000_000] {
        let bytes = noise(len);
        let good = deflated("a", &bytes);
        let said = |size: usize, crc32: u32| {
            let size = size as u32;
            content(&zip(&[Made { uncompressed: size, local_uncompressed: size, crc32, ..good.clone() }]))
        };
        let head = &bytes[..len - 1];
        assert_eq!(said(len - 1, crc32(head)).unwrap(), (head.to_vec(), Read::Whole), "{len}");
        assert_eq!(said(len - 1, good.crc32).unwrap().1, Read::WrongCrc, "{len}");
        assert_eq!(said(len + 1, good.crc32).unwrap_err().kind, VerdictKind::MalformedArchive, "{len}");
        assert_eq!(said(0, good.crc32).unwrap().0, b"", "{len}");
        let mut cut = good.clone();
        cut.data.truncate(good.data.len() - 10);
        assert_eq!(content(&zip(&[cut])).unwrap_err().kind, VerdictKind::MalformedArchive, "{len}");
        let mut damaged = good.clone();
        damaged.data[0] = 0xff;
        assert_eq!(content(&zip(&[damaged])).unwrap_err().kind, VerdictKind::MalformedArchive, "{len}");
    }
    // Of what is stored, only signatures say whether it is right.
    assert_eq!(content(&zip(&[Made { crc32: 1, ..stored("a", b"1") }])).unwrap().1, Read::Whole);
}

#[test]
fn two_files_of_one_name_are_refused_and_folders_are_not() {
    refused(&zip(&[stored("a", b"1"), stored("b", b""), stored("a", b"2")]), "two entries");
    assert!(read(&zip(&[stored("a/", b""), stored("a/", b"")])).is_ok());
}

#[test]
fn names_that_lead_out_are_refused_and_others_are_not() {
    for name in ["../a", "/a", "a\\..\\b", "C:/a"] {
        refused_as(&zip(&[stored(name, b"")]), Refusal::LeadsOut);
    }
    for name in ["a\\b", "C:a", "a:b", "a\0", "a//b", "./a", "\u{1b}[2J", &"a".repeat(4096)] {
        assert!(read(&zip(&[stored(name, b"")])).is_ok(), "{name}");
    }
    let raw = zip(&[Made { name: b"\xff".to_vec(), local_name: b"\xff".to_vec(), ..stored("", b"") }]);
    assert!(read(&raw).unwrap().find(b"\xff").is_some());
    refused(&zip(&[stored("", b"")]), "no name");
    refused(&zip(&[stored(&"a".repeat(4097), b"")]), "no name");
}

#[test]
fn local_headers_name_what_the_directory_names() {
    let good = deflated("a", b"aaaaaaaa");
    refused_as(&zip(&[Made { local_name: b"b".to_vec(), ..good.clone() }]), Refusal::OtherLocalName);
    refused_as(&zip(&[Made { local_name: b"bb".to_vec(), ..good.clone() }]), Refusal::OtherLocalName);
    let mut archive = zip(std::slice::from_ref(&good));
    archive[0] = 0;
    refused_as(&archive, Refusal::OtherLocalName);
    // A packer that writes to a pipe knows no sizes yet, and may write any descriptor, or none.
    for descriptor in [b"".to_vec(), b"PK\x07\x08".to_vec(), vec![7; 24]] {
        let made = Made { local_uncompressed: 0, flags: 8, descriptor, ..good.clone() };
        assert_eq!(content(&zip(&[made])).unwrap().0, b"aaaaaaaa");
    }
}

#[test]
fn bytes_that_belong_to_no_entry_mean_nothing() {
    let (a, b) = (stored("a", b"1"), stored("b", b"2"));
    assert!(read(&zip(&[Made { padding_before: 9, ..a.clone() }, b.clone()])).is_ok());
    assert!(read(&zip(&[a.clone(), Made { padding_before: 1, ..b.clone() }])).is_ok());
    let good = zip(std::slice::from_ref(&a));
    for more in [1, 21, 22, 100_000] {
        let longer = [good.clone(), vec![b'x'; more]].concat();
        assert_eq!(content(&longer).unwrap().0, b"1", "{more}");
    }
    assert!(read(&zip(&[Made { comment: b"x".to_vec(), extra: vec![1], ..a.clone() }])).is_ok());
    // Bytes before everything, which the directory's offset does not count in.
    refused(&[b"#!/bin/sh\n".as_slice(), &good].concat(), "not where the archive's end says");
    refused(&good[..good.len() - 1], "no end of a zip directory");
    refused(b"PK", "no zip archive");
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let (a, b) = (stored("a", b"1"), stored("b", b"2"));
    // Two records for one local header.
    let (files, directory, _) = parts(std::slice::from_ref(&Made {
        name: b"a/".to_vec(),
        local_name: b"a/".to_vec(),
        ..stored("", b"")
    }));
    let (_, _, mut end) = parts(&[a.clone(), b]);
    let twice = [directory.clone(), directory].concat();
    end[12..16].copy_from_slice(&(twice.len() as u32).to_le_bytes());
    end[16..20].copy_from_slice(&(files.len() as u32).to_le_bytes());
    refused_as(&[files, twice, end].concat(), Refusal::Overlap);
    // Content that reaches into the directory.
    let (files, directory, end) = parts(std::slice::from_ref(&a));
    let mut longer = directory.clone();
    longer[20..28].copy_from_slice(&[9, 0, 0, 0, 9, 0, 0, 0]);
    refused_as(&[files, longer, end].concat(), Refusal::Overlap);
}

#[test]
fn a_directory_or_another_format_at_the_front_is_refused() {
    for front in [b"Cr24\x02\0\0\0".as_slice(), b"\0\0\0\0PK\x01\x02"] {
        let mut archive = zip(&[Made { padding_before: 16, ..stored("a", b"1") }]);
        archive[..8].copy_from_slice(front);
        refused_as(&archive, Refusal::FrontDirectory);
    }
}

#[test]
fn the_last_end_counts_and_what_it_counts_does_not() {
    let (files, directory, end) = parts(&[stored("a", b"1"), stored("b", b"2")]);
    for count in [0u8, 1, 200] {
        let mut end = end.clone();
        (end[8], end[10]) = (count, count);
        let archive = [files.clone(), directory.clone(), end].concat();
        assert_eq!(read(&archive).unwrap().entries().len(), 2);
    }
    let mut other = end.clone();
    other[16] = 1;
    let archive = [files, directory, end.clone(), other].concat();
    refused(&archive, "not where the archive's end says");
}

#[test]
fn what_addons_may_not_use_is_refused() {
    let good = stored("a", b"1");
    for flag in [0u32, 5, 6, 13] {
        refused_as(&zip(&[Made { flags: 1 << flag, ..good.clone() }]), Refusal::Encrypted);
    }
    for method in [1, 9, 12, 14, 93, 99] {
        refused(&zip(&[Made { method, ..good.clone() }]), "compression method");
    }
    refused_as(&zip(&[Made { attributes: 0o120_777 << 16, ..good.clone() }]), Refusal::Link);
    refused(&zip(&[Made { uncompressed: 2, local_uncompressed: 2, ..good.clone() }]), "sizes differ");
    refused_as(&zip(&[stored("folder/", b"1")]), Refusal::FolderWithContent);
    let mut volumes = zip(std::slice::from_ref(&good));
    let end = volumes.len() - 22;
    volumes[end + 4] = 1;
    refused_as(&volumes, Refusal::Volumes);
    let mut zip64 = zip(&[good]);
    zip64[end + 16..end + 20].fill(0xff);
    refused(&zip64, "where no directory can be");
}

#[test]
fn bombs_and_floods_are_refused() {
    let limits = XpiLimits { entries: 2, directory_bytes: 200, content_bytes: 100, ..XpiLimits::default() };
    let kind = |entries: &[Made], limits: &XpiLimits| read_within(&zip(entries), limits).unwrap_err().kind;
    let one = stored("a", &[0; 60]);
    let other = |name: &str| Made { name: name.into(), local_name: name.into(), ..one.clone() };
    assert_eq!(kind(&[one.clone(), other("b")], &limits), VerdictKind::LimitExceeded);
    assert_eq!(
        kind(&[stored("a", b""), stored("b", b""), stored("c", b"")], &limits),
        VerdictKind::LimitExceeded
    );
    assert_eq!(kind(&[stored(&"a".repeat(200), b"")], &limits), VerdictKind::LimitExceeded);
    let bomb = deflated("a", &[0; 1000]);
    let tight = XpiLimits { file_bytes: 999, ..XpiLimits::default() };
    assert_eq!(kind(&[bomb], &tight), VerdictKind::LimitExceeded);
    let small = XpiLimits { archive_bytes: 50, ..XpiLimits::default() };
    assert_eq!(kind(&[one], &small), VerdictKind::LimitExceeded);
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(at in 0usize..400, to in any::<u8>(), cut in 0usize..400) {
        let mut archive = zip(&[deflated("b", b"bbbbbbbbbbb"), stored("a/", b""), stored("META-INF/c", b"c")]);
        let len = archive.len();
        archive[at % len] = to;
        let _ = content(&archive);
        let _ = content(&archive[..cut % len]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }
}
