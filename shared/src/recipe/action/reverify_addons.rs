//! `reverify-addons`: verifies add-ons again, after all certificate actions of the same run.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Blanks, DistrustEntry, Does, Form, Leaves, Phase, Precondition, Proof, Template, Verifies};
use crate::effects::{Admission, Effects, NotAdmitted};
use crate::limits::{Limits, RecipeLimits};
use crate::never_worse::Breakage;
use crate::recipe::breach::{Breach, Life};
use crate::recipe::fields::{FieldError, FieldFault, Fields};
use crate::recipe::page::Page;
use crate::recipe::source::reader::{Files, Need, Reader, Section};
use crate::recipe::{ConsentKind, OnEnd};
use crate::x509::{Certificate, Purpose};

/// Verifies add-ons again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverifyAddons {
    /// Which.
    pub which: WhichAddons,
}

/// Which add-ons are verified again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhichAddons {
    /// All.
    All,
    /// Those that are disabled.
    Disabled,
}

impl WhichAddons {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::All, Self::Disabled];

    /// Its name in a recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Disabled => "disabled",
        }
    }
}

impl Does for ReverifyAddons {
    fn phase(&self) -> Phase {
        Phase::Verification
    }

    fn waits_for(&self) -> &'static [Precondition] {
        &[Precondition::CertificatesApplied, Precondition::AddonsListed]
    }

    fn put_in_force(&self, _enrolled_at: Timestamp, _now: Timestamp, _effects: &mut Effects) {}

    fn admit(&self, _: &Admission<'_>, _candidate: &Effects, _at: Timestamp) -> Result<(), NotAdmitted> {
        Ok(())
    }

    fn breaks(&self) -> Breakage {
        Breakage::Nothing
    }

    fn verifies(&self) -> Verifies {
        match self.which {
            WhichAddons::All => Verifies::All,
            WhichAddons::Disabled => Verifies::Disabled,
        }
    }

    fn leaves(&self) -> Leaves {
        Leaves::Nothing { then: "nothing is left to undo" }
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
        Proof::SomethingBetter {
            held_count_before: false,
            else_said: "verifying again helps no add-on of this corpus by itself; what clients came to hold since their last \
                        pass is named with --certificate",
        }
    }

    fn breaches(&self, _life: Life, _limits: &RecipeLimits) -> Vec<Breach> {
        Vec::new()
    }

    fn arguments(&self) -> Value {
        json!({ "addons": self.which.as_str() })
    }

    fn describe(&self, page: &mut Page, _now: Timestamp) {
        page.line(
            "does",
            match self.which {
                WhichAddons::All => "verifies every add-on again",
                WhichAddons::Disabled => "verifies the disabled add-ons again",
            },
        );
    }

    fn done(&self) -> String {
        format!("verified again: {} add-ons", self.which.as_str())
    }
}

impl Form for ReverifyAddons {
    const SUMMARY: &'static str = "Re-verify add-ons";
    const CONSENTS: &'static [ConsentKind] = &[ConsentKind::Hotfix, ConsentKind::Security];
    const CERTIFICATES: Option<Purpose> = None;

    fn read(arguments: &mut Fields, _limits: &Limits) -> Result<Self, FieldError> {
        let text = arguments.text("addons")?;
        let which = WhichAddons::ALL.into_iter().find(|which| which.as_str() == text);
        let which = which.ok_or_else(|| arguments.wrong("addons", FieldFault::UnknownValue(text)))?;
        Ok(Self { which })
    }

    fn read_source(
        reader: &mut Reader<'_>,
        section: &mut Section<'_>,
        _files: &mut Files<'_>,
        _limits: &Limits,
    ) -> Option<Self> {
        let choices = WhichAddons::ALL.map(|which| (which.as_str(), which));
        section.choice(reader, "addons", Need::Required, &choices).map(|which| Self { which })
    }

    fn template(_blanks: &Blanks<'_>) -> Template {
        Template {
            about: "Verifies add-ons again, after all certificate actions of the same run.",
            name: "Verify add-ons again".to_owned(),
            consent: ConsentKind::Hotfix,
            days: 30,
            on_end: OnEnd::Keep,
            arguments: "# \"all\" or \"disabled\".\naddons = \"all\"\n".to_owned(),
        }
    }

    #[cfg(test)]
    fn arbitrary(_expires: Timestamp) -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::Strategy;
        proptest::sample::select(&WhichAddons::ALL[..]).prop_map(|which| Self { which }).boxed()
    }
}
