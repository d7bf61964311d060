//! `hold-verification`: suspends the periodic pass until a date, so that clients which still work keep working.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Blanks, DistrustEntry, Does, Form, Leaves, Phase, Precondition, Proof, Template, Verifies};
use crate::effects::{Admission, Effects, NotAdmitted};
use crate::limits::{Limits, RecipeLimits};
use crate::never_worse::Breakage;
use crate::recipe::breach::{Breach, Life};
use crate::recipe::fields::{FieldError, Fields};
use crate::recipe::page::{Page, moment};
use crate::recipe::problem_kind::SourceProblemKind as Kind;
use crate::recipe::source::reader::{Files, Need, Reader, Section};
use crate::recipe::{ConsentKind, OnEnd};
use crate::x509::{Certificate, Purpose};

/// Suspends the periodic verification pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldVerification {
    /// When the pass resumes by itself; not after the recipe's `expires`.
    pub until: Timestamp,
}

impl Does for HoldVerification {
    fn phase(&self) -> Phase {
        Phase::Schedule
    }

    fn waits_for(&self) -> &'static [Precondition] {
        &[Precondition::ClockNotBehind]
    }

    /// However late its date, a hold ends [`RecipeLimits::hold_days`] after the client applied it: nothing that is signed once may
    /// switch the periodic pass off for good.
    fn put_in_force(&self, enrolled_at: Timestamp, now: Timestamp, effects: &mut Effects) {
        let longest = SignedDuration::from_hours(24 * i64::from(RecipeLimits::default().hold_days));
        let until = enrolled_at.checked_add(longest).map_or(self.until, |latest| self.until.min(latest));
        if now < until {
            effects.hold_until = effects.hold_until.max(Some(until));
        }
    }

    fn admit(&self, _: &Admission<'_>, _candidate: &Effects, _at: Timestamp) -> Result<(), NotAdmitted> {
        Ok(())
    }

    fn breaks(&self) -> Breakage {
        Breakage::Nothing
    }

    fn verifies(&self) -> Verifies {
        Verifies::Nothing
    }

    fn leaves(&self) -> Leaves {
        Leaves::Nothing { then: "the periodic verification resumes" }
    }

    fn gate_may_end(&self) -> bool {
        true
    }

    fn installs(&self) -> &[Certificate] {
        &[]
    }

    fn distrusts(&self) -> &[DistrustEntry] {
        &[]
    }

    fn proof(&self) -> Proof {
        let sentence = format!(
            "it suspends the periodic verification until {}, at most 30 days from when a client takes it, and changes no \
             verdict: what is enabled stays enabled, what is disabled stays disabled",
            self.until
        );
        Proof::NoVerdict { sentence }
    }

    /// A hold ends by itself: within the recipe's life, and within the longest hold after its start. Where a recipe starts at
    /// once, agents apply the same bound from when they took it.
    fn breaches(&self, life: Life, limits: &RecipeLimits) -> Vec<Breach> {
        let Self { until } = *self;
        let breach = |what: String, remedy: &str| Breach::new("until", Kind::Dates, what, remedy);
        let mut breaches = Vec::new();
        if let Some(expires) = life.expires
            && until > expires
        {
            breaches.push(breach(
                format!("the hold lasts until {until}, beyond the recipe's end at {expires}"),
                "let the recipe expire later, or the hold end earlier",
            ));
        }
        if let Some(starts) = life.starts {
            let days = limits.hold_days;
            let latest = starts.checked_add(SignedDuration::from_hours(24 * i64::from(days)));
            if until <= starts {
                breaches.push(breach(
                    format!("the hold ends at {until}, not after the recipe starts at {starts}"),
                    "give a later date",
                ));
            } else if latest.is_ok_and(|latest| until > latest) {
                breaches.push(breach(
                    format!("the hold lasts more than {days} days after the recipe starts at {starts}"),
                    "end it earlier; a longer need is a new recipe, signed again",
                ));
            }
        }
        breaches
    }

    fn arguments(&self) -> Value {
        json!({ "until": self.until.to_string() })
    }

    fn describe(&self, page: &mut Page, now: Timestamp) {
        page.line("does", &format!("holds the periodic verification until {}", moment(self.until, now)));
    }

    fn done(&self) -> String {
        format!("holds periodic verification until {:.0}", self.until)
    }
}

impl Form for HoldVerification {
    const SUMMARY: &'static str = "Suspend the periodic pass until a date";
    const CONSENTS: &'static [ConsentKind] = &[ConsentKind::Hotfix, ConsentKind::Security];
    const CERTIFICATES: Option<Purpose> = None;

    fn read(arguments: &mut Fields, _limits: &Limits) -> Result<Self, FieldError> {
        Ok(Self { until: arguments.time("until")? })
    }

    fn read_source(
        reader: &mut Reader<'_>,
        section: &mut Section<'_>,
        _files: &mut Files<'_>,
        _limits: &Limits,
    ) -> Option<Self> {
        section.time(reader, "until", Need::Required).map(|until| Self { until })
    }

    fn template(blanks: &Blanks<'_>) -> Template {
        Template {
            about: "Suspends the periodic verification pass, so that clients which still work keep working. Repairs nothing.",
            name: "Hold the periodic add-on verification".to_owned(),
            consent: ConsentKind::Hotfix,
            days: 14,
            on_end: OnEnd::Revert,
            arguments: format!(
                "# The pass resumes by itself then; at most 30 days after the start, and not after `expires`.\nuntil = {}\n",
                (blanks.day)(13)
            ),
        }
    }

    #[cfg(test)]
    fn arbitrary(expires: Timestamp) -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::{Just, Strategy};
        Just(Self { until: expires }).boxed()
    }
}
