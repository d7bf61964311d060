//! What is wrong with a recipe's source.

use std::fmt;

use crate::recipe::problem_kind::SourceProblemKind;

/// One thing that is wrong with a recipe's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name of the file, as it was given.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The key, with its table: `targeting.versions`.
    pub key: String,
    /// What kind of mistake it is.
    pub kind: SourceProblemKind,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, key, what, remedy, .. } = self;
        write!(f, "{file}:{line}: {key}: {what}; {remedy}")
    }
}

/// All problems, in the order of their lines; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceErrors {
    /// The problems.
    pub problems: Vec<Problem>,
}

/// One problem a line.
impl fmt::Display for SourceErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SourceErrors {}
