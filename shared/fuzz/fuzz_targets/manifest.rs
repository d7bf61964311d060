//! Any bytes as manifest.mf and as a signature file, in pieces of every size: the pieces make no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::XpiLimits;
use mulberry_shared::xpi::archive::Directory;
use mulberry_shared::xpi::manifest::{FilesReader, SignatureFileReader, Wanted};
use mulberry_shared::xpi::{DigestNames, WeakestDigest};

/// An archive with the one stored file "a".
const ARCHIVE: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a\
    PK\x01\x02\x14\x03\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\xa4\x81\0\0\0\0a\
    PK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x1f\0\0\0\0\0";

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = (usize::from(input.0).max(1), input.1);
    let limits = XpiLimits::default();
    let Ok(directory) = Directory::read(&ARCHIVE, &limits) else {
        unreachable!("the archive is well-formed")
    };
    for digest in WeakestDigest::ALL {
        let wanted = Wanted { digest, names: DigestNames::JarsignerToo };
        let files = |size: usize| {
            let mut reader = FilesReader::new("fuzz", &directory, wanted, &limits);
            bytes.chunks(size).try_for_each(|piece| reader.read(piece))?;
            reader.finish()
        };
        assert_eq!(files(size).ok(), files(bytes.len().max(1)).ok());
        let vouched = |size: usize| {
            let mut reader = SignatureFileReader::new("fuzz", wanted, &limits);
            bytes.chunks(size).try_for_each(|piece| reader.read(piece))?;
            reader.finish()
        };
        assert_eq!(vouched(size).ok(), vouched(bytes.len().max(1)).ok());
    }
});
