//! Inspection of one signed add-on, and its verdict.

mod read_at;
mod verdict;

pub use read_at::ReadAt;
pub use verdict::{Fault, NotAVerdictKind, Verdict, VerdictKind};
