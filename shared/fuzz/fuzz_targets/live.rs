//! Any bytes as a live stream: nothing panics, and pieces of any size give the same as the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::Limits;
use mulberry_shared::live::Decoder;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let limits = Limits::default();
    let whole = Decoder::new(&limits).feed(stream);
    let mut decoder = Decoder::new(&limits);
    let pieces: Result<Vec<_>, _> =
        stream.chunks(usize::from(*cut).max(1)).map(|piece| decoder.feed(piece)).collect();
    assert_eq!(whole, pieces.map(|found| found.concat()));
});
