//! The certificates of the incident of May 2019 in miniature, and their impostors.
//!
//! ```text
//! anchor ─┬─ expiring     group A: same subject, key and key id as the replacement; its last second has come
//!         ├─ replacement  the fix: another serial and other dates; may outlive its anchor, as the real one does
//!         ├─ control      group C: not touched by anything
//!         ├─ wrong key    says it is the replacement (subject), but for another key
//!         ├─ stolen ┐     one key, two certificates: distrust by issuer and serial refuses one of them,
//!         └─ sibling┘     distrust by key refuses both
//! other anchor ── other intermediate      nobody trusts them
//! ```

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;

use super::certificate::{CertificateSpec, LabCertificate};
use super::keys::{KeyKind, key};
use super::name::mozilla_name;
use crate::LabError;

/// When the certificates of an [`Incident`] begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncidentDates {
    /// The anchors, and whatever is not named below.
    pub anchor: (Timestamp, Timestamp),
    /// The expiring intermediate.
    pub expiring: (Timestamp, Timestamp),
    /// Its replacement.
    pub replacement: (Timestamp, Timestamp),
}

impl IncidentDates {
    /// An incident at this instant, proportioned as the real one: an intermediate of two years, an anchor that began four
    /// years before and lives six more, a replacement that outlives it by three weeks.
    ///
    /// # Errors
    /// When the dates leave the range of certificates.
    pub fn expired_at(at: Timestamp) -> Result<Self, LabError> {
        const YEAR: i64 = 366;
        let days = |days: i64| {
            at.checked_add(SignedDuration::from_hours(24 * days))
                .map_err(|_| LabError::Impossible(format!("an incident at {at}")))
        };
        let begin = days(-4 * YEAR)?;
        Ok(Self {
            anchor: (begin, days(6 * YEAR)?),
            expiring: (days(-2 * YEAR)?, at),
            replacement: (begin, days(6 * YEAR + 21)?),
        })
    }
}

/// The ready set of certificates.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The dates they were made with.
    pub dates: IncidentDates,
    /// The trust anchor.
    pub anchor: LabCertificate,
    /// The intermediate that expires: signs group A.
    pub expiring: LabCertificate,
    /// The same subject, key and key id, another serial, other dates.
    pub replacement: LabCertificate,
    /// Signs group C.
    pub control: LabCertificate,
    /// The replacement's subject with another key.
    pub wrong_key: LabCertificate,
    /// An intermediate whose key was stolen: signs group S.
    pub stolen: LabCertificate,
    /// Another certificate for the stolen key.
    pub stolen_sibling: LabCertificate,
    /// An anchor that nobody was told to trust.
    pub other_anchor: LabCertificate,
    /// Its intermediate: signs group F.
    pub other: LabCertificate,
}

impl Incident {
    /// Makes the set with RSA-2048 keys.
    ///
    /// # Errors
    /// When a key or certificate cannot be made.
    pub fn new(dates: IncidentDates) -> Result<Self, LabError> {
        Self::with_keys(KeyKind::Rsa2048, dates)
    }

    /// Makes the set with keys of this kind (RSA-4096 for benchmarks: what the real ones have).
    ///
    /// # Errors
    /// When a key or certificate cannot be made.
    pub fn with_keys(kind: KeyKind, dates: IncidentDates) -> Result<Self, LabError> {
        const NAMES: [&str; 7] = ["anchor", "signing", "wrong", "control", "stolen", "other anchor", "other"];
        // All at once: below they would be made one after another, some seconds each.
        NAMES.par_iter().try_for_each(|name| key(kind, name).map(drop))?;
        let (begin, end) = dates.anchor;
        let subject = |name: &str| mozilla_name("Laboratory Signing Service", name);
        let anchor = CertificateSpec::ca(subject("root-ca-laboratory")?, 1, begin, end)
            .self_signed(&key(kind, "anchor")?)?;
        let issue =
            |name: &str, key_name: &str, serial: u64, dates: (Timestamp, Timestamp)| -> Result<_, LabError> {
                let mut spec = CertificateSpec::ca(subject(name)?, serial, dates.0, dates.1);
                spec.excluded_dns = vec![
                    ".content-signature.example.org".to_owned(),
                    "content-signature.example.org".to_owned(),
                ];
                spec.issued_by(&anchor, &key(kind, key_name)?)
            };
        const SIGNING: &str = "signingca1.addons.example.org";
        const STOLEN: &str = "signingca2.addons.example.org";
        let other_anchor = CertificateSpec::ca(subject("root-ca-elsewhere")?, 1, begin, end)
            .self_signed(&key(kind, "other anchor")?)?;
        let other = CertificateSpec::ca(subject("signingca.elsewhere.example.org")?, 2, begin, end)
            .issued_by(&other_anchor, &key(kind, "other")?)?;
        Ok(Self {
            dates,
            expiring: issue(SIGNING, "signing", 0x10_0004, dates.expiring)?,
            replacement: issue(SIGNING, "signing", 0x10_0008, dates.replacement)?,
            wrong_key: issue(SIGNING, "wrong", 0x10_0006, dates.replacement)?,
            control: issue("production-signing-ca.addons.example.org", "control", 0x10_0002, dates.anchor)?,
            stolen: issue(STOLEN, "stolen", 0x10_0020, dates.anchor)?,
            stolen_sibling: issue(STOLEN, "stolen", 0x10_0021, dates.anchor)?,
            anchor,
            other_anchor,
            other,
        })
    }
}

#[cfg(test)]
mod tests {
    use der::Decode;
    use x509_cert::Certificate;

    use super::*;

    #[test]
    fn the_replacement_differs_from_the_expiring_one_in_serial_and_dates_alone() {
        let at: Timestamp = "2019-05-04T00:09:46Z".parse().unwrap();
        let set = Incident::new(IncidentDates::expired_at(at).unwrap()).unwrap();
        let read = |c: &LabCertificate| Certificate::from_der(c.der()).unwrap().tbs_certificate;
        let (old, new) = (read(&set.expiring), read(&set.replacement));
        assert_ne!(old.serial_number, new.serial_number);
        assert_ne!(old.validity, new.validity);
        assert_eq!(old.validity.not_after.to_unix_duration().as_secs() as i64, at.as_second());
        let mut like_old = new.clone();
        like_old.serial_number = old.serial_number.clone();
        like_old.validity = old.validity;
        assert_eq!(like_old, old);
        assert!(
            new.validity.not_after.to_unix_duration()
                > read(&set.anchor).validity.not_after.to_unix_duration()
        );
        let wrong = read(&set.wrong_key);
        assert_eq!(wrong.subject, old.subject);
        assert_ne!(wrong.subject_public_key_info, old.subject_public_key_info);
        assert_eq!(
            read(&set.stolen).subject_public_key_info,
            read(&set.stolen_sibling).subject_public_key_info
        );
    }
}
