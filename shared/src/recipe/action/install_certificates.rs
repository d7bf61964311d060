//! `install-certificates`: adds certificates to the local pool, with no special trust, and verifies every add-on again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::certificate_list::{self, count};
use super::{Blanks, DistrustEntry, Does, Form, Leaves, Phase, Precondition, Proof, Template, Verifies};
use crate::effects::{Admission, Effects, NotAdmitted};
use crate::limits::{Limits, RecipeLimits};
use crate::never_worse::Breakage;
use crate::recipe::breach::{Breach, Life};
use crate::recipe::fields::{FieldError, Fields};
use crate::recipe::page::Page;
use crate::recipe::problem_kind::SourceProblemKind as Kind;
use crate::recipe::source::reader::{Files, Reader, Section};
use crate::recipe::{ConsentKind, OnEnd};
use crate::x509::{Certificate, Purpose};

/// Adds certificates to the local pool, with no special trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallCertificates {
    /// The certificates: at least one, none self-issued.
    pub certificates: Vec<Certificate>,
}

impl Does for InstallCertificates {
    fn phase(&self) -> Phase {
        Phase::Certificates
    }

    fn waits_for(&self) -> &'static [Precondition] {
        &[]
    }

    fn put_in_force(&self, _enrolled_at: Timestamp, _now: Timestamp, effects: &mut Effects) {
        for certificate in &self.certificates {
            effects.install(certificate);
        }
    }

    fn admit(
        &self,
        admission: &Admission<'_>,
        candidate: &Effects,
        at: Timestamp,
    ) -> Result<(), NotAdmitted> {
        for certificate in &self.certificates {
            admission
                .certificate(certificate, candidate, at)
                .map_err(|error| NotAdmitted::NoPath { certificate: certificate.clone(), error })?;
        }
        Ok(())
    }

    fn breaks(&self) -> Breakage {
        Breakage::Nothing
    }

    fn verifies(&self) -> Verifies {
        Verifies::All
    }

    fn leaves(&self) -> Leaves {
        Leaves::Effects
    }

    fn gate_may_end(&self) -> bool {
        true
    }

    fn installs(&self) -> &[Certificate] {
        &self.certificates
    }

    fn distrusts(&self) -> &[DistrustEntry] {
        &[]
    }

    fn proof(&self) -> Proof {
        Proof::SomethingBetter {
            held_count_before: true,
            else_said: "installing it helps no add-on of this corpus",
        }
    }

    fn breaches(&self, _life: Life, limits: &RecipeLimits) -> Vec<Breach> {
        let mut breaches = certificate_list::breaches(self.certificates.len(), limits);
        let mut seen = BTreeSet::new();
        for certificate in &self.certificates {
            let name = certificate.described();
            if certificate.is_self_issued() {
                breaches.push(Breach::new(
                    "certificates",
                    Kind::BadCertificate,
                    format!("the certificate {name} is self-issued, so it is a root and no intermediate"),
                    "a recipe cannot bring a new trust anchor; give an intermediate that an anchor issued",
                ));
            } else if !certificate.is_ca() {
                breaches.push(Breach::new(
                    "certificates",
                    Kind::BadCertificate,
                    format!("the certificate {name} is a leaf: not a CA's, so it can be nobody's issuer"),
                    "give the intermediate that issued the add-ons' certificates",
                ));
            }
            if !seen.insert(certificate) {
                breaches.push(Breach::new(
                    "certificates",
                    Kind::Twice,
                    format!("the certificate {name} appears twice"),
                    "leave one out",
                ));
            }
        }
        breaches
    }

    fn arguments(&self) -> Value {
        json!({ "certificates": self.certificates })
    }

    fn describe(&self, page: &mut Page, now: Timestamp) {
        let number = count(self.certificates.len(), "certificate");
        page.line("does", &format!("installs {number}, with no special trust"));
        for certificate in &self.certificates {
            certificate_list::describe(certificate, page, now);
        }
        page.line("", "and verifies every add-on again");
    }

    fn done(&self) -> String {
        let names: Vec<String> = self.certificates.iter().map(Certificate::described).collect();
        format!("installed {}", names.join(", "))
    }
}

impl Form for InstallCertificates {
    const SUMMARY: &'static str = "Add certificates to the local pool and re-verify";
    const CONSENTS: &'static [ConsentKind] = &[ConsentKind::Hotfix, ConsentKind::Security];
    const CERTIFICATES: Option<Purpose> = Some(Purpose::Install);

    fn read(arguments: &mut Fields, limits: &Limits) -> Result<Self, FieldError> {
        let texts = arguments.texts("certificates")?;
        arguments.bounded("certificates", texts.len(), limits.recipe.certificates)?;
        let certificates = texts.iter().map(|text| certificate_list::certificate(text, limits));
        let certificates = certificates.collect::<Result<_, _>>();
        Ok(Self { certificates: certificates.map_err(|fault| arguments.wrong("certificates", fault))? })
    }

    fn read_source(
        reader: &mut Reader<'_>,
        section: &mut Section<'_>,
        files: &mut Files<'_>,
        limits: &Limits,
    ) -> Option<Self> {
        if !section.has("certificates") {
            certificate_list::missing(reader, section);
        }
        let certificates = certificate_list::read_source(reader, section, Purpose::Install, files, limits)?;
        Some(Self { certificates })
    }

    fn template(blanks: &Blanks<'_>) -> Template {
        Template {
            about: "Adds certificates to the local pool, with no special trust: an anchor must have issued them.\n\
                    Each client then verifies every add-on again and switches the repaired ones back on.",
            name: format!("Install {}", blanks.certificate),
            consent: ConsentKind::Hotfix,
            days: 90,
            on_end: OnEnd::Keep,
            arguments: format!(
                "# PEM files in this folder. A private key in one of them is refused.\n{}",
                blanks.certificates()
            ),
        }
    }

    #[cfg(test)]
    fn arbitrary(_expires: Timestamp) -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::Strategy;
        let intermediates = crate::recipe::arbitrary::certificates()[..3].to_vec();
        proptest::sample::subsequence(intermediates, 1..=3)
            .prop_map(|certificates| Self { certificates })
            .boxed()
    }
}
