//! One laboratory fixture for every verdict kind and for every fact of the field that verification must know. Each test is
//! named for what its fixture shows.

// Clippy knows tests by their attribute and takes the bench for other code.
#![allow(clippy::unwrap_used)]

mod archives;
mod bench;
mod certificates;
mod contents;
mod corpora;
mod cose;
mod identity;
mod kinds;
mod pkcs7;
