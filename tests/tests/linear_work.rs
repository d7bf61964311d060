//! No parser of outside bytes does more than linear work within its ceilings.
//!
//! Each is given the worst that is known for it, as large as it takes (or [`MOST`] bytes, where it takes more), and the same at half
//! the size. What is counted are the instructions executed from the parser's beginning to its end, with everything it calls: other
//! people's libraries, the allocator, comparing memory. Valgrind counts them, so the figures do not depend on the machine's load.
//! Twice the bytes may take at most 2.5 times the instructions: n log n stays below that, and n² is at 4.

// Helpers of tests are test code too, which the lints cannot see here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "linear_work/cases.rs"]
mod cases;
#[path = "linear_work/certificates.rs"]
mod certificates;
#[path = "linear_work/documents.rs"]
mod documents;
#[path = "linear_work/inputs.rs"]
mod inputs;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{Case, cases};

/// Bytes of the largest input: enough that what grows with their square shows, and little enough for a processor that counts.
const MOST: usize = 48 << 10;
/// The function in which instructions are counted, as valgrind knows it.
const COUNTED: &str = "linear_work::parse_while_counted";
/// The folder of the inputs, for the process that is counted.
const FOLDER: &str = "MULBERRY_LINEAR_WORK";

#[test]
fn twice_the_bytes_take_no_parser_more_than_two_and_a_half_times_the_work() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no valgrind here (on Debian: apt-get install valgrind), so no work was counted");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let all = cases();
    let mut sizes = Vec::new();
    for (number, case) in all.iter().enumerate() {
        for (which, bytes) in [("half", case.most / 2), ("whole", case.most)] {
            let input = (case.make)(bytes);
            sizes.push(input.len());
            fs::write(folder.path().join(format!("{number:03}-{which}")), input).unwrap();
        }
    }
    let counts = count(folder.path());
    assert_eq!(counts.len(), 2 * all.len());
    let mut wrong = Vec::new();
    for ((case, counts), sizes) in all.iter().zip(counts.chunks(2)).zip(sizes.chunks(2)) {
        let (half, whole) = (counts[0], counts[1]);
        let line = format!(
            "{:<60} {:>9} bytes {half:>12}, {:>9} bytes {whole:>12}: {:.2} times",
            case.name,
            sizes[0],
            sizes[1],
            whole as f64 / half as f64
        );
        println!("{line}");
        // The count would be right of a parser that looks at nothing as well.
        let doubled = (1.7..=2.3).contains(&(sizes[1] as f64 / sizes[0] as f64));
        let linear = 2 * whole <= 5 * half;
        if !doubled || half == 0 || linear == case.is_control {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "not linear, or not measured:\n{}", wrong.join("\n"));
}

/// How many instructions each input takes, in order. They are counted in one process, whose start is not.
fn count(folder: &Path) -> Vec<u64> {
    let out = folder.join("count");
    let counted = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "parses_what_is_in_the_folder", "--ignored", "--test-threads=1"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
    let part = |number: usize| PathBuf::from(format!("{}.{number}", out.display()));
    let parts = (1..).map(part).take_while(|path| path.exists());
    parts
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let totals = text.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
            totals.trim().parse().unwrap()
        })
        .collect()
}

#[test]
#[ignore = "the process that is counted"]
fn parses_what_is_in_the_folder() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    for (number, Case { parse, .. }) in cases().iter().enumerate() {
        for which in ["half", "whole"] {
            let bytes = fs::read(Path::new(&folder).join(format!("{number:03}-{which}"))).unwrap();
            parse_while_counted(*parse, &bytes);
        }
    }
}

/// See [`COUNTED`].
#[inline(never)]
fn parse_while_counted(parse: fn(&[u8]), bytes: &[u8]) {
    parse(black_box(bytes));
    black_box(());
}
