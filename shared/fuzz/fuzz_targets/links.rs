#![no_main]
//! Pages of the ledger's links, exports and continuations of ledgers: all come from outside.

use libfuzzer_sys::fuzz_target;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::continuation::{Continuation, ContinuationFile, Continuations};
use mulberry_shared::ledger::export::ExportReader;
use mulberry_shared::ledger::links::{Page, WitnessHead};
use mulberry_shared::ledger::witness::Check;
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::Reply;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let ledger = Sha256Digest([7; 32]);
    let _ = Page::read(bytes, &ledger, 0, &limits);
    let at = |sequence| WitnessHead { ledger, sequence, link: Sha256Digest([9; 32]) };
    let mut check = Check::start(&[at(1)], at(300), &limits);
    for part in bytes.split(|byte| *byte == b'\n') {
        if check.next().is_some() {
            check.supply(Reply::Bytes(part.to_vec()));
        }
    }
    let _ = check.verdict();
    if let Ok(list) = Continuations::read(bytes, &limits) {
        assert_eq!(Continuations::read(&list.write(), &limits), Ok(list));
    }
    if let Ok(one) = Continuation::read(bytes, &limits) {
        assert_eq!(Continuation::read(&one.write(), &limits), Ok(one));
    }
    if let Ok(file) = ContinuationFile::read(bytes, &limits) {
        assert_eq!(ContinuationFile::read(&file.write(), &limits), Ok(file));
    }
    if let Ok(mut reader) = ExportReader::open(bytes) {
        while let Ok(Some(_)) = reader.next_event() {}
    }
});
