//! What a stable name means and what to do about it: said once, beside each closed list of names.
//!
//! `shared/docs/errors.md` is made from these texts, so a name that a person meets in a table, a log or a JSON document can
//! be looked up. A name without text does not compile.

/// One name explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it means: one sentence without full stop at its end.
    pub meaning: &'static str,
    /// What to do next: one sentence without full stop at its end.
    pub remedy: &'static str,
}

/// A closed list of names, each explained.
pub trait Explain: Copy + 'static {
    /// All of them, in the order in which they are explained.
    const ALL: &'static [Self];

    /// The explanation.
    fn explain(self) -> Explanation;
}

/// Explains every variant of an enum without fields. The match it makes has no wildcard: a new variant needs a text, and what
/// has a text is in the list.
macro_rules! explained {
    ($type:ty { $($variant:ident: $meaning:literal, $remedy:literal;)+ }) => {
        impl $crate::explain::Explain for $type {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn explain(self) -> $crate::explain::Explanation {
                match self {
                    $(Self::$variant => $crate::explain::Explanation { meaning: $meaning, remedy: $remedy }),+
                }
            }
        }
    };
}

pub(crate) use explained;
