//! `distrust-certificates`: refuses certificates by issuer and serial number, or every one for a key; beats
//! `install-certificates`.

use std::collections::BTreeSet;

use der::Decode;
use jiff::Timestamp;
use serde_json::{Value, json};
use x509_cert::name::Name;

use super::certificate_list;
use super::{Blanks, Does, Form, Leaves, Phase, Precondition, Proof, Template, Verifies};
use crate::digest::Sha256Digest;
use crate::effects::{Admission, Effects, NotAdmitted};
use crate::limits::{Limits, RecipeLimits};
use crate::never_worse::Breakage;
use crate::recipe::breach::{Breach, Life};
use crate::recipe::fields::{FieldError, FieldFault, Fields, base64, from_base64};
use crate::recipe::page::Page;
use crate::recipe::problem_kind::SourceProblemKind as Kind;
use crate::recipe::source::reader::{Files, Need, Reader, Section};
use crate::recipe::{ConsentKind, OnEnd};
use crate::x509::{Certificate, Purpose, has_larger_set};

/// Refuses certificates wherever they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistrustCertificates {
    /// Which: at least one entry.
    pub by: Vec<DistrustEntry>,
}

/// What is distrusted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DistrustEntry {
    /// One certificate.
    IssuerSerial {
        /// The issuer's name, DER.
        issuer: Vec<u8>,
        /// The serial number's content bytes, as in the certificate.
        serial: Vec<u8>,
    },
    /// A key: every certificate for it, siblings included.
    Spki(Sha256Digest),
}

impl Does for DistrustCertificates {
    fn phase(&self) -> Phase {
        Phase::Certificates
    }

    fn waits_for(&self) -> &'static [Precondition] {
        &[]
    }

    fn put_in_force(&self, _enrolled_at: Timestamp, _now: Timestamp, effects: &mut Effects) {
        for entry in &self.by {
            match entry {
                DistrustEntry::IssuerSerial { issuer, serial } => {
                    effects.distrust.add_issuer_serial(issuer, serial);
                }
                DistrustEntry::Spki(digest) => effects.distrust.add_spki(*digest),
            }
        }
    }

    fn admit(
        &self,
        admission: &Admission<'_>,
        candidate: &Effects,
        _at: Timestamp,
    ) -> Result<(), NotAdmitted> {
        match admission.refused_anchor(candidate) {
            None => Ok(()),
            Some(anchor) => Err(NotAdmitted::Anchor(anchor.clone())),
        }
    }

    fn breaks(&self) -> Breakage {
        Breakage::Distrusted
    }

    fn verifies(&self) -> Verifies {
        Verifies::All
    }

    fn leaves(&self) -> Leaves {
        Leaves::Effects
    }

    fn gate_may_end(&self) -> bool {
        false
    }

    fn installs(&self) -> &[Certificate] {
        &[]
    }

    fn distrusts(&self) -> &[DistrustEntry] {
        &self.by
    }

    fn proof(&self) -> Proof {
        Proof::Disables
    }

    fn breaches(&self, _life: Life, limits: &RecipeLimits) -> Vec<Breach> {
        let mut breaches = certificate_list::breaches(self.by.len(), limits);
        if self.by.iter().collect::<BTreeSet<_>>().len() < self.by.len() {
            breaches.push(Breach::new(
                "certificates",
                Kind::Twice,
                "one entry appears twice",
                "leave one out",
            ));
        }
        breaches
    }

    fn arguments(&self) -> Value {
        let entries = self.by.iter().map(|entry| match entry {
            DistrustEntry::IssuerSerial { issuer, serial } => {
                json!({ "issuer": base64(issuer), "serial": hex::encode(serial) })
            }
            DistrustEntry::Spki(digest) => json!({ "spki_sha256": digest }),
        });
        json!({ "by": entries.collect::<Vec<_>>() })
    }

    fn describe(&self, page: &mut Page, _now: Timestamp) {
        let entries = match self.by.len() {
            1 => "1 entry".to_owned(),
            number => format!("{number} entries"),
        };
        page.line("does", &format!("distrusts {entries}; add-ons that depend on it stop working"));
        for entry in &self.by {
            match entry {
                DistrustEntry::Spki(digest) => {
                    page.line("", &format!("- every certificate for the key with SHA-256 {digest}"));
                }
                DistrustEntry::IssuerSerial { issuer, serial } => {
                    let issuer =
                        Name::from_der(issuer).map_or_else(|_| hex::encode(issuer), |name| name.to_string());
                    page.line("", &format!("- the certificate with serial {}", hex::encode(serial)));
                    page.outside("", &format!("  issued by {issuer}"));
                }
            }
        }
    }

    fn done(&self) -> String {
        format!("distrusts what its entries name: {}", self.by.len())
    }
}

/// How source names what is distrusted about a certificate.
#[derive(Clone, Copy)]
enum By {
    Key,
    IssuerAndSerial,
}

impl Form for DistrustCertificates {
    const SUMMARY: &'static str = "Refuse certificates";
    const CONSENTS: &'static [ConsentKind] = &[ConsentKind::Hotfix, ConsentKind::Security];
    const CERTIFICATES: Option<Purpose> = Some(Purpose::Distrust);

    fn read(arguments: &mut Fields, limits: &Limits) -> Result<Self, FieldError> {
        let entries = arguments.list("by")?;
        arguments.bounded("by", entries.len(), limits.recipe.certificates)?;
        let by = entries.into_iter().map(|entry| published_entry(entry, limits));
        Ok(Self { by: by.collect::<Result<_, _>>()? })
    }

    fn read_source(
        reader: &mut Reader<'_>,
        section: &mut Section<'_>,
        files: &mut Files<'_>,
        limits: &Limits,
    ) -> Option<Self> {
        let certificates = certificate_list::read_source(reader, section, Purpose::Distrust, files, limits);
        let need = if section.has("certificates") { Need::Required } else { Need::Optional };
        let choices = [("key", By::Key), ("issuer-and-serial", By::IssuerAndSerial)];
        let by = section.choice(reader, "by", need, &choices);
        let keys = keys(reader, section, &limits.recipe);
        if !section.has("certificates") && !section.has("spki_sha256") {
            certificate_list::missing(reader, section);
        }
        let mut entries = Vec::new();
        for certificate in certificates? {
            entries.push(match by? {
                By::Key => DistrustEntry::Spki(certificate.spki_sha256()),
                By::IssuerAndSerial => DistrustEntry::IssuerSerial {
                    issuer: certificate.issuer_der().to_vec(),
                    serial: certificate.serial().to_vec(),
                },
            });
        }
        entries.extend(keys?.into_iter().map(DistrustEntry::Spki));
        Some(Self { by: entries })
    }

    fn template(blanks: &Blanks<'_>) -> Template {
        Template {
            about: "Refuses certificates, and so disables every add-on that depends on them. Beats install-certificates.",
            name: format!("Refuse {}", blanks.certificate),
            consent: ConsentKind::Security,
            days: 365,
            on_end: OnEnd::Keep,
            arguments: blanks.certificates()
                + "# \"key\": every certificate for this key, right after a theft; siblings with the same key break too.\n\
                   # \"issuer-and-serial\": this one certificate alone, right when it was issued wrongly.\n\
                   by = \"key\"\n\
                   # Without the certificate at hand: the SHA-256 of its SubjectPublicKeyInfo in DER, in hexadecimal.\n\
                   # spki_sha256 = [\"…\"]\n",
        }
    }

    #[cfg(test)]
    fn arbitrary(_expires: Timestamp) -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::prelude::*;
        let issuer = proptest::sample::select(crate::recipe::arbitrary::certificates());
        let one = prop_oneof![
            any::<[u8; 32]>().prop_map(|bytes| DistrustEntry::Spki(Sha256Digest(bytes))),
            (issuer, proptest::collection::vec(any::<u8>(), 1..=32)).prop_map(|(issuer, serial)| {
                DistrustEntry::IssuerSerial { issuer: issuer.issuer_der().to_vec(), serial }
            }),
        ];
        proptest::collection::btree_set(one, 1..4)
            .prop_map(|set| Self { by: set.into_iter().collect() })
            .boxed()
    }
}

fn published_entry(entry: Value, limits: &Limits) -> Result<DistrustEntry, FieldError> {
    let RecipeLimits { issuer: longest_issuer, serial: longest_serial, .. } = limits.recipe;
    let mut fields = Fields::of_entry(entry, "arguments.by", "arguments.by.")?;
    let entry = if fields.has("spki_sha256") {
        DistrustEntry::Spki(fields.parsed("spki_sha256")?)
    } else {
        let issuer = from_base64(&fields.text("issuer")?).map_err(|fault| fields.wrong("issuer", fault))?;
        let too_large = issuer.len() > longest_issuer || has_larger_set(&issuer, limits.x509.name_part);
        if too_large || Name::from_der(&issuer).is_err() {
            return Err(fields.wrong("issuer", FieldFault::NotADistinguishedName));
        }
        let serial = fields.text("serial")?;
        let bytes = hex::decode(&serial).map_err(|_| fields.wrong("serial", FieldFault::NotHexadecimal))?;
        if bytes.is_empty() || bytes.len() > longest_serial || hex::encode(&bytes) != serial {
            return Err(fields.wrong("serial", FieldFault::NotASerial { most: longest_serial }));
        }
        DistrustEntry::IssuerSerial { issuer, serial: bytes }
    };
    match fields.left_over() {
        Some(name) => Err(FieldError::new(name, FieldFault::Unknown)),
        None => Ok(entry),
    }
}

/// The digests of `spki_sha256` in a source; none where the key is absent.
fn keys(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    limits: &RecipeLimits,
) -> Option<Vec<Sha256Digest>> {
    let words = section.words(reader, "spki_sha256", limits);
    if words.is_none() && section.has("spki_sha256") {
        return None;
    }
    let mut digests = Some(Vec::new());
    for word in words.into_iter().flatten() {
        match word.parse() {
            Ok(digest) => {
                if let Some(list) = &mut digests {
                    list.push(digest);
                }
            }
            Err(error) => {
                let remedy = "write the SHA-256 of the key's SubjectPublicKeyInfo in DER";
                section.problem(reader, "spki_sha256", Kind::BadValue, &format!("{word:?}: {error}"), remedy);
                digests = None;
            }
        }
    }
    digests
}
