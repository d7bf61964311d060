//! The bench on which fixtures are judged: the certificates of the incident, and a case with the most usual circumstances.

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::pki::{
    CertificateSpec, Incident, IncidentDates, KeyKind, LabCertificate, key, mozilla_name,
};
use mulberry_lab::xpi_signer::{Addon, AddonSigner, Fault, Pkcs7Options, SigningOptions, ZipFault};
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{Anchors, Certificate, Distrust, Pool, SignatureMemo};
use mulberry_shared::xpi::{JudgeContext, Policy, Verdict, VerdictKind, inspect};

pub(crate) struct Bench {
    pub(crate) incident: Incident,
}

/// The bench, made once for all tests.
pub(crate) fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| Bench {
        incident: Incident::new(IncidentDates::expired_at(expired_at()).unwrap()).unwrap(),
    })
}

/// The last second of the expiring intermediate.
pub(crate) fn expired_at() -> Timestamp {
    "2019-05-04T00:09:46Z".parse().unwrap()
}

/// That many days after the expiry; before it when negative.
pub(crate) fn days(days: i64) -> Timestamp {
    expired_at().checked_add(SignedDuration::from_hours(24 * days)).unwrap()
}

/// Days of the end entities of all fixtures.
pub(crate) fn end_entity_dates() -> (Timestamp, Timestamp) {
    (days(-300), days(65))
}

/// As the service of 2018 signed: SHA-1 PKCS#7.
pub(crate) fn of_2018() -> SigningOptions {
    SigningOptions::service_of_2018(end_entity_dates().0, end_entity_dates().1)
}

/// As the service of 2023 signed: SHA-256 PKCS#7 and ES256 COSE.
pub(crate) fn of_2023() -> SigningOptions {
    SigningOptions::service_of_2023(end_entity_dates().0, end_entity_dates().1)
}

/// Changes the PKCS#7 part of options that have one.
pub(crate) fn with_pkcs7(mut options: SigningOptions, change: fn(&mut Pkcs7Options)) -> SigningOptions {
    change(options.pkcs7.as_mut().unwrap());
    options
}

pub(crate) fn addon() -> Addon {
    Addon::small("fixture@lab.example.org")
}

/// Signs the usual add-on under the control intermediate, which is valid throughout.
pub(crate) fn signed(options: SigningOptions) -> Case {
    signed_by(&bench().incident.control, options)
}

/// Signs the usual add-on under this issuer.
pub(crate) fn signed_by(issuer: &LabCertificate, options: SigningOptions) -> Case {
    case(AddonSigner { issuer, options }.sign(&addon()).unwrap())
}

/// The usual add-on with one fault.
pub(crate) fn with_fault(mut options: SigningOptions, fault: Fault) -> Case {
    options.faults.push(fault);
    signed(options)
}

/// The usual add-on in an archive with one fault.
pub(crate) fn with_zip_fault(fault: ZipFault) -> Case {
    let mut options = of_2018();
    options.zip_faults.push(fault);
    signed(options)
}

/// Another CA under the incident's anchor.
pub(crate) fn intermediate(
    name: &str,
    kind: KeyKind,
    change: impl FnOnce(&mut CertificateSpec),
) -> LabCertificate {
    let (begin, end) = bench().incident.dates.anchor;
    let mut spec = CertificateSpec::ca(mozilla_name("Laboratory", name).unwrap(), 77, begin, end);
    change(&mut spec);
    spec.issued_by(&bench().incident.anchor, &key(kind, name).unwrap()).unwrap()
}

/// These bytes under the policy `firefox`, the day after the expiry, nothing but the anchor known.
pub(crate) fn case(bytes: Vec<u8>) -> Case {
    Case {
        bytes,
        policy: Policy::firefox(),
        at: days(1),
        anchor: bench().incident.anchor.clone(),
        pool: Vec::new(),
        distrust: Distrust::default(),
        limits: Limits::default(),
    }
}

/// An archive and the circumstances to judge it in.
pub(crate) struct Case {
    pub(crate) bytes: Vec<u8>,
    policy: Policy,
    at: Timestamp,
    anchor: LabCertificate,
    pool: Vec<LabCertificate>,
    distrust: Distrust,
    limits: Limits,
}

impl Case {
    pub(crate) fn at(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    pub(crate) fn anchored_at(mut self, anchor: &LabCertificate) -> Self {
        self.anchor = anchor.clone();
        self
    }

    pub(crate) fn knowing(mut self, certificate: &LabCertificate) -> Self {
        self.pool.push(certificate.clone());
        self
    }

    pub(crate) fn distrusting_key_of(mut self, certificate: &LabCertificate) -> Self {
        self.distrust.add_spki(parsed(certificate).spki_sha256());
        self
    }

    pub(crate) fn distrusting_serial_of(mut self, certificate: &LabCertificate) -> Self {
        let parsed = parsed(certificate);
        self.distrust.add_issuer_serial(parsed.issuer_der(), parsed.serial());
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let inspection = inspect(&self.bytes.as_slice(), &self.policy, &self.limits).unwrap();
        let anchors: Anchors = [parsed(&self.anchor)].into_iter().collect();
        let pool: Pool = self.pool.iter().map(parsed).collect();
        let memo = SignatureMemo::new(1_000);
        let context = JudgeContext {
            anchors: &anchors,
            pool: &pool,
            distrust: &self.distrust,
            memo: &memo,
            policy: &self.policy,
            limits: &self.limits,
        };
        let verdict = inspection.judge(&context, self.at);
        // The memo may only save work: a second judgement with it is the same.
        assert_eq!(inspection.judge(&context, self.at), verdict);
        verdict
    }

    /// Asserts the kind of the verdict; answers the sentence.
    #[track_caller]
    pub(crate) fn is(&self, kind: VerdictKind) -> String {
        let verdict = self.verdict();
        assert_eq!(verdict.kind, kind, "{verdict}");
        assert!(!verdict.detail.is_empty(), "{kind} without a sentence");
        verdict.detail
    }

    /// Asserts that the add-on is refused, whatever the reason.
    #[track_caller]
    pub(crate) fn is_not_ok(&self) {
        let verdict = self.verdict();
        assert!(!verdict.is_ok(), "{verdict}");
    }

    /// Asserts the kind of the verdict and that its sentence names this.
    #[track_caller]
    pub(crate) fn is_naming(&self, kind: VerdictKind, name: &str) {
        let detail = self.is(kind);
        assert!(detail.contains(name), "{detail:?} does not name {name:?}");
    }
}

pub(crate) fn parsed(certificate: &LabCertificate) -> Certificate {
    Certificate::parse_der(certificate.der(), &Limits::default().x509).unwrap()
}
