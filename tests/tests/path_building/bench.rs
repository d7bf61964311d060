//! The table the tests work at: the certificates of the incident and one call that judges a chain.

use jiff::Timestamp;
use mulberry_lab::pki::{
    CertificateSpec, Incident, IncidentDates, KeyKind, LabCertificate, common_name, key,
};
use mulberry_shared::limits::X509Limits;
use mulberry_shared::x509::{
    Anchors, Certificate, Distrust, EndEntityTime, Path, PathBuilder, PathError, PathErrorKind, Pool,
    SignatureMemo, Usage,
};

/// When the expiring intermediate of the laboratory expires.
pub(crate) const EXPIRY: &str = "2019-05-04T00:09:46Z";
/// A day later.
pub(crate) const AFTER: &str = "2019-05-05T00:00:00Z";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn read(certificate: &LabCertificate) -> Certificate {
    Certificate::parse_der(certificate.der(), &X509Limits::default()).unwrap()
}

/// The certificates of the incident, as the verifier sees them.
pub(crate) struct Bench {
    pub(crate) lab: Incident,
    pub(crate) anchor: Certificate,
    pub(crate) expiring: Certificate,
    pub(crate) replacement: Certificate,
    pub(crate) end_entity: Certificate,
}

/// What one judgement is made with, starting from the laboratory's anchor and nothing else.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) anchors: Anchors,
    pub(crate) pool: Pool,
    pub(crate) distrust: Distrust,
    pub(crate) end_entity_time: EndEntityTime,
    pub(crate) limits: X509Limits,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dates = IncidentDates::expired_at(time(EXPIRY)).unwrap();
        let lab = Incident::with_keys(KeyKind::P256, dates).unwrap();
        let end_entity = end_entity(&lab.expiring, 7);
        Self {
            anchor: read(&lab.anchor),
            expiring: read(&lab.expiring),
            replacement: read(&lab.replacement),
            end_entity,
            lab,
        }
    }

    pub(crate) fn setting(&self) -> Setting {
        Setting {
            anchors: [self.anchor.clone()].into_iter().collect(),
            pool: Pool::new(),
            distrust: Distrust::default(),
            end_entity_time: EndEntityTime::Ignore,
            limits: X509Limits::default(),
        }
    }
}

impl Setting {
    pub(crate) fn with<R>(&self, act: impl FnOnce(&PathBuilder<'_>) -> R) -> R {
        act(&PathBuilder {
            anchors: &self.anchors,
            pool: &self.pool,
            distrust: &self.distrust,
            memo: &SignatureMemo::default(),
            usage: Usage::CodeSigning,
            end_entity_time: self.end_entity_time,
            limits: &self.limits,
        })
    }

    pub(crate) fn build(
        &self,
        end_entity: &Certificate,
        embedded: &[Certificate],
        at: &str,
    ) -> Result<Path, PathError> {
        self.with(|builder| builder.build(end_entity, embedded, time(at)))
    }

    pub(crate) fn kind(
        &self,
        end_entity: &Certificate,
        embedded: &[Certificate],
        at: &str,
    ) -> Result<(), PathErrorKind> {
        self.build(end_entity, embedded, at).map(drop).map_err(|error| error.kind)
    }

    pub(crate) fn pooled(mut self, certificates: &[&Certificate]) -> Self {
        self.pool.extend(certificates.iter().map(|c| (*c).clone()));
        self
    }

    pub(crate) fn enforcing(mut self) -> Self {
        self.end_entity_time = EndEntityTime::Enforce;
        self
    }

    pub(crate) fn distrusting_key_of(mut self, certificate: &Certificate) -> Self {
        self.distrust.add_spki(certificate.spki_sha256());
        self
    }

    pub(crate) fn distrusting(mut self, certificate: &Certificate) -> Self {
        self.distrust.add_issuer_serial(certificate.issuer_der(), certificate.serial());
        self
    }
}

/// An end entity of this issuer, valid for the year 2019.
pub(crate) fn end_entity(issuer: &LabCertificate, serial: u64) -> Certificate {
    let spec = end_entity_spec(serial);
    read(&spec.issued_by(issuer, &key(KeyKind::P256, "end entity").unwrap()).unwrap())
}

pub(crate) fn end_entity_spec(serial: u64) -> CertificateSpec {
    CertificateSpec::end_entity(
        common_name("addon@example.org").unwrap(),
        serial,
        time("2019-01-01T00:00:00Z"),
        time("2020-01-01T00:00:00Z"),
    )
}

/// A CA that is valid for as long as the anchor.
pub(crate) fn ca_spec(name: &str, serial: u64) -> CertificateSpec {
    let (begin, end) = (time("2016-01-01T00:00:00Z"), time("2024-01-01T00:00:00Z"));
    CertificateSpec::ca(common_name(name).unwrap(), serial, begin, end)
}
