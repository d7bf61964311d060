//! One test for each trick an archive can play.

use proptest::prelude::*;

use super::maker::{Made, deflated, parts, stored, zip};
use super::{ContentReader, Directory, Read, Stop};
use crate::limits::XpiLimits;
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
    assert_eq!(fault.kind, VerdictKind::MalformedArchive, "{fault}");
    assert!(fault.sentence.contains(words), "{fault}");
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
    assert_eq!(names, ["b", "a/", "a/c"]);
    assert_eq!(directory.name(directory.find("a/c").unwrap()), "a/c");
    assert!(directory.find("a").is_none());
    assert_eq!(content(&archive).unwrap(), (b"bbbb".to_vec(), Read::Whole));
    assert_eq!(read(&zip(&[])).unwrap().entries().len(), 0);
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
fn content_that_is_not_as_it_says_is_refused() {
    for len in [1000, 1_000_000] {
        let good = deflated("a", &noise(len));
        for wrong in [len - 1, len + 1] {
            let size = wrong as u32;
            let made = Made { uncompressed: size, local_uncompressed: size, ..good.clone() };
            assert_eq!(content(&zip(&[made])).unwrap_err().kind, VerdictKind::MalformedArchive, "{len}");
        }
        let mut cut = good.clone();
        cut.data.truncate(good.data.len() - 10);
        assert_eq!(content(&zip(&[cut])).unwrap_err().kind, VerdictKind::MalformedArchive, "{len}");
        let mut damaged = good.clone();
        damaged.data[0] = 0xff;
        assert_eq!(content(&zip(&[damaged])).unwrap_err().kind, VerdictKind::MalformedArchive, "{len}");
        let crc = Made { crc32: good.crc32 ^ 1, ..good };
        assert_eq!(content(&zip(&[crc])).unwrap().1, Read::WrongCrc, "{len}");
    }
}

#[test]
fn equal_names_are_refused() {
    refused(&zip(&[stored("a", b"1"), stored("b", b""), stored("a", b"2")]), "two entries");
}

#[test]
fn path_tricks_are_refused() {
    for name in ["../a", "/a", "a\\b", "C:a", "a\0", "a//b", "./a"] {
        refused(&zip(&[stored(name, b"")]), "the entry name");
    }
}

#[test]
fn local_headers_must_agree_with_the_directory() {
    let good = deflated("a", b"aaaaaaaa");
    refused(&zip(&[Made { local_name: b"b".to_vec(), ..good.clone() }]), "another name");
    refused(&zip(&[Made { local_name: b"bb".to_vec(), ..good.clone() }]), "");
    refused(&zip(&[Made { local_uncompressed: 9, ..good.clone() }]), "disagree");
    let mut archive = zip(&[good]);
    archive[0] = 0;
    refused(&archive, "no local header");
}

#[test]
fn data_descriptors_must_agree_with_the_directory() {
    let good = deflated("a", b"aaaaaaaa");
    let fields = [good.crc32, good.data.len() as u32, 8].map(u32::to_le_bytes).concat();
    let with = |descriptor: Vec<u8>| zip(&[Made { flags: 8, descriptor, ..good.clone() }]);
    assert!(read(&with(fields.clone())).is_ok());
    assert!(read(&with([b"PK\x07\x08".as_slice(), &fields].concat())).is_ok());
    refused(&with([b"PK\x07\x09".as_slice(), &fields].concat()), "disagree");
    let mut wrong = fields.clone();
    wrong[8] = 9;
    refused(&with(wrong), "disagree");
    refused(&with(Vec::new()), "0 unexplained bytes");
    refused(&zip(&[Made { descriptor: fields, ..good }]), "12 unexplained bytes");
}

#[test]
fn prefixes_gaps_and_overlaps_are_refused() {
    let (a, b) = (stored("a", b"1"), stored("b", b"2"));
    refused(&zip(&[Made { padding_before: 1, ..a.clone() }, b.clone()]), "1 bytes before the first entry");
    refused(&zip(&[a.clone(), Made { padding_before: 1, ..b.clone() }]), "unexplained");
    // Bytes before everything, which readers that count from the end do not see.
    refused(&[b"#!/bin/sh\n".as_slice(), &zip(std::slice::from_ref(&a))].concat(), "does not end where");
    // Two records for one local header.
    let (files, directory, _) = parts(std::slice::from_ref(&a));
    let (_, _, mut end) = parts(&[a, b]);
    let twice = [directory.clone(), directory].concat();
    end[12..16].copy_from_slice(&(twice.len() as u32).to_le_bytes());
    end[16..20].copy_from_slice(&(files.len() as u32).to_le_bytes());
    assert!(read(&[files, twice, end].concat()).is_err());
}

#[test]
fn what_follows_the_end_is_refused() {
    let good = zip(&[stored("a", b"1")]);
    refused(&[good.as_slice(), b"x"].concat(), "does not end with");
    let mut commented = good.clone();
    let comment_len = commented.len() - 2;
    commented[comment_len] = 1;
    commented.push(b'x');
    refused(&commented, "comment");
    refused(&zip(&[Made { comment: b"x".to_vec(), ..stored("a", b"1") }]), "comment");
    refused(&good[..good.len() - 1], "does not end with");
    refused(b"PK", "no zip archive");
}

#[test]
fn what_addons_may_not_use_is_refused() {
    let good = stored("a", b"1");
    for flag in [0u32, 5, 6, 13] {
        refused(&zip(&[Made { flags: 1 << flag, ..good.clone() }]), "encrypted");
    }
    for method in [1, 9, 12, 14, 93, 99] {
        refused(&zip(&[Made { method, ..good.clone() }]), "compression method");
    }
    refused(&zip(&[Made { attributes: 0o120_777 << 16, ..good.clone() }]), "not a regular file");
    refused(&zip(&[Made { uncompressed: 2, local_uncompressed: 2, ..good.clone() }]), "sizes differ");
    refused(&zip(&[Made { uncompressed: u32::MAX, method: 8, ..good.clone() }]), "zip64");
    refused(&zip(&[Made { extra: vec![1, 0, 0, 0], ..good.clone() }]), "zip64");
    refused(&zip(&[Made { extra: vec![1], ..good.clone() }]), "malformed");
    let other_name = b"up\x06\0\x01\0\0\0\0b".to_vec();
    refused(&zip(&[Made { extra: other_name, ..good.clone() }]), "another name");
    refused(&zip(&[stored("folder/", b"1")]), "folder with content");
    let mut volumes = zip(std::slice::from_ref(&good));
    let end = volumes.len() - 22;
    volumes[end + 4] = 1;
    refused(&volumes, "several volumes");
    let mut zip64 = zip(&[good]);
    zip64[end + 16..end + 20].fill(0xff);
    refused(&zip64, "zip64");
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
    assert_eq!(kind(&[stored(&"a".repeat(160), b"")], &limits), VerdictKind::LimitExceeded);
    let bomb = deflated("a", &vec![0; 20 << 20]);
    assert_eq!(kind(&[bomb], &XpiLimits::default()), VerdictKind::LimitExceeded);
    let small = XpiLimits { archive_bytes: 50, ..XpiLimits::default() };
    assert_eq!(kind(&[one], &small), VerdictKind::LimitExceeded);
}

#[test]
fn a_false_count_is_refused() {
    for count in [0u8, 2, 200] {
        let mut archive = zip(&[stored("a", b"1")]);
        let end = archive.len() - 22;
        archive[end + 8] = count;
        archive[end + 10] = count;
        assert!(read(&archive).is_err(), "{count}");
    }
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
