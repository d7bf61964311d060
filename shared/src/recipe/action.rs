//! What a recipe can do. Each action is one file that answers every question about it; nothing elsewhere asks which
//! action it has.
//!
//! ```text
//! Kind     the closed list: names, and what is known before there are arguments
//! Form     how one action is written by people and published: made from bytes
//! Does     what one action does, to whom and until when: asked by decide, effects, agents, preflight and words
//! ```
//!
//! A new action is a file with its two `impl`s, and its lines in this one.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use super::breach::{Breach, Life};
use super::fields::{FieldError, Fields};
use super::page::Page;
use super::source::reader::{Files, Reader, Section};
use super::{ConsentKind, OnEnd};
use crate::effects::{Admission, Effects, NotAdmitted};
use crate::limits::{Limits, RecipeLimits};
use crate::never_worse::Breakage;
use crate::x509::{Certificate, Purpose};

mod certificate_list;
mod distrust_certificates;
mod hold_verification;
mod install_certificates;
mod reverify_addons;

pub use distrust_certificates::{DistrustCertificates, DistrustEntry};
pub use hold_verification::HoldVerification;
pub use install_certificates::InstallCertificates;
pub use reverify_addons::{ReverifyAddons, WhichAddons};

/// Declares [`Action`], [`ActionKind`] and what is asked of each, from one line an action.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// What a recipe does, with its arguments.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name($name),)+
        }

        impl Action {
            /// What it does.
            #[must_use]
            pub fn does(&self) -> &dyn Does {
                match self { $(Self::$name(action) => action,)+ }
            }

            /// Which it is.
            #[must_use]
            pub fn kind(&self) -> ActionKind {
                match self { $(Self::$name(_) => ActionKind::$name,)+ }
            }
        }

        $(impl From<$name> for Action {
            fn from(action: $name) -> Self {
                Self::$name(action)
            }
        })+

        /// Which action a recipe has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ActionKind {
            $($(#[$doc])* $name,)+
        }

        /// What `capabilities` of a recipe may ask for: everything this code can do that an older one may not.
        pub const CAPABILITIES: &[&str] = &[$(concat!("action.", $word),)+];

        impl ActionKind {
            /// All, sorted by name.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Their names, sorted.
            pub const NAMES: &[&str] = &[$($word,)+];

            /// Its name in a recipe.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The one of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
            }

            /// What it does, in a line of help.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self { $(Self::$name => $name::SUMMARY,)+ }
            }

            /// The kinds of consent that a recipe with it may have.
            #[must_use]
            pub fn consents(self) -> &'static [ConsentKind] {
                match self { $(Self::$name => $name::CONSENTS,)+ }
            }

            /// What its certificates are for, if it takes any.
            #[must_use]
            pub fn certificates(self) -> Option<Purpose> {
                match self { $(Self::$name => $name::CERTIFICATES,)+ }
            }

            /// What a new recipe with it begins as.
            #[must_use]
            pub fn template(self, blanks: &Blanks<'_>) -> Template {
                match self { $(Self::$name => $name::template(blanks),)+ }
            }

            pub(super) fn read(self, arguments: &mut Fields, limits: &Limits) -> Result<Action, FieldError> {
                match self { $(Self::$name => $name::read(arguments, limits).map(Action::$name),)+ }
            }

            pub(super) fn read_source(
                self,
                reader: &mut Reader<'_>,
                section: &mut Section<'_>,
                files: &mut Files<'_>,
                limits: &Limits,
            ) -> Option<Action> {
                match self {
                    $(Self::$name => $name::read_source(reader, section, files, limits).map(Action::$name),)+
                }
            }

            #[cfg(test)]
            pub(super) fn arbitrary(self, expires: Timestamp) -> proptest::strategy::BoxedStrategy<Action> {
                use proptest::strategy::Strategy;
                match self { $(Self::$name => $name::arbitrary(expires).prop_map(Action::$name).boxed(),)+ }
            }
        }
    };
}

actions! {
    /// Refuses certificates; beats [`Action::InstallCertificates`].
    DistrustCertificates = "distrust-certificates",
    /// Suspends the periodic verification pass.
    HoldVerification = "hold-verification",
    /// Adds certificates to the local pool, with no special trust.
    InstallCertificates = "install-certificates",
    /// Verifies add-ons again.
    ReverifyAddons = "reverify-addons",
}

/// What an action does. Without defaults, so that a new action answers every question.
pub trait Does: fmt::Debug {
    /// When its turn comes among the recipes of a lane.
    fn phase(&self) -> Phase;

    /// What must hold when its turn comes.
    fn waits_for(&self) -> &'static [Precondition];

    /// Adds to `effects` what it puts in force at `now` on a client that applied it at `enrolled_at`.
    fn put_in_force(&self, enrolled_at: Timestamp, now: Timestamp, effects: &mut Effects);

    /// Whether the anchors allow it; `candidate` is everything that would be in force with it.
    ///
    /// # Errors
    /// What does not hold.
    fn admit(&self, admission: &Admission<'_>, candidate: &Effects, at: Timestamp)
    -> Result<(), NotAdmitted>;

    /// What it means to break.
    fn breaks(&self) -> Breakage;

    /// Which add-ons are verified again once it was applied.
    fn verifies(&self) -> Verifies;

    /// What its end can leave behind.
    fn leaves(&self) -> Leaves;

    /// Whether an ended gate ends it. Else only the people of its lane do, by withdrawing the recipe.
    fn gate_may_end(&self) -> bool;

    /// The certificates that it installs.
    fn installs(&self) -> &[Certificate];

    /// What it distrusts.
    fn distrusts(&self) -> &[DistrustEntry];

    /// What a preflight must see for it to be of use.
    fn proof(&self) -> Proof;

    /// The rules that its arguments break.
    fn breaches(&self, life: Life, limits: &RecipeLimits) -> Vec<Breach>;

    /// Its arguments as they are published.
    fn arguments(&self) -> Value;

    /// What it does, in lines that people read before they sign.
    fn describe(&self, page: &mut Page, now: Timestamp);

    /// What it did where it was applied, in a few words.
    fn done(&self) -> String;
}

/// How an action is written and read.
pub(super) trait Form: Sized {
    /// What it does, in a line of help.
    const SUMMARY: &'static str;

    /// The kinds of consent that a recipe with it may have.
    const CONSENTS: &'static [ConsentKind];

    /// What its certificates are for, if it takes any.
    const CERTIFICATES: Option<Purpose>;

    /// From the published arguments.
    fn read(arguments: &mut Fields, limits: &Limits) -> Result<Self, FieldError>;

    /// From a recipe's source. `None`: the reader has the problems.
    fn read_source(
        reader: &mut Reader<'_>,
        section: &mut Section<'_>,
        files: &mut Files<'_>,
        limits: &Limits,
    ) -> Option<Self>;

    /// What a new recipe with it begins as.
    fn template(blanks: &Blanks<'_>) -> Template;

    /// Any that obeys the rules in a recipe that ends at `expires`.
    #[cfg(test)]
    fn arbitrary(expires: Timestamp) -> proptest::strategy::BoxedStrategy<Self>;
}

/// When an action's turn comes: certificates before what they are verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Changes which certificates count.
    Certificates,
    /// Changes when verification runs.
    Schedule,
    /// Verifies.
    Verification,
}

/// What must hold before an action is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precondition {
    /// No action of [`Phase::Certificates`] failed in this run: verifying without the certificates that it was meant for would
    /// only disable more (2019).
    CertificatesApplied,
    /// The folder of add-ons can be listed: what could not look at a single add-on has not verified anything.
    AddonsListed,
    /// The clock is not behind: what counts from its start would end too soon.
    ClockNotBehind,
}

/// Which add-ons are verified again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verifies {
    /// None.
    Nothing,
    /// Those that are disabled.
    Disabled,
    /// All.
    All,
}

/// What the end of an action can leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaves {
    /// Its effects, if the recipe says that they stay.
    Effects,
    /// Nothing, whatever the recipe says; `then` is what the end comes to, in a few words.
    Nothing {
        /// In a few words.
        then: &'static str,
    },
}

/// What a preflight must see for an action to be of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// An add-on that works with it and did not without.
    SomethingBetter {
        /// Whether certificates that clients hold already count before it: not where it is asked whether they help.
        held_count_before: bool,
        /// What is said where there is none.
        else_said: &'static str,
    },
    /// As many add-ons disabled as somebody expects.
    Disables,
    /// Nothing: it changes no verdict.
    NoVerdict {
        /// What it does instead.
        sentence: String,
    },
}

/// What a new recipe is made from.
pub struct Blanks<'a> {
    /// What people call its first certificate; empty where there is none.
    pub certificate: &'a str,
    /// The names of its certificate files.
    pub files: &'a [String],
    /// Midnight UTC so many days from today, as it is written in TOML.
    pub day: &'a dyn Fn(i64) -> String,
}

impl Blanks<'_> {
    /// The line that names the files.
    fn certificates(&self) -> String {
        let names: Vec<String> = self.files.iter().map(|name| format!("{name:?}")).collect();
        format!("certificates = [{}]\n", names.join(", "))
    }
}

/// The parts of a new recipe that depend on its action.
pub struct Template {
    /// What it does, for whoever edits the file; one or more lines.
    pub about: &'static str,
    /// The recipe's name.
    pub name: String,
    /// Its consent.
    pub consent: ConsentKind,
    /// Days until it expires.
    pub days: i64,
    /// What becomes of its effects.
    pub on_end: OnEnd,
    /// The lines of its arguments, with comments.
    pub arguments: String,
}
