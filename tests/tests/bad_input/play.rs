//! Running a binary under the eye of the test: what it said, how much memory it held, and that it did not panic.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use mulberry_lab::process::{Said, run_measured};

/// What bad input may cost above the same command on harmless input, in KiB.
const ABOVE_IDLE: u64 = 64 << 10;

/// Runs `program` in `folder`; what it said and its peak in KiB.
pub(crate) fn play(program: &Path, arguments: &[&str], folder: &Path) -> (Said, u64) {
    let lab = Path::new(env!("CARGO_BIN_EXE_mulberry-lab"));
    let (said, peak) = run_measured(lab, program, arguments, folder).unwrap();
    no_panic(&said);
    (said, peak)
}

/// Fails when a thread of the program panicked or a signal ended it.
pub(crate) fn no_panic(said: &Said) {
    let panicked = said.stderr.contains("panicked at") || said.stderr.contains("RUST_BACKTRACE");
    let ended = matches!(said.code, Some(0..=5));
    assert!(
        ended && !panicked,
        "{} ended with {:?}\n{}\n{}",
        said.command,
        said.code,
        said.stdout,
        said.stderr
    );
}

/// The largest peak of many runs beside that of a harmless one.
#[derive(Debug)]
pub(crate) struct Memory {
    what: &'static str,
    idle: u64,
    largest: AtomicU64,
}

impl Memory {
    /// `idle` is the peak of the harmless run, in KiB.
    pub(crate) fn new(what: &'static str, idle: u64) -> Self {
        Self { what, idle, largest: AtomicU64::new(0) }
    }

    /// Takes note of one run's peak, and fails when it is too high.
    pub(crate) fn note(&self, input: &str, peak: u64) {
        self.largest.fetch_max(peak, Ordering::Relaxed);
        let (what, idle) = (self.what, self.idle);
        assert!(peak <= idle + ABOVE_IDLE, "{what}: {peak} KiB on {input}, {idle} KiB on harmless input");
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let largest = self.largest.load(Ordering::Relaxed);
        println!("{}: at most {largest} KiB on bad input, {} KiB on harmless input", self.what, self.idle);
    }
}
