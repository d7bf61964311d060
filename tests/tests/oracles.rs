//! The laboratory's own work, judged by an outside program: `openssl` must agree about the incident. Where it is not
//! installed, the test says so and passes.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::pki::{Incident, IncidentDates, LabCertificate};
use mulberry_lab::xpi_signer::{
    Addon, AddonSigner, AlgorithmStyle, CmsDigest, Fault, Pkcs7Options, SignedAttributes, SignerId,
    SigningOptions,
};

const EXPIRY: &str = "2019-05-04T00:09:46Z";

#[test]
fn openssl_agrees_about_the_incident() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: openssl is not installed; the laboratory was not judged by an outside program");
        return;
    }
    let expiry: Timestamp = EXPIRY.parse().unwrap();
    let after = hours(expiry, 1);
    let incident = Incident::new(IncidentDates::expired_at(expiry).unwrap()).unwrap();
    let signed = |issuer: &LabCertificate, fault: Option<Fault>| {
        let mut options = SigningOptions::service_of_2018(hours(expiry, -24), hours(expiry, 24 * 365));
        options.faults.extend(fault);
        Detached::of(issuer, options)
    };
    let alone = [&incident.anchor];
    let fixed = [&incident.anchor, &incident.replacement];

    let group_a = signed(&incident.expiring, None);
    group_a.holds(hours(expiry, -1), &alone);
    group_a.fails(after, &alone, "certificate has expired");
    group_a.holds(after, &fixed);
    signed(&incident.control, None).holds(after, &alone);
    signed(&incident.other, None).fails(after, &alone, "unable to get local issuer certificate");
    signed(&incident.control, Some(Fault::SignatureBitFlipped)).fails(after, &alone, "");
    signed(&incident.control, Some(Fault::SignatureFileAltered)).fails(after, &alone, "");
    signed(&incident.control, Some(Fault::WrongMessageDigest)).fails(after, &alone, "");

    for digest in [CmsDigest::Sha1, CmsDigest::Sha256] {
        for attributes in [SignedAttributes::Present, SignedAttributes::Absent] {
            for signer_id in [SignerId::IssuerAndSerial, SignerId::SubjectKeyId] {
                for algorithms in [AlgorithmStyle::RsaEncryption, AlgorithmStyle::DigestWithRsa] {
                    let mut options =
                        SigningOptions::service_of_2018(hours(expiry, -24), hours(expiry, 24 * 365));
                    options.pkcs7 = Some(Pkcs7Options { digest, attributes, signer_id, algorithms });
                    Detached::of(&incident.control, options).holds(after, &alone);
                }
            }
        }
    }
}

/// A signature file and its detached signature.
struct Detached {
    content: Vec<u8>,
    signature: Vec<u8>,
}

impl Detached {
    fn of(issuer: &LabCertificate, options: SigningOptions) -> Self {
        let entries =
            AddonSigner { issuer, options }.entries(&Addon::small("oracle@lab.example.org")).unwrap();
        let find =
            |name: &str| entries.iter().find(|entry| entry.name == name.as_bytes()).unwrap().data.clone();
        Self { content: find("META-INF/mozilla.sf"), signature: find("META-INF/mozilla.rsa") }
    }

    #[track_caller]
    fn holds(&self, at: Timestamp, known: &[&LabCertificate]) {
        let (success, message) = self.verify(at, known);
        assert!(success, "openssl: {message}");
    }

    #[track_caller]
    fn fails(&self, at: Timestamp, known: &[&LabCertificate], reason: &str) {
        let (success, message) = self.verify(at, known);
        assert!(!success && message.contains(reason), "openssl: {message}");
    }

    fn verify(&self, at: Timestamp, known: &[&LabCertificate]) -> (bool, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let known: String = known.iter().map(|certificate| certificate.pem()).collect();
        let output = Command::new("openssl")
            .args(["cms", "-verify", "-binary", "-purpose", "any", "-inform", "DER", "-in"])
            .arg(file("mozilla.rsa", &self.signature))
            .arg("-content")
            .arg(file("mozilla.sf", &self.content))
            .arg("-CAfile")
            .arg(file("known.pem", known.as_bytes()))
            .args(["-attime", &at.as_second().to_string(), "-out"])
            .arg(Path::new("/dev/null"))
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn hours(at: Timestamp, hours: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_hours(hours)).unwrap()
}
