use proptest::prelude::*;

use super::*;
use crate::xpi::VerdictKind;
use crate::xpi::archive::maker::{stored, zip};

const SHA1_OF_A: &str = "hvfkN/qlp/zhXR3cuerq6jd2Z7g=";
const SHA256_OF_A: &str = "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=";
const SHA1: Wanted = Wanted { digest: WeakestDigest::Sha1, names: DigestNames::Firefox };
const SHA256: Wanted = Wanted { digest: WeakestDigest::Sha256, names: DigestNames::Firefox };

fn directory(names: &[&[u8]]) -> Directory {
    let made: Vec<_> = names
        .iter()
        .map(|name| {
            let mut made = stored("", b"");
            made.name = name.to_vec();
            made.local_name = name.to_vec();
            made
        })
        .collect();
    match Directory::read(&zip(&made), &XpiLimits::default()) {
        Ok(directory) => directory,
        Err(stop) => panic!("{stop}"),
    }
}

/// Of an archive that holds `a`, `b` and `long/name`.
fn parse(text: impl AsRef<[u8]>, wanted: Wanted) -> Result<Listing, Fault> {
    in_pieces(text.as_ref(), wanted, usize::MAX)
}

fn in_pieces(text: &[u8], wanted: Wanted, size: usize) -> Result<Listing, Fault> {
    let directory = directory(&[b"a", b"b", b"long/name", "für".as_bytes(), b"\xff\xfe"]);
    let limits = XpiLimits::default();
    let mut reader = FilesReader::new("manifest.mf", &directory, wanted, &limits);
    for piece in text.chunks(size.min(text.len()).max(1)) {
        reader.read(piece)?;
    }
    reader.finish()
}

fn signature_file(text: &str, wanted: Wanted) -> Result<AnyDigest, Fault> {
    let limits = XpiLimits::default();
    let mut reader = SignatureFileReader::new("m.sf", wanted, &limits);
    reader.read(text.as_bytes())?;
    reader.finish()
}

#[test]
fn only_the_digest_that_is_wanted_is_looked_at() {
    let text = format!(
        "Manifest-Version: 1.0\r\nCreated-By x\r\n\r\nName: a\r\nMD5-Digest: ?\r\nSHA1-Digest: {SHA1_OF_A}\r\n\
         SHA256-Digest: not base64\r\n\r\nName: b\nsha1-digest:{SHA1_OF_A}\n\n"
    );
    let listing = parse(&text, SHA1).unwrap();
    assert_eq!((listing.count(), listing.missing()), (2, None));
    assert_eq!(listing.digest(0), listing.digest(1));
    assert_eq!(listing.digest(2), None);
    assert_eq!(parse(&text, SHA256).unwrap_err().kind, VerdictKind::MalformedManifest);
}

#[test]
fn a_digest_of_another_algorithm_vouches_for_nothing() {
    let text = format!("Manifest-Version: 1.0\n\nName: a\nSHA1-Digest: {SHA1_OF_A}\n");
    assert!(parse(&text, SHA256).unwrap_err().sentence.contains("no SHA256-Digest"));
    let vouches = format!("Signature-Version: 1.0\nSHA1-Digest-Manifest: {SHA1_OF_A}\n\n");
    assert!(signature_file(&vouches, SHA1).is_ok());
    assert!(signature_file(&vouches, SHA256).unwrap_err().sentence.contains("no SHA256-Digest-Manifest"));
}

#[test]
fn the_jdk_s_spelling_counts_where_it_may() {
    let text = format!("Manifest-Version: 1.0\n\nName: a\nSHA-256-Digest: {SHA256_OF_A}\n");
    let vouches = format!("Signature-Version: 1.0\nSHA-256-Digest-Manifest: {SHA256_OF_A}\n\n");
    let too = Wanted { names: DigestNames::JarsignerToo, ..SHA256 };
    assert_eq!(parse(&text, too).unwrap().digest(0), Some(signature_file(&vouches, too).unwrap()));
    assert!(parse(&text, SHA256).is_err() && signature_file(&vouches, SHA256).is_err());
}

#[test]
fn a_signature_file_that_vouches_for_sections_alone_is_refused() {
    let text = format!("Signature-Version: 1.0\n\nName: a\nSHA1-Digest: {SHA1_OF_A}\n\n");
    let fault = signature_file(&text, SHA1).unwrap_err();
    assert_eq!(fault.kind, VerdictKind::MalformedManifest);
    assert!(fault.sentence.contains("does not vouch for the whole manifest"), "{fault}");
}

#[test]
fn names_are_bytes_and_may_be_folded_inside_a_character() {
    let digest = format!("SHA1-Digest: {SHA1_OF_A}\n");
    let folded = [b"Manifest-Version: 1.0\n\nName: f\xc3\n \xbcr\n".as_slice(), digest.as_bytes()].concat();
    assert!(parse(&folded, SHA1).unwrap().digest(3).is_some());
    let raw = [b"Manifest-Version: 1.0\n\nName: \xff\xfe\n".as_slice(), digest.as_bytes()].concat();
    assert!(parse(&raw, SHA1).unwrap().digest(4).is_some());
    let long = format!("Manifest-Version: 1.0\n\nName: long/\n na\r me\n{digest}");
    assert!(parse(&long, SHA1).unwrap().digest(2).is_some());
}

#[test]
fn names_that_no_file_has_are_missing() {
    let section = |name: &str| format!("Name: {name}\nSHA1-Digest: {SHA1_OF_A}\n\n");
    let text = ["Manifest-Version: 1.0\n\n", &section("a"), &section("x"), &section("y")].concat();
    assert_eq!(parse(&text, SHA1).unwrap().missing(), Some(b"x".as_slice()));
}

#[test]
fn what_firefox_does_not_read_is_refused() {
    let digest = format!("SHA1-Digest: {SHA1_OF_A}\n");
    let head = "Manifest-Version: 1.0\n\n";
    let refused = [
        String::new(),
        "Name: a\n".to_owned(),
        "Manifest-Version: 2.0\n".to_owned(),
        "manifest-version: 1.0\n".to_owned(),
        "Manifest-Version: 1.0\n \n\n".to_owned(),
        format!("{head}{digest}"),
        format!("{head}Name: a\nName: b\n{digest}"),
        format!("{head}Name:\n{digest}"),
        format!("{head}Name: a\n{digest}{digest}"),
        format!("{head}Name: a\n{digest}\nName: a\n{digest}"),
        format!("{head}Name: a\n{digest}\n\nName: b\n{digest}"),
        format!("{head}Name: a\n{digest}\n\n"),
        format!("{head}Name: a\nno attribute\n{digest}"),
        format!("{head}Name: a\n: b\n{digest}"),
        format!("{head}Name: a\nMagic: b\n{digest}"),
        format!("{head}Name: a\0\n{digest}"),
        format!("{head}Name: a\nX-Comment: {}\n{digest}", "x".repeat(62)),
        format!("{head}Name: a\nX-Comment: {}\n{digest}", "x\n ".repeat(65_536)),
        format!("{head}Name: a\nSHA1-Digest: AAAA\n"),
        format!("{head}Name: a\nMD5-Digest: AAAA\n"),
    ];
    for text in refused {
        let fault = parse(&text, SHA1).unwrap_err();
        assert_eq!(fault.kind, VerdictKind::MalformedManifest, "{text:?}");
    }
    let large = format!("{head}{}", " \n".repeat(4_000_000));
    assert_eq!(parse(&large, SHA1).unwrap_err().kind, VerdictKind::LimitExceeded);
}

#[test]
fn what_firefox_reads_is_read() {
    let digest = format!("SHA1-Digest: {SHA1_OF_A}\n");
    let head = "Manifest-Version: 1.0\n\n";
    for (text, count) in [
        ("Manifest-Version: 1.0".to_owned(), 0),
        (head.to_owned(), 0),
        (format!("{head}Name: a\n{digest}"), 1),
        (format!("{head}Name : a\n{digest}\n").replace('\n', "\r"), 1),
        (format!("{head}Name: a\n{digest}\nName: b\n{}", digest.trim()), 2),
        (format!("{head}Name: a\nX-Comment: {}\n{digest}", "x".repeat(61)), 1),
        (format!("{head}Name: a\nSHA1-Digest:\n{digest}"), 1),
        (format!("{head}Name: a\n{}\n", digest.trim_end().trim_end_matches('=')), 1),
        (format!("{head}Name: a\n{digest}\n\0behind this nothing counts"), 1),
        // An empty line that goes on is not empty.
        (format!("{head}\n Name: a\n{digest}"), 1),
    ] {
        assert_eq!(parse(&text, SHA1).map(|listing| listing.count()), Ok(count), "{text:?}");
    }
}

#[test]
fn a_line_that_is_too_long_behind_the_word_of_a_signature_file_does_not_count_either() {
    let text =
        format!("Signature-Version: 1.0\nSHA1-Digest-Manifest: {SHA1_OF_A}\n{}\n", "x".repeat(100_000));
    let before =
        format!("Signature-Version: 1.0\n{}\nSHA1-Digest-Manifest: {SHA1_OF_A}\n", "x".repeat(100_000));
    assert!(signature_file(&text, SHA1).is_ok() && signature_file(&before, SHA1).is_err());
}

#[test]
fn nothing_counts_behind_the_word_of_a_signature_file() {
    let vouches = format!("Signature-Version: 1.0\nX: y\nSHA1-Digest-Manifest: {SHA1_OF_A}\nno attribute\n");
    assert!(signature_file(&vouches, SHA1).is_ok());
    assert!(signature_file(&vouches.replace("X: y", "no attribute"), SHA1).is_err());
    assert!(signature_file(&vouches.replace("Signature-", "Manifest-"), SHA1).is_err());
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        lines in proptest::collection::vec("[ -~]{0,4}(\r|\n|\r\n|\n |\0)|(Name|Magic): (a|b|x)\n|SHA1-Digest: hvfkN/qlp/zhXR3cuerq6jd2Z7g=\r\n", 0..12),
        size in 1usize..40,
    ) {
        let text = format!("Manifest-Version: 1.0\n\n{}", lines.concat());
        prop_assert_eq!(in_pieces(text.as_bytes(), SHA1, size), parse(&text, SHA1));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, SHA256);
        let _ = parse([b"Manifest-Version: 1.0\n\nName: ".as_slice(), &bytes].concat(), SHA256);
    }
}
