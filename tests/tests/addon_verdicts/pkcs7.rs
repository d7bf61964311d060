//! `mozilla.rsa` and its companions.

use mulberry_lab::pki::certificate::Presence;
use mulberry_lab::pki::{CertificateSpec, KeyKind, SignatureKind, key};
use mulberry_lab::xpi_signer::{
    AddonSigner, AlgorithmStyle, CmsDigest, Fault, Pkcs7Options, SignedAttributes, SignerId,
};
use mulberry_shared::xpi::VerdictKind;

use crate::bench::{
    addon, bench, days, end_entity_dates, of_2018, signed, signed_by, with_fault, with_pkcs7,
};

#[test]
fn every_way_of_writing_pkcs7_in_real_files_holds() {
    for digest in [CmsDigest::Sha1, CmsDigest::Sha256] {
        for attributes in [SignedAttributes::Present, SignedAttributes::Absent] {
            for signer_id in [SignerId::IssuerAndSerial, SignerId::SubjectKeyId] {
                for algorithms in [AlgorithmStyle::RsaEncryption, AlgorithmStyle::DigestWithRsa] {
                    let mut options = of_2018();
                    options.pkcs7 = Some(Pkcs7Options { digest, attributes, signer_id, algorithms });
                    let verdict = signed(options.clone()).verdict();
                    assert!(verdict.is_ok(), "{:?}: {verdict}", options.pkcs7);
                }
            }
        }
    }
}

#[test]
fn a_changed_signature_file_or_signature_is_a_bad_signature() {
    for fault in [
        Fault::SignatureFileAltered,
        Fault::SignatureBitFlipped,
        Fault::WrongSigningKey,
        Fault::WrongMessageDigest,
    ] {
        let verdict = with_fault(of_2018(), fault).verdict();
        assert_eq!(verdict.kind, VerdictKind::BadSignature, "{fault:?}: {verdict}");
    }
}

#[test]
fn a_changed_signature_without_attributes_is_a_bad_signature() {
    let bare = with_pkcs7(of_2018(), |pkcs7| pkcs7.attributes = SignedAttributes::Absent);
    with_fault(bare.clone(), Fault::SignatureBitFlipped).is(VerdictKind::BadSignature);
    with_fault(bare, Fault::SignatureFileAltered).is(VerdictKind::BadSignature);
}

#[test]
fn a_damaged_signature_structure_is_malformed() {
    for fault in [
        Fault::SignatureTruncated,
        Fault::SignatureTrailingData,
        Fault::SignatureNotAsn1,
        Fault::AttachedContent,
        Fault::MissingMessageDigest,
        Fault::TwoSignerInfos,
        Fault::NoSignerInfo,
        Fault::EndEntityNotEmbedded,
        Fault::SecondSignaturePair,
        Fault::SignatureFileMissing,
        Fault::ManifestMissing,
    ] {
        let verdict = with_fault(of_2018(), fault).verdict();
        assert_eq!(verdict.kind, VerdictKind::MalformedSignature, "{fault:?}: {verdict}");
    }
}

#[test]
fn manifests_without_the_signature_over_them_are_unsigned() {
    with_fault(of_2018(), Fault::SignatureMissing).is(VerdictKind::Unsigned);
}

/// The certificates in a signature file are signed by nobody: whoever holds the file may add to them.
#[test]
fn junk_certificates_that_pose_as_the_issuer_change_nothing() {
    let incident = &bench().incident;
    let junk_key = key(KeyKind::P256, "junk").unwrap();
    let mut options = of_2018();
    options.issuer_embedded = Presence::Absent;
    // Each as large as real ones are.
    options.extra_certificates = (0..200)
        .map(|serial| {
            let mut spec =
                CertificateSpec::ca(incident.expiring.subject().clone(), serial + 1, days(-900), days(900));
            spec.subject_key_id = Presence::Absent;
            spec.authority_key_id = Presence::Absent;
            spec.excluded_dns =
                (0..16).map(|n| format!("{n}.content-signature.laboratory.example.org")).collect();
            // Says that the anchor issued it; the signature is by the junk key itself.
            spec.signature = Some(SignatureKind::EcdsaSha256);
            spec.sign(&junk_key, incident.anchor.subject(), &junk_key).unwrap().der().to_vec()
        })
        .collect();
    let case = || signed_by(&incident.expiring, options.clone());
    case().is(VerdictKind::UnknownIssuer);
    case().knowing(&incident.expiring).is(VerdictKind::IssuerExpired);
    case().knowing(&incident.expiring).knowing(&incident.replacement).is(VerdictKind::Ok);
    case()
        .knowing(&incident.replacement)
        .distrusting_key_of(&incident.replacement)
        .is(VerdictKind::Distrusted);
}

/// So many that the signature file as a whole is refused, before any work and whatever is known.
#[test]
fn more_junk_than_any_honest_file_carries_is_refused_as_a_whole() {
    let incident = &bench().incident;
    let mut options = of_2018();
    options.extra_certificates = (0..600)
        .map(|serial| {
            CertificateSpec::ca(incident.control.subject().clone(), serial + 1, days(-900), days(900))
                .self_signed(&key(KeyKind::P256, "junk").unwrap())
                .unwrap()
                .der()
                .to_vec()
        })
        .collect();
    signed(options.clone()).is(VerdictKind::LimitExceeded);
    signed(options).distrusting_key_of(&incident.control).is(VerdictKind::LimitExceeded);
}

/// Which of two certificates with one issuer and serial signed is for the signature to say.
#[test]
fn a_certificate_that_poses_as_the_end_entity_changes_nothing() {
    let issuer = &bench().incident.control;
    let signer = AddonSigner { issuer, options: of_2018() };
    let real = signer.end_entity(&addon(), KeyKind::Rsa2048).unwrap();
    let (begin, end) = end_entity_dates();
    let junk = key(KeyKind::Rsa2048, "junk").unwrap();
    let impostor = CertificateSpec::end_entity(real.subject().clone(), real.serial(), begin, end)
        .sign(&junk, issuer.subject(), &junk)
        .unwrap();
    let mut options = of_2018();
    options.extra_certificates = vec![impostor.der().to_vec()];
    signed(options.clone()).is(VerdictKind::Ok);
    // Distrust of the impostor's key is no distrust of the signer, and the reverse is.
    signed(options.clone()).distrusting_key_of(&impostor).is(VerdictKind::Ok);
    signed(options).distrusting_key_of(&real).is_naming(VerdictKind::Distrusted, "fixture@lab.example.org");
}

#[test]
fn a_distrusted_end_entity_is_refused_by_serial_and_by_key() {
    let issuer = &bench().incident.control;
    let real = AddonSigner { issuer, options: of_2018() }.end_entity(&addon(), KeyKind::Rsa2048).unwrap();
    signed(of_2018()).distrusting_serial_of(&real).is(VerdictKind::Distrusted);
    signed(of_2018()).distrusting_key_of(&real).is(VerdictKind::Distrusted);
}
