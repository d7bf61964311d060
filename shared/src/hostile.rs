//! Texts for property tests that want to be more than one text where people read them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What terminals obey, what reorders or hides, what ends a line, and lines of ours that a liar would like to be read.
const FRAGMENTS: [&str; 31] = [
    "\n",
    "\r",
    "\r\n",
    "\u{b}",
    "\u{c}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{61c}",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
    "\u{ad}",
    "\u{e0041}",
    "\u{1b}[2J",
    "\u{1b}[1A\u{1b}[2K",
    "\u{9b}1A",
    "\0",
    "\u{8}\u{8}",
    "\t",
    "\"",
    "\\",
    "until      2099-01-01T00:00:00Z (in 1 day)",
    "- every certificate for the key with SHA-256 00",
    "\nNo key and no threshold changes: it is signed again before it expires.\n",
    "\nroot: 2 of 3 sign before, 2 of 3 after\n",
    "  + person-1     ed25519 0123456789abcdef",
    "                                                                     ",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// Such a text; some are very long.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => select(&FRAGMENTS[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z ]{1,8}",
    ];
    let parts = vec(part, 1..12).prop_map(|parts| parts.concat());
    (parts, prop_oneof![9 => Just(1_usize), 1 => Just(9)]).prop_map(|(text, times)| text.repeat(times))
}
